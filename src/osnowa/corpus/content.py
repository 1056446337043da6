"""The decoded lines of a source, wherever it lies, however it is packed, and in whatever encoding it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from osnowa.corpus.encodings import Transcoded
from osnowa.corpus.findings import Format, Source
from osnowa.corpus.lines import GRID, LineEnds, Lines, decode_cells, read_cells
from osnowa.corpus.opening import open_stream
from osnowa.corpus.raw import Rejected

if TYPE_CHECKING:
    from osnowa.corpus.compression import Stream
    from osnowa.corpus.config import CorpusConfig
    from osnowa.corpus.survey import Survey

LINE_ENDS: dict[Format, LineEnds] = {
    "text": "text",
    "markdown": "text",
    "html": "text",
    "jsonl": "record",
    "json": "record",
    "csv": "record",
    "tsv": "record",
}


@contextlib.contextmanager
def read_events(
    source: Source, survey: Survey, config: CorpusConfig, first: int = 0, last: int | None = None
) -> Iterator[Iterator[Lines | Rejected]]:
    """The lines that start in cells first ... last - 1, with lines that can't be decoded as Rejected."""
    start = survey.bom + max(0, first * GRID - 3) if first else 0
    number = survey.cells[first][0] if first else 1
    with open_stream(source, config, start) as opened:
        stream: Stream = opened
        for _ in range(0 if first else survey.bom):
            opened.read(1)
        if survey.encoding != "utf-8":
            stream = Transcoded(opened, survey.encoding)
        ends = LINE_ENDS[source.format]
        yield decode_cells(read_cells(stream, ends, first, last), ends, source.name, number, survey.encoding)
