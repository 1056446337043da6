"""Rows: every field, written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from osnowa.data import IS_NEXT, NOT_ASKED, NOT_NEXT, TokenSplit
from osnowa.data.plan import Samples
from osnowa.data.rows import Rows, Specials, write_rows

SPECIALS = Specials(cls=1, sep=2, pad=0)
# The sentences of the source text: "Natura stwarza najpiękniejsze obrazy." and "Bardzo lubię je oglądać."
STORE = np.array([201, 315, 489, 522, 77, 601, 602, 603, 604, 77, 90, 91, 92], dtype=np.uint16)


def samples(*rows: tuple[int, int, int, int, int]) -> Samples:
    return Samples(*np.array(rows, dtype=np.int64).reshape(-1, 5).T)


def split_of_tokens(tokens: np.ndarray) -> TokenSplit:
    """Two documents: the first ends behind five tokens, the second at the end of the store."""
    ends = np.unique([0, min(5, len(tokens)), len(tokens)])
    return TokenSplit(tokens, ends, np.arange(len(ends)), 0)


def write(shown: Samples, counts: list[int], row_length: int, numbers: list[int], epoch: int = 0) -> Rows:
    counted, numbered = np.array(counts, dtype=np.int64), np.array(numbers, dtype=np.int64)
    return write_rows(split_of_tokens(STORE), shown, counted, row_length, SPECIALS, numbered, epoch)


def test_the_pair_of_the_source_text_becomes_its_three_tables() -> None:
    rows = write(samples((0, 5, 5, 5, IS_NEXT)), [1], 13, [0])
    assert rows.tokens.tolist() == [[1, 201, 315, 489, 522, 77, 2, 601, 602, 603, 604, 77, 2]]
    assert rows.segments.tolist() == [[0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]]
    assert rows.positions.tolist() == [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]]
    assert rows.document_ids.tolist() == [[1] * 13]
    assert rows.special.tolist() == [[True, *[False] * 5, True, *[False] * 5, True]]
    assert (rows.first.tolist(), rows.is_next.tolist()) == ([0], [0])


def test_packed_rows_with_pairs_single_spans_and_padding_written_out() -> None:
    shown = samples(
        (0, 2, 10, 1, NOT_NEXT),  # row 0: a random pair,
        (2, 3, 0, 0, NOT_ASKED),  #        a span alone,
        (12, 1, 0, 0, NOT_ASKED),  # row 1: one token,
        (5, 2, 7, 2, NOT_ASKED),  # row 2: a true pair that is not asked,
        (9, 1, 11, 1, IS_NEXT),  #         and one that is (the text of this store says so)
    )
    rows = write(shown, [2, 1, 2], 14, [8, 9, 3], epoch=4)
    assert rows.tokens.tolist() == [
        [1, 201, 315, 2, 90, 2, 1, 489, 522, 77, 2, 0, 0, 0],
        [1, 92, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [1, 601, 602, 2, 603, 604, 2, 1, 77, 2, 91, 2, 0, 0],
    ]
    assert rows.segments.tolist() == [
        [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0],
    ]
    assert rows.positions.tolist() == [
        [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 0, 0, 0],
        [0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 0, 0],
    ]
    assert rows.document_ids.tolist() == [
        [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0],
    ]
    ordinary = [
        [0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0],
    ]
    assert (~rows.special).astype(int).tolist() == ordinary
    assert rows.first.tolist() == [0, 2 * 14 + 7]
    assert rows.is_next.tolist() == [NOT_NEXT, IS_NEXT]
    assert rows.numbers.tolist() == [8, 9, 3]
    assert rows.epochs.tolist() == [4, 4, 4]
    assert rows.num_tokens == 11 + 3 + 12


def test_the_first_and_the_last_token_of_the_store_are_shown() -> None:
    rows = write(samples((0, 13, 0, 0, NOT_ASKED)), [1], 15, [0])
    assert rows.tokens.tolist() == [[1, *STORE.tolist(), 2]]


def test_joined_rows_are_those_written_together() -> None:
    one, other = (0, 2, 2, 3, IS_NEXT), (5, 3, 10, 2, NOT_NEXT)
    together = write(samples(one, other), [1, 1], 10, [4, 5])
    joined = Rows.join([write(samples(one), [1], 10, [4]), write(samples(other), [1], 10, [5])])
    for name in Rows.__dataclass_fields__:
        assert np.array_equal(getattr(together, name), getattr(joined, name)), name


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_no_rows_are_empty_planes(dtype: type) -> None:
    none = np.zeros(0, dtype=np.int64)
    rows = write_rows(split_of_tokens(np.zeros(0, dtype=dtype)), samples(), none, 16, SPECIALS, none, 0)
    assert rows.tokens.shape == rows.special.shape == (0, 16)
    assert len(rows.first) == rows.num_tokens == 0
