"""First pass, in a worker: pieces of sources to cleaned documents in chunks, with the hashes of their lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from osnowa import files
from osnowa.corpus import pair
from osnowa.corpus.boilerplate import hash_lines
from osnowa.corpus.cleaning import Change, clean, size
from osnowa.corpus.config import CorpusConfig
from osnowa.corpus.documents import RawDocument, Rejected, read_documents
from osnowa.corpus.escapes import is_double_escaped
from osnowa.corpus.parts import PART_DOCUMENTS, finished, pack_hashes, pack_texts, write_part
from osnowa.corpus.sources import Source
from osnowa.corpus.survey import Survey
from osnowa.corpus.tally import Tally, difference, excerpt
from osnowa.errors import DamagedError, InputMissingError

EMPTY = "empty"  # nothing was left after cleaning
EMPTY_SIDE = "empty_side"  # ... of the source or the target of a pair
LONG_PAIR = "long_pair"  # longer than a document may be, and can't be cut as one
ESCAPED = "double_escaped"
REJECTED = "rejected"


def chunk_path(folder: Path, task: int, chunk: int) -> Path:
    return folder / f"{task:05d}-{chunk:04d}.safetensors"


def rejected_path(folder: Path, task: int) -> Path:
    return folder / f"{task:05d}.rejected.jsonl"


def read_pieces(
    name: str,
    folder: str,
    task: int,
    catalog: str,
    pieces: Sequence[tuple[int, Any]],
    config: Mapping[str, Any],
    work: str,
    part_bytes: int,
) -> dict[str, Any]:
    """Clean the documents of `pieces` (offset of a source's line in `catalog`, span) into chunk files.

    Returns:
        {"chunks": [[documents, line hashes], ...], "tally"}; kept in a marker file, so that it is done once.

    Raises:
        DataError, InputMissingError, StorageError
    """
    marker = Path(folder) / f"{task:05d}.json"
    if (result := _read_marker(marker, Path(folder), task, work)) is not None:
        return result
    settings = CorpusConfig.model_validate(config)
    chunks = _Chunks(Path(folder), task, work, part_bytes)
    tally = Tally()
    rejected = rejected_path(Path(folder), task)
    with files.open_new(rejected) as refused:
        for source, found, span in _open_pieces(Path(catalog), pieces):
            for item in read_documents(source, found, settings, span):
                if isinstance(item, Rejected):
                    _refuse(item, refused, tally)
                else:
                    _clean(item, settings, tally, chunks)
    chunks.close()
    result = {"chunks": chunks.written, "tally": tally.as_dict()}
    files.write_json(marker, {"work": work, "rejected_bytes": rejected.stat().st_size, "result": result})
    return result


def _read_marker(marker: Path, folder: Path, task: int, work: str) -> dict[str, Any] | None:
    """What the task gave when it was done before and all its files are still sound."""
    try:
        done = files.read_json(marker)
        if done["work"] != work or rejected_path(folder, task).stat().st_size != done["rejected_bytes"]:
            return None
    except (InputMissingError, DamagedError, OSError, KeyError, TypeError):
        return None
    result: dict[str, Any] = done["result"]
    paths = (chunk_path(folder, task, number) for number in range(len(result["chunks"])))
    return result if all(finished(path, work) is not None for path in paths) else None


def _open_pieces(catalog: Path, pieces: Sequence[tuple[int, Any]]) -> Iterator[tuple[Source, Survey, Any]]:
    with files.reading_errors(catalog), catalog.open("rb") as lines:
        for offset, span in pieces:
            lines.seek(offset)
            entry = json.loads(lines.readline())
            yield Source.from_dict(entry["source"]), Survey.from_dict(entry["survey"]), span


def _refuse(item: Rejected, refused: BinaryIO, tally: Tally) -> None:
    record = {"source": item.source, "line": item.line, "column": item.column, "reason": item.reason, "raw": item.raw}
    text = json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace")
    refused.write(text + b"\n")
    table = tally.rejected if item.line else tally.skipped
    table[item.reason] = table.get(item.reason, 0) + 1
    tally.show(REJECTED, item.source, item.line, lambda: _place(item, reason=item.reason, excerpt=excerpt(item.raw)))


def _place(item: RawDocument | Rejected, **more: str) -> dict[str, Any]:
    return {"source": item.source, "line": item.line, **more}


def _clean(raw: RawDocument, config: CorpusConfig, tally: Tally, chunks: _Chunks) -> None:
    """A document, or each side of a pair by itself, so that no rule carries anything from one side to the other."""
    sides = [raw.text] if raw.target is None else [raw.text, raw.target]
    tally.enter(size(pair.BREAK.join(sides)))
    if any(map(is_double_escaped, sides)):
        tally.flagged[ESCAPED] = tally.flagged.get(ESCAPED, 0) + 1
        tally.show(ESCAPED, raw.source, raw.line, lambda: _place(raw, excerpt=excerpt(pair.BREAK.join(sides))))
    cleaned = [clean(side, config.rules_off) for side in sides]
    _count_changes(raw, [change for _, changes in cleaned for change in changes], tally)
    texts = [text for text, _ in cleaned]
    text, border = (texts[0], 0) if raw.target is None else pair.join(*texts)
    rule = _unusable(texts, text, config)
    if rule is None:
        chunks.add(text, border, raw, [] if border else hash_lines(text, config))
    else:
        tally.count(tally.dropped, rule, 1, size(text))
        tally.show(rule, raw.source, raw.line, lambda: _place(raw, excerpt=excerpt(pair.BREAK.join(sides))))


def _unusable(texts: Sequence[str], text: str, config: CorpusConfig) -> str | None:
    """The rule by which a document or pair is dropped right after cleaning, or none."""
    empty = [not side or side.isspace() for side in texts]
    if any(empty):
        return EMPTY if len(texts) == 1 else EMPTY_SIDE
    return LONG_PAIR if len(texts) == 2 and len(text) > config.max_document_characters else None


def _count_changes(raw: RawDocument, changes: Sequence[Change], tally: Tally) -> None:
    for number, change in enumerate(changes):
        again = any(change.rule == earlier.rule for earlier in changes[:number])
        tally.count(tally.removed, change.rule, 0 if again else 1, change.bytes_removed())
        tally.show(change.rule, raw.source, raw.line, partial(_show_change, raw, change))


def _show_change(raw: RawDocument, change: Change) -> dict[str, Any]:
    return _place(raw, **difference(change.before, change.after))


@dataclass
class _Chunks:
    """Collects cleaned documents and writes a chunk whenever enough of them are together."""

    folder: Path
    task: int
    work: str
    part_bytes: int
    written: list[list[int]] = field(default_factory=list)  # [documents, line hashes] of each chunk
    _texts: list[str] = field(default_factory=list)
    _borders: list[int] = field(default_factory=list)  # where the target of a pair begins; 0: no pair
    _places: list[tuple[str, int]] = field(default_factory=list)
    _lines: list[list[int]] = field(default_factory=list)
    _bytes: int = 0

    def add(self, text: str, border: int, raw: RawDocument, line_hashes: list[int]) -> None:
        self._texts.append(text)
        self._borders.append(border)
        self._places.append((raw.source, raw.line))
        self._lines.append(line_hashes)
        self._bytes += len(text)
        if self._bytes >= self.part_bytes or len(self._texts) >= PART_DOCUMENTS:
            self.close()

    def close(self) -> None:
        if not self._texts:
            return
        names = list(dict.fromkeys(name for name, _ in self._places))
        index = {name: number for number, name in enumerate(names)}
        flat = [line for lines in self._lines for line in lines]
        arrays = {
            **pack_texts(self._texts),
            "borders": np.array(self._borders, np.uint32),
            "identities": pack_hashes(list(map(pair.identity, self._texts, self._borders))),
            "sources": np.array([index[name] for name, _ in self._places], np.uint32),
            "lines": np.array([line for _, line in self._places], np.int64),
            "line_hashes": np.array(flat, np.uint64),
            "line_counts": np.array([len(lines) for lines in self._lines], np.uint32),
        }
        path = chunk_path(self.folder, self.task, len(self.written))
        write_part(path, arrays, {"sources": names}, self.work)
        self.written.append([len(self._texts), len(flat)])
        self._texts, self._borders, self._places, self._lines, self._bytes = [], [], [], [], 0
