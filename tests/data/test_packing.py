"""Packing: every sample in one row, no row too full, few rows."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from osnowa.data.packing import pack


def packed(lengths: list[int], row_length: int, seed: int = 0) -> list[list[int]]:
    tie = np.random.default_rng(seed).integers(0, 1 << 32, len(lengths), dtype=np.uint64)
    members, rows = pack(np.array(lengths, dtype=np.int64), row_length, tie)
    return [members[a:b].tolist() for a, b in itertools.pairwise(rows)]


@settings(max_examples=200, deadline=None)
@given(data=st.data(), row_length=st.integers(3, 60))
def test_each_sample_is_in_one_row_and_no_row_is_too_full(data: st.DataObject, row_length: int) -> None:
    lengths = data.draw(st.lists(st.integers(1, row_length), max_size=60))
    rows = packed(lengths, row_length)
    assert sorted(sample for row in rows for sample in row) == list(range(len(lengths)))
    totals = [sum(lengths[sample] for sample in row) for row in rows]
    assert all(0 < total <= row_length for total in totals)
    # no two rows could have been one
    assert all(a + b > row_length for i, a in enumerate(totals) for b in totals[:i])


@settings(max_examples=200, deadline=None)
@given(data=st.data(), row_length=st.integers(2, 60))
def test_each_sample_goes_where_the_least_room_is_left_the_longest_first(data: st.DataObject, row_length: int) -> None:
    lengths = data.draw(st.lists(st.integers(1, row_length), max_size=60))
    rooms: list[int] = []
    for length in sorted(lengths, reverse=True):
        room = min((room for room in rooms if room >= length), default=None)
        if room is not None:
            rooms.remove(room)
        rooms.append((row_length if room is None else room) - length)
    found = [row_length - sum(lengths[sample] for sample in row) for row in packed(lengths, row_length)]
    assert sorted(found) == sorted(rooms)


def test_rows_are_filled_to_the_last_place_where_that_is_possible() -> None:
    assert len(packed([5, 3, 4, 4, 3, 5, 8], 8)) == 4
    assert len(packed([7, 3], 10)) == 1
    assert len(packed([15, 12, 5, 4, 4], 20)) == 2  # the 5 belongs to the 15, where it fits best
    assert len(packed([6] * 10 + [4] * 10, 10)) == 10


def test_which_samples_of_equal_length_share_a_row_is_chance() -> None:
    rows = [{frozenset(row) for row in packed([10] * 100, 20, seed)} for seed in (1, 2)]
    assert len(rows[0] & rows[1]) < 10


def test_nothing_is_packed_into_no_rows() -> None:
    assert packed([], 16) == []
