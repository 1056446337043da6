"""A chart puts every value where its axis says, and writes ticks that a reader can trust."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from html_page import Node, read_page
from osnowa.runs.chart import MOST_POINTS, Baseline, Chart, Line, draw, spread, thin
from osnowa.runs.chart_axis import Axis, linear_ticks, log_ticks, widen, write_ticks


def drawn(chart: Chart) -> list[Node]:
    return [read_page(svg).one("svg") for svg in draw(chart)]


def make(lines: list[Line], **changes: object) -> Chart:
    given = {"key": "k", "title": "Loss", "unit": "nats", "show": lambda value: f"{value:.2f}", "summary": "falls"}
    return Chart(lines=lines, **{**given, **changes})  # type: ignore[arg-type]


def places(path: Node) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", path.attributes["d"])]


def scale(svg: Node, axis: str) -> list[tuple[float, float]]:
    """(value, pixel) of the ticks of an axis, as they are written and drawn."""
    texts = svg.find("text", class_="axis end" if axis == "y" else "axis")
    shift = 4.0 if axis == "y" else 0.0
    return [
        (float(text.text.replace(",", "")), float(text.attributes[axis]) - shift)
        for text in texts
        if re.fullmatch(r"[\d,.]+", text.text)
    ]


def read_off(value: float, ticks: list[tuple[float, float]]) -> float:
    """The pixel of `value` by a straight line through the first and the last tick."""
    (low, start), (high, end) = ticks[0], ticks[-1]
    return start + (value - low) / (high - low) * (end - start)


def test_points_lie_where_the_ticks_say() -> None:
    points = [(0.0, 9.0), (250.0, 6.5), (1000.0, 4.25), (1900.0, 4.0)]
    for svg in drawn(make([Line("held-out", points, "held")])):
        course = places(svg.one("g", class_="held").one("path", class_="line"))
        for (step, value), (x, y) in zip(points, course, strict=True):
            assert x == pytest.approx(read_off(step, scale(svg, "x")), abs=0.2)
            assert y == pytest.approx(read_off(value, scale(svg, "y")), abs=0.2)


def test_a_baseline_lies_at_its_value_and_is_named() -> None:
    chart = make([Line("held-out", [(0, 0.1), (100, 0.3)], "held")], baselines=[Baseline("always “,”: 6.1 %", 0.061)])
    for svg in drawn(chart):
        ((_, y), (_, other)) = places(svg.one("path", class_="level"))
        assert y == other == pytest.approx(read_off(0.061, scale(svg, "y")), abs=0.2)
        assert svg.one("text", class_="level end").text == "always “,”: 6.1 %"


def test_on_a_log_axis_equal_factors_are_equally_far() -> None:
    points = [(0.0, 8000.0), (1.0, 800.0), (2.0, 80.0)]
    for svg in drawn(make([Line("held-out", points, "held")], scale="log")):
        heights = [y for _, y in places(svg.one("g", class_="held").one("path", class_="line"))]
        assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], abs=0.2)


def test_a_percent_axis_writes_percent() -> None:
    (wide, _) = drawn(make([Line("held-out", [(0, 0.0), (10, 0.3)], "held")], percent=True, from_zero=True))
    assert [value for value, _ in scale(wide, "y")] == [0, 10, 20, 30]


def test_many_points_are_drawn_through_means_with_their_band() -> None:
    points = [(float(step), float(step % 4)) for step in range(1, 4 * MOST_POINTS + 1)]
    curve = thin(points)
    assert curve.group == 4
    assert curve.points[0] == (2.5, 1.5)
    assert curve.band[0] == (2.5, 0.0, 3.0)
    assert len(curve.points) == MOST_POINTS


@pytest.mark.parametrize("count", [1, 2, MOST_POINTS])
def test_few_points_are_drawn_as_they_are(count: int) -> None:
    points = [(float(step), 1.0) for step in range(count)]
    assert thin(points).points == points
    assert not thin(points).band


def test_the_last_value_is_the_logged_one_also_on_a_thinned_line() -> None:
    points = [(float(step), float(step)) for step in range(1, 2 * MOST_POINTS + 1)]
    for svg in drawn(make([Line("train", points, "train")])):
        assert svg.one("text", class_="last train").text == f"{2 * MOST_POINTS:.2f}"


def test_the_pointer_reads_logged_values_at_every_evaluation() -> None:
    held = [(float(step), 9.0 - step / 1000) for step in range(0, 1001, 100)]
    train = [(float(step), 8.0 - step / 1000) for step in range(1, 1001)]
    wide, narrow = drawn(make([Line("held-out", held, "held"), Line("train", train, "train")]))
    told = [strip.one("text").text for strip in wide.find("g", class_="strip")]
    assert "step 500  ·  held-out 8.50  ·  train 7.50" in told
    assert sum("held-out" in words for words in told) == len(held)
    assert not narrow.find("g", class_="strip")


def test_one_point_alone_is_a_dot() -> None:
    for svg in drawn(make([Line("held-out", [(0.0, 9.0)], "held")])):
        assert len(svg.find("circle")) == 1
        assert not svg.find("path", class_="line")


def test_labels_do_not_overlap_nor_leave_the_frame() -> None:
    assert spread([100.0, 101.0, 40.0], 15.0, 20.0, 200.0) == [100.0, 115.0, 40.0]
    assert spread([198.0, 199.0], 15.0, 20.0, 200.0) == [185.0, 200.0]


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 1850, 7, [0, 500, 1000, 1500]),
        (3.7, 9.3, 6, [4, 5, 6, 7, 8, 9]),
        (0, 0.0033, 6, [0, 0.001, 0.002, 0.003]),
        (-0.2, 1.1, 6, [0, 0.5, 1]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, most: int, expected: list[float]) -> None:
    assert linear_ticks(low, high, most) == pytest.approx(expected)


def test_log_ticks_are_round_numbers_in_every_decade() -> None:
    assert log_ticks(52, 9400, 5) == pytest.approx([100, 300, 1000, 3000])
    assert log_ticks(52, 9400, 6) == pytest.approx([100, 200, 500, 1000, 2000, 5000])


@pytest.mark.parametrize(
    ("ticks", "percent", "expected"),
    [
        ([0, 0.001, 0.002], False, ["0.000", "0.001", "0.002"]),
        ([0.1, 0.15, 0.2], True, ["10", "15", "20"]),
        ([0.125, 0.15], True, ["12.5", "15.0"]),
        ([0, 50_000, 100_000], False, ["0", "50 k", "100 k"]),
        ([1, 100, 1000], False, ["1", "100", "1,000"]),
    ],
)
def test_ticks_are_written_with_as_many_digits_as_they_need(
    ticks: list[float], percent: bool, expected: list[str]
) -> None:
    assert write_ticks(ticks, percent=percent) == expected


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=5), st.booleans())
def test_an_axis_holds_all_values_and_has_ticks(values: list[float], from_zero: bool) -> None:
    low, high = widen(values, scale="linear", from_zero=from_zero)
    assert low <= min(values)
    assert high >= max(values)
    ticks = Axis(low, high, 0.0, 100.0).ticks(6)
    assert 2 <= len(ticks) <= 8
    assert all(-1e-6 <= Axis(low, high, 0.0, 100.0).place(tick) <= 100.0 + 1e-6 for tick in ticks)


def test_both_shapes_carry_names_of_their_own(tmp_path: Path) -> None:
    wide, narrow = drawn(make([Line("held-out", [(0, 1.0), (1, 0.5)], "held")]))
    assert wide.attributes["aria-labelledby"] == "k-wide-title k-wide-desc"
    assert narrow.attributes["aria-labelledby"] == "k-narrow-title k-narrow-desc"
    assert wide.one("desc", id="k-wide-desc").text == "falls"
