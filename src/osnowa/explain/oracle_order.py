"""The oracle's account of order: who may look at whom, how heads are turned, what distance adds; NumPy alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Named = Iterator[tuple[str, Numbers]]


class Around:
    """What positions alone decide: who may look at whom, how heads are turned, what distance adds to scores."""

    def __init__(
        self, config: Mapping[str, Any], width: int, side: str, ids: Sequence[int], prefix: int, table: Numbers | None
    ) -> None:
        """`table` [kind of distance, head] is that of relative positions, None elsewhere."""
        self.c, self.side, self.length, self.prefix, self.width = config, side, len(ids), prefix, width
        self.bias: Numbers | None = None
        place = np.arange(self.length)
        self.gap = place[:, None] - place[None, :]  # how far the key stands before the query
        if table is not None:
            self.kinds = np.array([[self.kind(int(gap)) for gap in row] for row in self.gap])
            self.bias = np.moveaxis(table[self.kinds], -1, 0)

    def tensors(self) -> Named:
        """Under the names that the trace has."""
        c, side = self.c, self.side
        for number, window in enumerate(dict.fromkeys(c["windows"])):
            seen = self.near(window)
            if not seen.all():
                yield f"{side}.visible.{number}", seen.astype(np.float64)
        if c["position"] == "rotary":
            made: list[tuple[float, float]] = []
            for layer in range(len(c["rotary_bases"]) * len(c["rotary_factors"])):
                if self.turn(layer) not in made:
                    made.append(self.turn(layer))
                    angle = self.angle(*self.turn(layer))
                    yield f"{side}.cos.{len(made) - 1}", np.hstack((np.cos(angle), np.cos(angle)))
                    yield f"{side}.sin.{len(made) - 1}", np.hstack((-np.sin(angle), np.sin(angle)))
        if self.bias is not None:
            yield f"{side}.kinds", self.kinds.astype(np.float64)
            yield f"{side}.bias", self.bias

    def near(self, window: int | None) -> NDArray[np.bool_]:
        seen = np.ones_like(self.gap, dtype=bool)
        if self.side == "dec":
            seen = self.gap >= 0
            seen[:, : self.prefix] = True
        return seen if window is None else seen & (np.abs(self.gap) < window)

    def seen(self, layer: int) -> NDArray[np.bool_]:
        return self.near(self.c["windows"][layer % len(self.c["windows"])])

    def turn(self, layer: int) -> tuple[float, float]:
        bases, factors = self.c["rotary_bases"], self.c["rotary_factors"]
        return bases[layer % len(bases)], factors[layer % len(factors)]

    def angle(self, base: float, factor: float) -> Numbers:
        """[seq, d_head / 2] radians."""
        rate = np.array([base ** (-2 * i / self.width) for i in range(self.width // 2)]) / factor
        if self.c["rotary_stretch"] is not None:
            slower, low, high, old = self.c["rotary_stretch"]
            for i, each in enumerate(rate):
                fast = min(1.0, max(0.0, (old * each / (2 * math.pi) - low) / (high - low)))
                rate[i] = fast * each + (1 - fast) * each / slower
        return np.outer(np.arange(self.length), rate)

    def turned(self, heads: Numbers, layer: int) -> Numbers:
        """Pairs half a head apart as complex numbers, turned by the angle of their place."""
        half = self.width // 2
        pairs = heads[..., :half] + 1j * heads[..., half:]
        pairs = pairs * np.exp(1j * self.angle(*self.turn(layer)))
        return np.concatenate((pairs.real, pairs.imag), -1)

    def kind(self, gap: int) -> int:
        """The kind of distance of a key that stands `gap` before the query (Raffel et al. 2020, 2.1)."""
        kinds, side = self.c["relative_buckets"], 0
        if self.side == "dec":
            far = max(gap, 0)
        else:
            kinds //= 2
            side, far = (kinds if gap < 0 else 0), abs(gap)
        exact = kinds // 2
        if far < exact:
            return side + far
        share = math.log(far / exact) / math.log(self.c["relative_furthest"] / exact)
        return side + min(kinds - 1, exact + int(share * (kinds - exact) + 1e-6))
