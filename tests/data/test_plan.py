"""An epoch's plan: everything once, little padding, other rows in other epochs, the same plan everywhere."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from example_splits import corpora, realistic, shown_places, split_of
from hypothesis import given, settings
from hypothesis import strategies as st

from osnowa.data import Plan, TokenSplit, make_plan
from osnowa.data.plan import Shape


def fingerprint(plan: Plan) -> str:
    samples = plan.samples
    arrays = (samples.a_start, samples.a_length, samples.b_start, samples.b_length, samples.label, plan.rows)
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


@settings(max_examples=80, deadline=None)
@given(
    split=corpora, shape=st.sampled_from(["single", "pair"]), row_length=st.integers(8, 200), epoch=st.integers(0, 9)
)
def test_every_token_is_shown_once_in_rows_that_are_not_too_long(
    split: TokenSplit, shape: Shape, row_length: int, epoch: int
) -> None:
    plan = make_plan(split, shape, row_length, 1, epoch)
    assert np.array_equal(shown_places(plan), np.arange(split.num_tokens))
    assert plan.rows[0] == 0
    assert plan.rows[-1] == len(plan.samples)
    assert (np.diff(plan.rows) > 0).all()
    if len(plan):
        assert np.add.reduceat(plan.samples.length, plan.rows[:-1]).max() <= row_length


def test_an_empty_split_has_no_rows() -> None:
    for shape in ("single", "pair"):
        assert len(make_plan(split_of([]), shape, 64, 1, 0)) == 0


@pytest.mark.parametrize("shape", ["single", "pair"])
@pytest.mark.parametrize("row_length", [64, 128, 256, 512])
def test_little_of_a_realistic_epoch_is_padding(shape: Shape, row_length: int) -> None:
    account = make_plan(realistic(), shape, row_length, 1, 0).accounting()
    assert account.padded < 0.03 * account.rows * row_length


@pytest.mark.parametrize("shape", ["single", "pair"])
def test_the_account_of_an_epoch_adds_up_to_every_place(shape: Shape) -> None:
    split = realistic()
    plan = make_plan(split, shape, 128, 1, 0)
    account = plan.accounting()
    assert account.rows == len(plan)
    assert account.trained == split.num_tokens
    with_b = int((plan.samples.b_length > 0).sum())
    assert account.special == 2 * len(plan.samples) + with_b
    assert account.trained + account.special + account.padded == account.rows * 128
    assert account.is_next + account.not_next + account.not_asked == len(plan.samples)
    assert account.is_next == account.not_next
    assert (account.is_next > 0) == (shape == "pair")
    assert (account + account).padded == 2 * account.padded


@pytest.mark.parametrize("shape", ["single", "pair"])
def test_epochs_and_seeds_differ_in_cuts_and_in_order(shape: Shape) -> None:
    split = realistic()
    plans = [make_plan(split, shape, 128, *where) for where in [(1, 0), (1, 1), (2, 0)]]
    for one, other in [(0, 1), (0, 2), (1, 2)]:
        starts = [set(plan.samples.a_start.tolist()) for plan in (plans[one], plans[other])]
        assert len(starts[0] & starts[1]) < 0.5 * len(starts[0])  # documents that fit a row begin alike
        first = [plan.samples.a_start[plan.rows[: len(plan) // 2]] for plan in (plans[one], plans[other])]
        assert len(set(first[0].tolist()) & set(first[1].tolist())) < 0.3 * len(first[0])


def test_rows_come_in_random_order_not_in_that_of_the_text_or_of_their_lengths() -> None:
    plan = make_plan(realistic(), "pair", 128, 1, 0)
    first = plan.samples.a_start[plan.rows[:-1]]
    filled = np.add.reduceat(plan.samples.length, plan.rows[:-1])
    numbers = np.arange(len(plan))
    for figure in (first, filled, np.diff(plan.rows)):
        assert abs(np.corrcoef(numbers, figure)[0, 1]) < 5 / np.sqrt(len(plan))


@pytest.mark.parametrize("shape", ["single", "pair"])
def test_a_plan_is_the_same_in_a_fresh_process(shape: Shape) -> None:
    here = fingerprint(make_plan(realistic(20_000), shape, 64, 5, 3))
    code = (
        "import test_plan as t; from example_splits import realistic; from osnowa.data import make_plan; "
        f"print(t.fingerprint(make_plan(realistic(20_000), {shape!r}, 64, 5, 3)))"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == here


def test_a_plan_in_memory_and_one_over_mapped_files_are_the_same(tmp_path: Path) -> None:
    split = realistic(20_000)
    mapped = []
    for name, array in (("tokens", split.tokens), ("sentences", split.sentences), ("documents", split.documents)):
        array.tofile(tmp_path / name)
        mapped.append(np.memmap(tmp_path / name, array.dtype, mode="r"))
    over_files = TokenSplit(mapped[0], mapped[1], mapped[2], 0)
    assert fingerprint(make_plan(over_files, "pair", 64, 1, 0)) == fingerprint(make_plan(split, "pair", 64, 1, 0))


def test_rows_that_are_the_same_in_each_epoch_come_in_another_order() -> None:
    split = split_of([[length] for length in range(200, 400)])  # no two fit one row, no two are equally long
    orders = [
        make_plan(split, "single", 399 + 2, seed, epoch).samples.a_start for seed, epoch in [(1, 0), (1, 1), (2, 0)]
    ]
    for one, other in [(0, 1), (0, 2), (1, 2)]:
        assert set(orders[one].tolist()) == set(orders[other].tolist())
        assert (orders[one] == orders[other]).mean() < 0.05
