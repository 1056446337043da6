"""Mini-batches drawn many at a time, and in a thread of their own while a GPU is busy with the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

import torch

from osnowa.data import Place, RowSequence
from osnowa.objective import Batch, Objective

Drawn = tuple[list[Batch], Place]
Draw = Callable[[int, Place], Drawn]
# Drawing waits for NumPy's calls, not for their arithmetic. 128, 256, 512, 1,024, 2,048 rows of 128 at a time: 21, 27, 30,
# 32, 32 M tokens/s on two cores with AMX (a slower Zen 3 gained up to 512 rows, more was not measured there).
PLACES_AT_ONCE = 1 << 17


class Batches:
    """The questions of rows, which depend on each row's place alone: those of many rows are drawn at once, and kept."""

    def __init__(self, objective: Objective, rows: RowSequence) -> None:
        self.objective, self.rows = objective, rows
        self._kept: Batch | None = None
        self._used, self._next = 0, Place()  # rows of `_kept` that were given away, and the place behind them
        self._parts: Iterator[Batch] = iter(())  # what is left of it,
        self._size = 0  # so many rows at a time
        self._lock = Lock()

    def take(self, place: Place, num_rows: int) -> tuple[Batch, Place]:
        """What is asked of the next `num_rows` rows, and the place after them.

        Raises:
            DataError: there is no text.
        """
        with self._lock:
            _, after = self.rows.advance(place, num_rows)
            if self._kept is None or place != self._next or self._used + num_rows > len(self._kept.tokens):
                rows, _ = self.rows.take(place, self._at_once(place, num_rows))
                self._kept, self._used, self._size = self.objective.batch(rows), 0, 0
            if num_rows != self._size:
                times, over = divmod(len(self._kept.tokens) - self._used, num_rows)
                _, *parts = self._kept.parts([self._used, *[num_rows] * times, over])
                self._parts, self._size = iter(parts), num_rows
            self._used, self._next = self._used + num_rows, after
            return next(self._parts), after

    def _at_once(self, place: Place, num_rows: int) -> int:
        """Rows that are drawn at `place`: so many times `num_rows` as fit, none of the next plan's beforehand."""
        left = len(self.rows.plan(place.epoch, place.block)) - place.row
        return num_rows * max(1, min(PLACES_AT_ONCE // self.rows.places, left) // num_rows)


class DrawnAhead:
    """The batches of each update, those of the one behind it begun meanwhile, in memory that a GPU reads by itself."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "batches")
        self._next: tuple[int, Place, Future[Drawn]] | None = None

    def __call__(self, draw: Draw, step: int, place: Place, *, last: bool = False) -> Drawn:
        """`draw(step, place)`, for update `step` (from 1); nothing is begun behind the `last`."""
        if self._next is not None and self._next[:2] == (step, place):
            batches, after = self._next[2].result()
        else:
            batches, after = pinned(draw, step, place)
        self._next = None if last else (step + 1, after, self._pool.submit(pinned, draw, step + 1, after))
        return batches, after


def pinned(draw: Draw, step: int, place: Place) -> Drawn:
    """What is drawn, where a GPU can fetch it beside its work."""
    batches, after = draw(step, place)
    if torch.cuda.is_available():
        batches = [each.map(torch.Tensor.pin_memory) for each in batches]
    return batches, after
