"""What is known about one source before it is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from osnowa.corpus.tables import Dialect
from osnowa.corpus.text import ChosenMode, Unit


@dataclass(frozen=True)
class Survey:
    """What is known about a source before it is read; plain values, so that it travels and is stored as JSON."""

    source: str
    sha256: str = ""  # of the bytes as they are stored (of the unpacked bytes of an archive's member)
    size: int = 0  # of the same bytes
    encoding: str = "utf-8"
    guessed: bool = False  # the encoding: it fits the words, but others could fit them too
    bom: int = 0  # bytes of the byte order mark
    first_invalid: int | None = None  # byte offset of the first byte that is not UTF-8
    characters: int = 0  # decoded; of a Parquet file, bytes of its text column
    lines: int = 0  # physical lines; of a Parquet file, rows
    blank_lines: int = 0
    longest_line: int = 0  # characters
    document: ChosenMode = "record"
    unit: Unit = "line"  # what a run consists of
    because: str = ""  # the document mode in a plain sentence
    columns: tuple[str, ...] = ()
    text_column: str | None = None  # None: the records are the texts themselves, or there are no records
    target_column: str | None = None  # of pairs; text_column is their source then
    dialect: Dialect | None = None
    cells: tuple[
        tuple[int, bool], ...
    ] = ()  # of each cell: number of its first line, and whether a block goes on there
    row_groups: tuple[int, ...] = ()  # of a Parquet file: bytes of the text column in each
    notes: tuple[str, ...] = ()
    refused: str | None = None  # why nothing of the source is read (the note says more); its one Rejected says the same

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Survey:
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        lists["cells"] = tuple((number, inside) for number, inside in values["cells"])
        return cls(**{**values, **lists, "dialect": values["dialect"] and Dialect.from_dict(values["dialect"])})
