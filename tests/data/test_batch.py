"""The sequence of rows: the same rows in the same order, however it is read and wherever it is taken up again."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from example_splits import FIRST_ID, document_of, realistic, split_of
from hypothesis import given, settings
from hypothesis import strategies as st

from osnowa.data import IS_NEXT, NOT_NEXT, Place, Plan, Rows, RowSequence, TokenSplit, batch
from osnowa.data.plan import BLOCK_SHIFT, Shape
from osnowa.errors import DataError

SMALL = realistic(3000)


def sequence(split: TokenSplit = SMALL, shape: Shape = "pair", blocks: int = 1, row_length: int = 32) -> RowSequence:
    block_tokens = -(-split.num_tokens // blocks)
    return RowSequence(split, shape, row_length, 1, cls=1, sep=2, pad=0, block_tokens=max(1, block_tokens))


def same(one: Rows, other: Rows) -> None:
    for name in Rows.__dataclass_fields__:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.parametrize("blocks", [1, 3])
@pytest.mark.parametrize("shape", ["single", "pair"])
@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(1, 90), min_size=1, max_size=12))
def test_rows_do_not_depend_on_how_many_are_taken_at_once(shape: Shape, blocks: int, sizes: list[int]) -> None:
    whole, end = sequence(shape=shape, blocks=blocks).take(Place(), sum(sizes))
    rows, place = sequence(shape=shape, blocks=blocks), Place()
    parts = []
    for size in sizes:
        part, place = rows.take(place, size)
        assert part.tokens.shape == (size, 32)
        parts.append(part)
    same(Rows.join(parts), whole)
    assert place == end


@pytest.mark.parametrize("blocks", [1, 3])
def test_any_place_can_be_taken_up_again_by_a_new_process(blocks: int) -> None:
    rows = sequence(blocks=blocks)
    num_rows = 2 * rows.accounting().rows + 10  # over two borders of epochs
    whole, _ = rows.take(Place(), num_rows)
    place, shown = Place(), 0
    while shown < num_rows:
        fresh = sequence(blocks=blocks)
        part, after = fresh.take(place, min(7, num_rows - shown))
        assert part.numbers.tolist() == whole.numbers[shown : shown + 7].tolist()
        assert part.epochs.tolist() == whole.epochs[shown : shown + 7].tolist()
        assert np.array_equal(part.tokens, whole.tokens[shown : shown + 7])
        place, shown = after, shown + 7


@pytest.mark.parametrize("blocks", [1, 4])
@pytest.mark.parametrize("shape", ["single", "pair"])
def test_an_epoch_of_rows_holds_each_token_once(shape: Shape, blocks: int) -> None:
    rows = sequence(shape=shape, blocks=blocks)
    place = Place()
    for epoch in range(2):
        size = rows.accounting(epoch).rows
        shown, place = rows.take(place, size)
        assert (shown.epochs == epoch).all()
        assert len(np.unique(shown.numbers)) == size
        assert np.array_equal(np.sort(shown.tokens[~shown.special]) - FIRST_ID, np.arange(SMALL.num_tokens))
        assert place == Place(epoch + 1, 0, 0)


@pytest.mark.parametrize("blocks", [1, 4])
def test_what_rows_say_is_next_is_next_in_the_text(blocks: int) -> None:
    shown, _ = sequence(blocks=blocks).take(Place(), 300)
    flat, segments = shown.tokens.ravel(), shown.segments.ravel()
    assert set(shown.is_next.tolist()) == {IS_NEXT, NOT_NEXT}
    for first, label in zip(shown.first.tolist(), shown.is_next.tolist(), strict=True):
        assert flat[first] == 1
        b = first + int(np.argmax(segments[first : first + 32]))
        assert (flat[b - 1], segments[b - 1]) == (2, 0)  # the [SEP] of A belongs to A
        last_of_a, first_of_b = flat[b - 2] - FIRST_ID, flat[b] - FIRST_ID
        if label == IS_NEXT:
            assert first_of_b == last_of_a + 1
        else:
            one, other = document_of(SMALL, np.array([last_of_a, first_of_b])).tolist()
            assert one != other


def test_rows_can_be_asked_for_by_number_in_any_order() -> None:
    rows = sequence()
    whole, _ = rows.take(Place(), 20)
    some = rows.rows(0, np.array([7, 3, 3, 19]))
    assert np.array_equal(some.tokens, whole.tokens[[7, 3, 3, 19]])
    assert np.array_equal(some.document_ids, whole.document_ids[[7, 3, 3, 19]])
    assert len(rows.rows(0, np.arange(0)).tokens) == 0


def test_row_numbers_of_blocks_never_meet() -> None:
    rows = sequence(blocks=3)
    shown, _ = rows.take(Place(), rows.accounting().rows)
    assert sorted(set((shown.numbers >> BLOCK_SHIFT).tolist())) == list(range(len(rows.blocks)))
    assert len(set(shown.numbers.tolist())) == len(shown.numbers)
    same(rows.rows(0, shown.numbers[-5:]), rows.take(Place(0, len(rows.plan(0, 2)) - 5, 2), 5)[0])


def test_a_small_corpus_is_one_block() -> None:
    assert len(RowSequence(realistic(), "pair", 64, 1, cls=1, sep=2, pad=0).blocks) == 1


@pytest.mark.parametrize("blocks", [1, 3])
def test_progress_rises_evenly_from_epoch_to_epoch(blocks: int) -> None:
    rows, place, seen = sequence(blocks=blocks), Place(), [0.0]
    while place.epoch < 2:
        _, place = rows.take(place, 10)
        seen.append(rows.progress(place))
    steps = [after - before for before, after in pairwise(seen)]
    assert min(steps) > 0
    assert max(steps) < 2 * min(steps)
    assert 2 <= seen[-1] < 2.2
    assert rows.progress(Place(1, 0)) == 1


def test_the_account_of_blocks_is_that_of_the_epoch() -> None:
    account = sequence(blocks=4).accounting(1)
    assert account.trained == SMALL.num_tokens
    assert account.trained + account.special + account.padded == account.rows * 32


def test_only_the_last_two_plans_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, made = sequence(), []
    real = batch.make_plan

    def watched(*arguments: Any, **options: Any) -> Plan:
        made.append(arguments[4])
        return real(*arguments, **options)

    monkeypatch.setattr(batch, "make_plan", watched)
    for epoch in (0, 1, 0, 2, 0, 1):
        rows.plan(epoch)
    assert made == [0, 1, 2, 1]


def test_rows_of_nothing_are_refused_instead_of_searched_for_ever() -> None:
    rows = sequence(split_of([]))
    assert len(rows.plan(0)) == 0
    with pytest.raises(DataError, match=r"^the corpus: holds no tokens to make rows of; give more text$"):
        rows.take(Place(), 1)
