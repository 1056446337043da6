"""Which documents train and which are held out: decided by each document's own hash."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osnowa.corpus.duplicates import NONE, find_exact

TRAIN, HELD_OUT, DROPPED = 0, 1, 2

_SHARE = 0.05
_HELD_OUT_BYTES = 10_000_000  # more than that measures no better


@dataclass(frozen=True)
class Split:
    """The decision for each document, and the share and hash threshold it was taken by."""

    decisions: npt.NDArray[np.uint8]
    share: float
    threshold: int


def numbers(keys: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """The first eight bytes of each key [documents, 16] as a number: evenly spread, the same everywhere."""
    return np.ascontiguousarray(keys[:, :8]).view(">u8").astype(np.uint64).ravel()


def split(keys: npt.NDArray[np.uint8], kept: npt.NDArray[np.bool_], num_bytes: int, share: float | None) -> Split:
    """Hold out the documents whose number is below a threshold; with two or more numbers, at least one on either side.

    Documents with equal keys stay together.

    Adding documents to a corpus never moves one to the other side while the share stays.

    Args:
        keys: hashes of the normalised texts, or of the sources of pairs [documents, 16].
        num_bytes: of the kept documents together; the share is derived from it where it is None.
    """
    if share is None:
        share = min(_SHARE, _HELD_OUT_BYTES / max(num_bytes, 1))
    decisions = np.full(len(kept), DROPPED, np.uint8)
    documents = np.flatnonzero(kept)
    drawn = numbers(keys[documents])
    threshold = int(share * 2**64)
    held_out = drawn < np.uint64(min(threshold, 2**64 - 1))
    if len(documents) > 1 and not held_out.any():
        held_out[drawn == drawn.min()] = True
    if held_out.all() and len(documents):
        held_out[drawn == drawn.max()] = False
    decisions[documents] = np.where(held_out, HELD_OUT, TRAIN)
    return Split(decisions, share, threshold)


def count_overlap(decisions: npt.NDArray[np.uint8], keys: npt.NDArray[np.uint8]) -> int:
    """How many held-out documents have the key [documents, 16] of a training document: looked up, not assumed."""
    earlier = find_exact(keys, decisions != DROPPED)
    first = np.where(earlier == NONE, np.arange(len(keys)), earlier)
    trains = np.zeros(len(keys), bool)
    trains[first[decisions == TRAIN]] = True
    return int(trains[first[decisions == HELD_OUT]].sum())
