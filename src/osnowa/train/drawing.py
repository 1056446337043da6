"""Mini-batches drawn in a thread of their own while a GPU is busy with the one before."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from osnowa.data import Place
from osnowa.objective import Batch

Drawn = tuple[list[Batch], Place]
Draw = Callable[[int, Place], Drawn]


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
