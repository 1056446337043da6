"""Axes of a chart: where the ticks stand and how they are written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Scale = Literal["linear", "log"]


@dataclass(frozen=True)
class Axis:
    """A stretch of numbers laid on a stretch of pixels."""

    low: float
    high: float
    start: float
    end: float
    scale: Scale = "linear"

    def place(self, value: float) -> float:
        low, high = self.low, self.high
        if self.scale == "log":
            low, high, value = math.log(low), math.log(high), math.log(max(value, 1e-300))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """At most about `most` round numbers inside the axis."""
        return log_ticks(self.low, self.high, most) if self.scale == "log" else linear_ticks(self.low, self.high, most)


def linear_step(low: float, high: float, most: int) -> float:
    rough = (high - low) / max(1, most)
    magnitude = 10.0 ** math.floor(math.log10(rough))
    return next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= rough * 0.999)


def linear_ticks(low: float, high: float, most: int) -> list[float]:
    step = linear_step(low, high, most)
    first, final = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, final + 1)]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [f * 10.0**d for d in decades for f in factors if low * 0.999 <= f * 10.0**d <= high * 1.001]
        if len(ticks) <= most:
            break
    if len(ticks) > most:
        ticks = ticks[:: math.ceil(len(ticks) / most)]
    return ticks if len(ticks) >= 2 else linear_ticks(low, high, most)


def write_ticks(ticks: list[float], *, percent: bool) -> list[str]:
    """All ticks of one axis with the same number of decimals, as few as tell them apart."""
    values = [100 * tick for tick in ticks] if percent else ticks
    if values and max(abs(value) for value in values) >= 100_000:
        return [
            f"{value / 1e6:g} M" if abs(value) >= 1e6 else f"{value / 1e3:g} k" if value else "0" for value in values
        ]
    if len(values) > 1 and max(values) / (min(values) or math.inf) > 50:  # a log axis: each as short as it can be
        return [f"{value:,.10f}".rstrip("0").rstrip(".") for value in values]
    decimals = next((d for d in range(10) if all(abs(v - round(v, d)) < 1e-9 for v in values)), 9)
    return [f"{value:,.{decimals}f}" for value in values]


def widen(values: list[float], *, scale: Scale, from_zero: bool) -> tuple[float, float]:
    """The stretch an axis should show for `values`: all of them, with some air, never empty."""
    low, high = min(values), max(values)
    if scale == "log":
        return low / 1.15, high * 1.15
    if from_zero and low >= 0:
        return 0.0, (high * 1.08 if high > 1e-30 else 1.0)
    air = (high - low) * 0.06
    if air <= 1e-9 * max(abs(low), abs(high)):  # all the same
        air = max(abs(high) * 0.1, 1e-3)
    return low - air, high + air
