"""Tallies: adding the parts gives the whole, and the ten examples do not depend on how the work was divided."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from osnowa.corpus.tally import EXAMPLES, Tally, difference, excerpt


def record(tally: Tally, numbers: list[int]) -> Tally:
    for number in numbers:
        tally.enter(number)
        tally.count(tally.dropped, f"rule {number % 3}", 1, number)
        tally.count(tally.removed, "white_space", 1, -number)
        tally.rejected["reason"] = tally.rejected.get("reason", 0) + 1
        tally.show(f"rule {number % 2}", "źródło.txt", number, lambda number=number: {"excerpt": str(number)})  # type: ignore[misc]
    return tally


@given(st.lists(st.integers(0, 1000), unique=True, max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_the_parts_added_are_the_whole(numbers: list[int], first: int, second: int) -> None:
    total = Tally()
    for piece in (numbers[:first], numbers[first:second], numbers[max(first, second) :]):
        total.add(Tally.from_dict(json.loads(json.dumps(record(Tally(), piece).as_dict()))))
    together = numbers[:first] + numbers[first:second] + numbers[max(first, second) :]
    assert total == record(Tally(), together)


def test_ten_examples_stay_from_all_over() -> None:
    tally = record(Tally(), list(range(1000)))
    lines = [int(example["excerpt"]) for _, example in tally.examples["rule 0"]]
    assert len(lines) == EXAMPLES
    assert max(lines) > 500


def test_reasons_without_end_are_counted_together() -> None:
    tally = Tally()
    for number in range(500):
        tally.add(Tally(rejected={f"line {number} is odd": 1}))
    assert sum(tally.rejected.values()) == 500
    assert len(tally.rejected) <= 101


@given(st.text(), st.text(), st.text(), st.text())
def test_a_difference_shows_the_first_place_that_changed(start: str, before: str, after: str, end: str) -> None:
    shown = difference(start + before + end, start + after + end)
    if start + before != start + after:
        assert shown["before"] != shown["after"]
    json.dumps(shown).encode()


def test_a_difference_far_inside_is_shown_with_a_little_around() -> None:
    shown = difference("a" * 10_000 + "ĄB" + "c" * 100, "a" * 10_000 + "ĄC" + "c" * 100)
    assert shown["before"].startswith("a" * 39 + "ĄB")
    assert shown["after"].startswith("a" * 39 + "ĄC")


def test_an_excerpt_is_short_and_can_be_written() -> None:
    assert excerpt("x" * 500) == "x" * 239 + "…"
    assert excerpt("zły \ud800 znak").encode() == b"z\xc5\x82y \\ud800 znak"
