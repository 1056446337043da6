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
_TOGETHER = 16  # runs whose next spans are found faster by one call for all of them than one by one


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
    starts, counts = _begins(sentences, runs.start[long], runs.stop[long], first_room, budget)
    spans = np.ones(len(runs), dtype=np.int64)
    spans[long] = counts
    owner = np.repeat(np.arange(len(runs)), spans)
    is_long = np.repeat(runs.stop - runs.start > budget, spans)
    start = np.empty(len(owner), dtype=np.int64)
    start[~is_long], start[is_long] = np.delete(runs.start, long), starts
    stop = np.empty(len(owner), dtype=np.int64)
    stop[:-1] = start[1:]
    stop[np.cumsum(spans) - 1] = runs.stop
    return Runs(start, stop, runs.document[owner])


def _begins(sentences: I64, start: I64, stop: I64, room: I64, budget: int) -> tuple[I64, I64]:
    """Where the spans of each run begin, run by run, and how many there are; the first has that much `room`."""
    run, slack, num_runs = np.arange(len(start)), loose(budget), len(start)
    starts, runs = [start], [run]
    while len(run) >= _TOGETHER:  # the next span of all runs that go on
        going = stop - start > room
        run, stop, limit = run[going], stop[going], start[going] + room[going]
        border = sentences[np.searchsorted(sentences, limit, side="right") - 1]
        start = np.where(border >= np.maximum(limit - slack, start[going] + 1), border, limit)
        room = np.full(len(run), budget)
        starts.append(start)
        runs.append(run)
    for owner, begin, end, first in zip(*(each.tolist() for each in (run, start, stop, room)), strict=True):
        low, high = bisect.bisect_right(sentences, begin), bisect.bisect_left(sentences, end)
        found = _further(sentences[low:high].tolist(), begin, end, first, budget)
        starts.append(np.array(found, dtype=np.int64))
        runs.append(np.full(len(found), owner))
    owners = np.concatenate(runs)
    return np.concatenate(starts)[np.argsort(owners, kind="stable")], np.bincount(owners, minlength=num_runs)


def _further(borders: list[int], start: int, stop: int, room: int, budget: int) -> list[int]:
    """The same for the spans of one run behind its first; `borders` are the ends of sentences inside it."""
    found: list[int] = []
    at, slack = 0, loose(budget)
    while stop - start > room:
        limit = start + room
        at = bisect.bisect_right(borders, limit, at)
        start = borders[at - 1] if at and borders[at - 1] >= max(limit - slack, start + 1) else limit
        found.append(start)
        room = budget
    return found
