"""Long documents cut into spans that fill a row; nothing is cut off."""

from __future__ import annotations

import bisect

import numpy as np
from numpy.typing import NDArray

from osnowa.data.blocks import Runs
from osnowa.data.order import below, draw

I64 = NDArray[np.int64]
# A span ends with a sentence when one ends in the last sixteenth of its room. Whole sentences alone, and first spans of
# half a row at least, left 10 % of rows of 128 tokens empty (sentences of 18 tokens, documents of 400); now it is 1.7 %.
_LOOSE = 16


def loose(budget: int) -> int:
    """How many tokens a span may leave empty so that it ends with a sentence."""
    return budget // _LOOSE


def cut(sentences: I64, runs: Runs, budget: int, seed: int, epoch: int) -> Runs:
    """Spans of at most `budget` tokens that hold each token of `runs` once.

    A run that fits stays whole. The first span of a longer one has a random smaller room, so that epochs cut at
    different places; each further one is as long as fits, up to the end of a sentence if one is near.
    """
    long = np.flatnonzero(runs.stop - runs.start > budget)
    number, _, _, _ = draw(seed, "first span", epoch, runs.start[long])
    first_room = loose(budget) + 1 + below(number, budget - loose(budget))
    first = np.searchsorted(sentences, runs.start[long], side="right")
    last = np.searchsorted(sentences, runs.stop[long], side="left")
    starts: list[int] = []
    counts = np.ones(len(runs), dtype=np.int64)
    places = zip(*(a.tolist() for a in (long, runs.start[long], runs.stop[long], first_room, first, last)), strict=True)
    for run, start, stop, room, low, high in places:
        found = _cut_one(sentences[low:high].tolist(), start, stop, room, budget)
        counts[run] = len(found)
        starts += found
    owner = np.repeat(np.arange(len(runs)), counts)
    is_long = np.repeat(runs.stop - runs.start > budget, counts)
    start = np.empty(len(owner), dtype=np.int64)
    start[~is_long], start[is_long] = np.delete(runs.start, long), starts
    stop = np.empty(len(owner), dtype=np.int64)
    stop[:-1] = start[1:]
    stop[np.cumsum(counts) - 1] = runs.stop
    return Runs(start, stop, runs.document[owner])


def _cut_one(borders: list[int], start: int, stop: int, room: int, budget: int) -> list[int]:
    """Where the spans of one run begin; `borders` are the ends of sentences inside it."""
    found, at = [start], 0
    while stop - start > room:
        limit = start + room
        at = bisect.bisect_right(borders, limit, at)
        start = borders[at - 1] if at and borders[at - 1] >= max(limit - loose(budget), start + 1) else limit
        found.append(start)
        room = budget
    return found
