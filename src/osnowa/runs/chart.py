"""Line charts as SVG: axes, dashed baselines, the last value written beside its line, values under the pointer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from osnowa.runs.chart_axis import Axis, Scale, widen, write_ticks
from osnowa.runs.report_data import Point
from osnowa.runs.report_html import Html, element

Role = Literal["held", "train", "plain"]  # the class that gives a line its colour
_PLAIN, _BOLD = 0.62, 0.7  # width of a letter in font sizes, of the widest common fonts
MOST_POINTS = 240  # a line with more is drawn through means of neighbours, with a band from lowest to highest


@dataclass(frozen=True)
class Line:
    """One curve; `points` are (step, value)."""

    name: str
    points: list[Point]
    role: Role = "plain"


@dataclass(frozen=True)
class Baseline:
    """A dashed level to compare with."""

    name: str
    value: float


@dataclass(frozen=True)
class Chart:
    """What is drawn; `show` writes one value, `summary` says the whole chart in words."""

    key: str
    title: str
    unit: str
    lines: list[Line]
    show: Callable[[float], str]
    summary: str
    baselines: list[Baseline] = field(default_factory=list)
    scale: Scale = "linear"
    from_zero: bool = False
    percent: bool = False


@dataclass(frozen=True)
class Shape:
    """The size of one drawing in pixels, and what it has room for."""

    name: str
    width: int
    height: int
    font: float
    names: bool  # whether a line's name stands beside its last value
    hover: int  # places where the pointer shows values


SHAPES = (Shape("wide", 640, 340, 12, True, 40), Shape("narrow", 360, 250, 12, False, 0))


@dataclass(frozen=True)
class Curve:
    """A line thinned for drawing: a point per group of `group` logged values."""

    points: list[Point]
    band: list[tuple[float, float, float]]
    group: int


def thin(points: list[Point], most: int = MOST_POINTS) -> Curve:
    """All points, or means of as many neighbours as leave `most`, with the lowest and highest of each group."""
    group = math.ceil(len(points) / most) or 1
    if group == 1:
        return Curve(points, [], 1)
    parts = [points[place : place + group] for place in range(0, len(points), group)]
    middle = [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]
    band = [(x, min(y for _, y in part), max(y for _, y in part)) for (x, _), part in zip(middle, parts, strict=True)]
    return Curve(middle, band, group)


def draw(chart: Chart) -> list[Html]:
    """The chart in each of `SHAPES`; the page shows the one that fits the screen."""
    return [_Drawing(chart, shape).svg() for shape in SHAPES]


class _Drawing:
    def __init__(self, chart: Chart, shape: Shape) -> None:
        self.chart, self.shape = chart, shape
        self.curves = [(line, thin(line.points)) for line in chart.lines if line.points]
        self.labels = [self._label(line) for line, _ in self.curves]
        heights = [level.value for level in chart.baselines]
        heights += [y for _, curve in self.curves for _, y in curve.points]
        low, high = widen(heights + self._bands(heights), scale=chart.scale, from_zero=chart.from_zero)
        steps = [x for line in chart.lines for x, _ in line.points]
        first, final = min(steps), max(steps)
        first = min(first, 0.0) if first <= 0.1 * final else first  # a log that begins at step 10 is drawn from 0
        self.top, self.bottom = 24.0, shape.height - 40.0
        right = shape.width - 8.0 - max(len(label) for label in self.labels) * shape.font * _BOLD
        # The tick labels need the y axis, and the y axis needs only the heights.
        self.y = Axis(low, high, self.bottom, self.top, chart.scale)
        self.y_ticks = self.y.ticks(6 if shape.height > 260 else 5)
        self.y_words = write_ticks(self.y_ticks, percent=chart.percent)
        left = 12.0 + max((len(word) for word in self.y_words), default=1) * shape.font * _PLAIN
        self.x = Axis(first, final if final > first else first + 1, left, right)

    def _bands(self, heights: list[float]) -> list[float]:
        """The ends of the bands, unless a few wild values would press the curves flat: then they leave the frame."""
        ends = [y for _, curve in self.curves for _, low, high in curve.band for y in (low, high)]
        return ends if ends and max(ends) - min(ends) < 2.5 * (max(heights) - min(heights)) else []

    def _label(self, line: Line) -> str:
        value = self.chart.show(line.points[-1][1])  # as logged, also where the line is drawn through means
        return f"{line.name} {value}" if self.shape.names and len(self.curves) > 1 else value

    def svg(self) -> Html:
        chart, shape = self.chart, self.shape
        name = f"{chart.key}-{shape.name}"
        return element(
            "svg",
            element("title", f"{chart.title} by step", id=f"{name}-title"),
            element("desc", chart.summary, id=f"{name}-desc"),
            self._frame(),
            self._levels(),
            [self._curve(line, curve) for line, curve in self.curves],
            self._last_values(),
            self._hover(),
            viewBox=f"0 0 {shape.width} {shape.height}",
            class_=f"chart {shape.name}",
            role="img",
            aria_labelledby=f"{name}-title {name}-desc",
        )

    def _frame(self) -> list[Html]:
        left, right = self.x.start, self.x.end
        parts = [text(self.chart.unit, left, 12, "axis start")]
        for tick, word in zip(self.y_ticks, self.y_words, strict=True):
            y = self.y.place(tick)
            parts += [path([(left, y), (right, y)], "grid"), text(word, left - 6, y + 4, "axis end")]
        x_ticks = [tick for tick in self.x.ticks(7 if self.shape.names else 4) if tick == int(tick)]
        parts.append(path([(left, self.bottom), (right, self.bottom)], "rule"))
        for tick, word in zip(x_ticks, write_ticks(x_ticks, percent=False), strict=True):
            x = self.x.place(tick)
            parts += [path([(x, self.bottom), (x, self.bottom + 4)], "rule"), text(word, x, self.bottom + 18, "axis")]
        parts.append(text("step", (left + right) / 2, self.shape.height - 4.0, "axis"))
        return parts

    def _levels(self) -> list[Html]:
        parts = []
        for level in self.chart.baselines:
            y = self.y.place(level.value)
            parts.append(path([(self.x.start, y), (self.x.end, y)], "level"))
            parts.append(text(level.name, self.x.end - 4, y - 5 if y > self.top + 16 else y + 14, "level end"))
        return parts

    def _curve(self, line: Line, curve: Curve) -> Html:
        spots = [(self.x.place(x), self.y.place(y)) for x, y in curve.points]
        within = range(int(self.top), int(self.bottom) + 1)
        upper = [(self.x.place(x), max(self.y.place(high), within.start)) for x, _, high in curve.band]
        lower = [(self.x.place(x), min(self.y.place(low), within.stop)) for x, low, _ in curve.band]
        dots = len(spots) <= 60 and line.role != "train"
        return element(
            "g",
            path(upper + lower[::-1], "band", closed=True) if curve.band else None,
            path(spots, "line") if len(spots) > 1 else None,
            [
                element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="2.4")
                for x, y in (spots if dots or len(spots) == 1 else [])
            ],
            class_=line.role,
        )

    def _last_values(self) -> list[Html]:
        ends = [self.y.place(curve.points[-1][1]) for _, curve in self.curves]
        heights = spread(ends, 1.25 * self.shape.font, self.top, self.bottom)
        return [
            text(label, self.x.end + 7, y + 4, f"last {line.role}")
            for label, y, (line, _) in zip(self.labels, heights, self.curves, strict=True)
        ]

    def _hover(self) -> list[Html]:
        """Strips over the plot; the one under the pointer shows the logged values at its step."""
        logged = [(line.name, dict(line.points)) for line in self.chart.lines]
        fewest = min((points for _, points in logged), key=len)
        steps = sorted({step for _, points in logged for step in points})
        if not self.shape.hover or len(steps) < 2:
            return []
        # All steps of the line with the fewest points, if they fit: there every line has a value.
        anchors = {steps[round(place)] for place in spaced(len(steps) - 1, max(2, self.shape.hover - len(fewest)))}
        chosen = sorted(anchors | set(fewest) if len(fewest) <= self.shape.hover else anchors)
        places = [self.x.place(step) for step in chosen]
        edges = [self.x.start, *((a + b) / 2 for a, b in itertools.pairwise(places)), self.x.end]
        strips = []
        for step, place, start, end in zip(chosen, places, edges, edges[1:], strict=False):
            told = [f"{name} {self.chart.show(points[step])}" for name, points in logged if step in points]
            strips.append(
                element(
                    "g",
                    element("rect", x=f"{start:.1f}", y="0", width=f"{end - start:.1f}", height=f"{self.bottom:.0f}"),
                    path([(place, self.top), (place, self.bottom)], "rule"),
                    text("  ·  ".join([f"step {step:,.0f}", *told]), self.x.end, 12, "end"),
                    class_="strip",
                )
            )
        return [element("g", strips, aria_hidden="true")]


def spaced(final: int, count: int) -> list[float]:
    """`count` numbers from 0 to `final`, evenly, none twice when rounded."""
    count = min(count, final + 1)
    return [final * place / (count - 1) for place in range(count)] if count > 1 else [0.0]


def spread(heights: Sequence[float], gap: float, top: float, bottom: float) -> list[float]:
    """Heights moved apart as little as needed, so that labels on them don't overlap."""
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    moved = [heights[place] for place in order]
    for place in range(1, len(moved)):
        moved[place] = max(moved[place], moved[place - 1] + gap)
    overflow = max(0.0, moved[-1] - bottom) if moved else 0.0
    moved = [max(top, height - overflow) for height in moved]
    result = [0.0] * len(heights)
    for place, height in zip(order, moved, strict=True):
        result[place] = height
    return result


def path(spots: Sequence[Point], class_: str, *, closed: bool = False) -> Html:
    course = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots) + ("Z" if closed else "")
    return element("path", d=course, class_=class_)


def text(words: str, x: float, y: float, class_: str) -> Html:
    return element("text", words, x=f"{x:.1f}", y=f"{y:.1f}", class_=class_)
