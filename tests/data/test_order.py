"""The counter-based generator: right, independent of how it is called, and without visible patterns."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from osnowa.data.order import below, draw, draw_rows, key_of, permutation, philox

ONES = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_known_answers_of_philox4x32_10(
    counter: tuple[int, ...], key: tuple[int, int], answer: tuple[int, ...]
) -> None:
    for shape in ((), (1,), (2, 3), (20_000,)):
        numbers = philox(tuple(np.full(shape, part, dtype=np.uint64) for part in counter), key)
        for found, right in zip(numbers, answer, strict=True):
            assert found.shape == shape
            assert (found == right).all()


def test_a_draw_depends_on_its_place_alone_not_on_what_is_drawn_with_it() -> None:
    index, lane = np.arange(150)[:, None] * 977, np.arange(120)  # more than are worked on at once
    together = draw(7, "rows", 3, index, lane)
    for row, column in [(0, 0), (1, 119), (149, 0), (77, 63)]:
        alone = draw(7, "rows", 3, int(index[row, 0]), column)
        assert [int(number[row, column]) for number in together] == [int(number) for number in alone]
    epochs = draw(7, "rows", np.array([2, 3])[:, None], index[:, 0], 5)
    assert np.array_equal(epochs[0][1], together[0][:, 5])
    part = draw(7, "rows", 3, index[100:110], lane[30:33])
    assert np.array_equal(part[2], together[2][100:110, 30:33])


def test_every_part_of_the_place_matters() -> None:
    base = (1, "rows", 2, 3, 4)
    others = [
        (0, "rows", 2, 3, 4),
        (1, "mask", 2, 3, 4),
        (1, "rows", 3, 3, 4),
        (1, "rows", 2, 4, 4),
        (1, "rows", 2, 3, 5),
    ]
    far = [
        (1, "rows", 2, 3 + (1 << 32), 4),
        (1, "rows", 2, 3 + (1 << 62), 4),
        (1, "rows", 3, 2, 4),
        (1, "rows", 4, 3, 2),
    ]
    found = {tuple(int(number) for number in draw(*place)) for place in (base, *others, *far)}
    assert len(found) == 10


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        (0, 0, (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B)),
        (-1, -1, (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0)),
    ],
)
def test_numpys_philox_gives_the_published_known_answers_of_philox4x64_10(
    counter: int, key: int, answer: tuple[int, ...]
) -> None:
    made = np.random.Philox(key=key % 2**128, counter=(counter - 1) % 2**256)
    assert made.random_raw(4).tolist() == list(answer)


def test_the_numbers_of_a_row_are_those_of_its_counters_in_the_sequence_of_its_epoch() -> None:
    low, high = key_of(7, "rows")
    for epoch, number, width in [(0, 0, 8), (3, 5, 6), (2**32 - 1, (9 << 32) + 4, 1), (0, 2**62, 64)]:
        found = draw_rows(7, "rows", np.array([epoch]), np.array([number]), width)
        counters = -(-width // 4)
        counter = (epoch << 128) + number * counters
        made = np.random.Philox(key=high << 32 | low, counter=(counter - 1) % 2**256).random_raw(4 * counters)
        assert found.shape == (1, width)
        assert found[0].tolist() == made[:width].tolist()


def test_the_numbers_of_a_row_do_not_depend_on_the_rows_beside_it() -> None:
    numbers = np.array([4, 5, 6, 7, 9, 8, 3, 4, 5, 6, 1 << 40])
    epochs = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3])
    together = draw_rows(7, "rows", epochs, numbers, 10)
    assert together.shape == (11, 10)
    for row in range(len(numbers)):
        alone = draw_rows(7, "rows", epochs[row : row + 1], numbers[row : row + 1], 10)
        assert np.array_equal(alone[0], together[row])
    assert len(np.unique(together)) == together.size  # rows, epochs and columns share none
    for other in (draw_rows(8, "rows", epochs, numbers, 10), draw_rows(7, "mask", epochs, numbers, 10)):
        assert not np.isin(other, together).any()
    assert draw_rows(7, "rows", epochs[:0], numbers[:0], 10).shape == (0, 10)


def chi_square(one: NDArray[np.uint64], other: NDArray[np.uint64], shift: int) -> float:
    """How far 16 x 16 cells are from equally full, in standard deviations of the statistic."""
    cells = (((one >> np.uint64(shift)) & np.uint64(15)) << np.uint64(4)) | (
        (other >> np.uint64(shift)) & np.uint64(15)
    )
    counts = np.bincount(cells.astype(np.int64), minlength=256)
    expected = len(one) / 256
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return (statistic - 255) / np.sqrt(2 * 255)


def test_seeds_purposes_epochs_lanes_and_outputs_are_independent() -> None:
    index = np.arange(1 << 16)
    streams = [
        draw(1, "rows", 0, index),
        draw(2, "rows", 0, index),
        draw(1, "mask", 0, index),
        draw(1, "rows", 1, index),
        draw(1, "rows", 0, index, 1),
        draw(1, "rows", 0, index + 1),
    ]
    numbers = [*(stream[0] for stream in streams), *streams[0][1:]]
    for one, other in itertools.combinations(numbers, 2):
        for shift in (28, 0):  # the high bits and the low ones
            assert abs(chi_square(one, other, shift)) < 5
        assert abs(np.corrcoef(one.astype(float), other.astype(float))[0, 1]) < 5 / 256


def test_the_two_halves_of_a_rows_numbers_and_those_of_its_neighbours_are_independent() -> None:
    rows = draw_rows(1, "rows", np.zeros(1 << 16, dtype=np.int64), np.arange(1 << 16), 2)
    low, high = rows[:, 0] & np.uint64(ONES), rows[:, 0] >> np.uint64(32)
    other = rows[:, 1] >> np.uint64(32)
    for one, two in [(low, high), (high, other), (high[:-1], high[1:]), (low[:-1], low[1:])]:
        for shift in (28, 0):
            assert abs(chi_square(one, two, shift)) < 5
        assert abs(np.corrcoef(one.astype(float), two.astype(float))[0, 1]) < 5 / 256


def test_numbers_below_a_bound_cover_it_evenly_and_never_leave_it() -> None:
    number = draw(3, "cut", 0, np.arange(70_000))[0]
    counts = np.bincount(below(number, 7), minlength=7)
    assert len(counts) == 7
    assert abs(counts - 10_000).max() < 5 * np.sqrt(10_000)
    edge = np.array([0, ONES], dtype=np.uint64)
    assert below(edge, 1).tolist() == [0, 0]
    assert below(edge, 1 << 20).tolist() == [0, (1 << 20) - 1]
    assert below(edge, np.array([5, 9])).tolist() == [0, 8]


@pytest.mark.parametrize("size", [0, 1, 2, 1000])
def test_a_permutation_holds_each_number_once(size: int) -> None:
    assert np.array_equal(np.sort(permutation(size, 1, "row order", 0)), np.arange(size))


def test_permutations_of_other_epochs_seeds_and_blocks_share_no_order() -> None:
    size = 1000
    orders = [
        permutation(size, *where)
        for where in [(1, "a", 0), (2, "a", 0), (1, "b", 0), (1, "a", 1), (1, "a", 0, 1 << 32)]
    ]
    assert np.array_equal(orders[0], permutation(size, 1, "a", 0))
    for one, other in itertools.combinations([np.arange(size), *orders], 2):
        assert (one == other).sum() < 10  # about 1 fixed point by chance
        assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(size)


def test_keys_are_the_same_in_every_process() -> None:
    assert key_of(0, "rows") == (0x9AA6EE7D, 0x7CE5ACE7)
