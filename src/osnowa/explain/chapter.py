"""A chapter of the page: its block of the index, the tensors that the block names, and the steps between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Chapter:
    """What one part of the page is made from.

    `block` is plain JSON; `tensors` are float32 by name, `axes` names the axes of each; `steps` say which tensor is
    computed from which, in the order of computation; `pictures` are bytes, quantised as `as_bytes` does.
    """

    block: dict[str, Any]
    tensors: dict[str, F32] = field(default_factory=dict)
    axes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, U8] = field(default_factory=dict)

    def add(self, name: str, values: object, axes: str) -> str:
        """Keep a tensor under `name`, its axes written as "query key"; the name."""
        array = np.ascontiguousarray(values, dtype=np.float32)
        self.axes[name] = tuple(axes.split())
        assert array.ndim == len(self.axes[name]), f"{name} has shape {array.shape} and axes {axes}"
        self.tensors[name] = array
        return name

    def step(self, op: str, out: str, inputs: list[str], part: str, **attrs: object) -> None:
        """`out` is what `op` makes of `inputs`."""
        self.steps.append({"op": op, "out": out, "in": inputs, "attrs": attrs, "part": part})
