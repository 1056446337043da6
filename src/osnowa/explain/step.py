"""One step of a computation that can be done again: an operation, what goes in, what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Kept = tuple[tuple[int, ...] | None, ...]
"""For each axis which places are there, in rising order; None: all."""


@dataclass(frozen=True)
class Step:
    """`out` = `op`(`inputs`); `part` says where in the model, e.g. "enc.3.attn"."""

    op: str
    out: str
    inputs: tuple[str, ...]
    part: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As the page reads it."""
        return {
            "op": self.op,
            "out": self.out,
            "in": list(self.inputs),
            "attrs": dict(self.attrs),
            "part": self.part,
        }


@dataclass(frozen=True)
class Held:
    """Numbers of a tensor, of which some places may be left out: `array` holds those of `kept` along each axis."""

    array: Array
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    kept: Kept

    @classmethod
    def whole(cls, array: Array, axes: tuple[str, ...]) -> Held:
        """All of a tensor."""
        return cls(array, axes, array.shape, (None,) * array.ndim)

    def places(self, axis: int) -> Array:
        """Which places of `axis` are there, as whole numbers in rising order."""
        kept = self.kept[axis]
        return np.arange(self.shape[axis]) if kept is None else np.asarray(kept, dtype=np.int64)

    def is_whole(self, axis: int) -> bool:
        """Whether nothing of `axis` is left out."""
        kept = self.kept[axis]
        return kept is None or len(kept) == self.shape[axis]

    def at(self, places: Mapping[int, Array]) -> Array:
        """The numbers at `places` of some axes, in float64; they must be there."""
        found = self.array
        for axis, wanted in places.items():
            if self.kept[axis] is None and len(wanted) == self.shape[axis]:
                continue
            found = np.take(found, np.searchsorted(self.places(axis), wanted), axis=axis)
        return found.astype(np.float64)

    def keep(self, places: Mapping[int, Array]) -> Held:
        """A copy with only some of what is there: along each axis the places that are asked for and there."""
        kept, array = list(self.kept), self.array
        for axis, wanted in places.items():
            here = self.places(axis)
            chosen = np.intersect1d(here, wanted)
            if len(chosen) == self.shape[axis]:
                continue
            array = np.take(array, np.searchsorted(here, chosen), axis=axis)
            kept[axis] = tuple(int(i) for i in chosen)
        return Held(array, self.axes, self.shape, tuple(kept))
