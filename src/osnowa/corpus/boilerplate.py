"""Lines that stand in many documents; each is kept where it occurs first, so that nothing is lost but repetition."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from osnowa import files
from osnowa.corpus.config import CorpusConfig

_SPILL_LINES = 2_000_000  # in one spill file, about: 50 MB, and twice that to sort it
_MOST_SPILLS = 256

Hashes = npt.NDArray[np.uint64]
# A line in one part: its hash, the first document with it, the number of documents with it.
_ENTRY = np.dtype([("hash", "<u8"), ("first", "<i8"), ("documents", "<i8")])


@dataclass(frozen=True)
class Boilerplate:
    """Hashes of the repeated lines, ascending, and for each the number of the document that keeps it."""

    hashes: Hashes
    first: npt.NDArray[np.int64]


def hash_lines(text: str, config: CorpusConfig) -> list[int]:
    """64-bit hashes of the lines of `text` that could be boilerplate, in order.

    None where the text is one line: then it is the document itself that repeats, which is the duplicates' business.
    """
    if "\n" not in text:
        return []
    return [xxhash.xxh3_64_intdigest(line.encode()) for line in _long_lines(text.split("\n"), config)]


def _long_lines(lines: Iterable[str], config: CorpusConfig) -> Iterator[str]:
    return (line for line in map(str.strip, lines) if len(line) >= config.boilerplate_characters)


def remove_lines(text: str, repeated: set[int], config: CorpusConfig) -> tuple[str, list[str]]:
    """`text` without the lines whose hash is in `repeated`, and these lines."""
    kept, removed = [], []
    for line in text.split("\n"):
        plain = line.strip()
        if len(plain) >= config.boilerplate_characters and xxhash.xxh3_64_intdigest(plain.encode()) in repeated:
            removed.append(plain)
        else:
            kept.append(line)
    return "\n".join(kept), removed


def find_boilerplate(
    parts: Iterable[tuple[Hashes, npt.NDArray[np.int64]]],
    num_lines: int,
    num_documents: int,
    spill: Path,
    config: CorpusConfig,
) -> Boilerplate:
    """The lines in enough of the documents.

    Args:
        parts: for each part of the corpus, hash and document of each of its lines; documents ascend over all parts.
        num_lines: how many lines there are in all, about.
        num_documents: of which the share is taken.
        spill: a folder for sorting in pieces; it is removed again.

    Raises:
        StorageError, CannotCreateError
    """
    least = max(config.boilerplate_documents, math.ceil(config.boilerplate_share * num_documents))
    num_spills = min(1 + num_lines // _SPILL_LINES, _MOST_SPILLS)
    paths = [spill / f"{number:03d}.entries" for number in range(num_spills)]
    files.make_folder(spill)
    with ExitStack() as stack:
        handles = [stack.enter_context(files.open_new(path)) for path in paths]
        for hashes, documents in parts:
            entries = _count_lines(hashes, documents)
            spills = entries["hash"] % np.uint64(num_spills)
            for number, handle in enumerate(handles):
                handle.write(entries[spills == number].tobytes())
    with files.reading_errors(spill):
        found = [_often(np.fromfile(path, _ENTRY), least) for path in paths]
    files.remove(spill)
    together = np.concatenate(found)
    together = together[np.argsort(together["hash"])]
    return Boilerplate(together["hash"].copy(), together["first"].copy())


def _count_lines(hashes: Hashes, documents: npt.NDArray[np.int64]) -> npt.NDArray[np.void]:
    """One entry for each different line of a part; a line twice in a document counts once."""
    order = np.lexsort((documents, hashes))
    hashes, documents = hashes[order], documents[order]
    new_line = _changes(hashes)
    fresh = new_line | _changes(documents)
    entries = np.zeros(int(new_line.sum()), _ENTRY)
    starts = np.flatnonzero(new_line)
    entries["hash"], entries["first"] = hashes[starts], documents[starts]
    if len(starts):
        entries["documents"] = np.add.reduceat(fresh.astype(np.int64), starts)
    return entries


def _often(entries: npt.NDArray[np.void], least: int) -> npt.NDArray[np.void]:
    """Entries of all parts, in their order, added up; those of too few documents are left out."""
    entries = entries[np.argsort(entries["hash"], kind="stable")]
    starts = np.flatnonzero(_changes(entries["hash"]))
    totals = entries[starts].copy()
    if len(starts):
        totals["documents"] = np.add.reduceat(entries["documents"], starts)
    return totals[totals["documents"] >= least]


def _changes(values: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    """Where a sorted array shows a new value."""
    changes = np.ones(len(values), bool)
    changes[1:] = values[1:] != values[:-1]
    return changes
