"""The split: by hash, about the share asked for, at least one on either side, stable when the corpus grows (A22)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from osnowa.corpus.split import DROPPED, HELD_OUT, TRAIN, count_overlap, split


def keys(number: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (number, 16), dtype=np.uint8)


def test_about_the_share_is_held_out_and_dropped_documents_are_in_neither() -> None:
    kept = np.arange(20_000) % 4 != 0
    found = split(keys(20_000), kept, 10**6, 0.1).decisions
    assert ((found == DROPPED) == ~kept).all()
    assert abs((found == HELD_OUT).sum() / kept.sum() - 0.1) < 0.01


def test_a_document_keeps_its_side_when_others_come() -> None:
    before = split(keys(1000), np.ones(1000, bool), 10**6, 0.05).decisions
    after = split(np.concatenate([keys(1000), keys(5000, seed=1)]), np.ones(6000, bool), 10**6, 0.05).decisions
    assert (after[:1000] == before).all()


@pytest.mark.parametrize("share", [1e-9, 0.05, 0.5])
@pytest.mark.parametrize("number", [2, 3, 10])
def test_two_documents_or_more_give_both_sides_one(number: int, share: float) -> None:
    for seed in range(20):
        found = split(keys(number, seed), np.ones(number, bool), 10**6, share).decisions
        assert {TRAIN, HELD_OUT} == set(found.tolist())


def test_one_document_trains() -> None:
    for seed in range(20):
        assert split(keys(1, seed), np.ones(1, bool), 10**6, 0.5).decisions.tolist() == [TRAIN]


@pytest.mark.parametrize(("num_bytes", "share"), [(10**6, 0.05), (2 * 10**8, 0.05), (10**9, 0.01), (10**11, 0.0001)])
def test_without_a_share_about_ten_megabytes_are_held_out_at_most(num_bytes: int, share: float) -> None:
    assert split(keys(10), np.ones(10, bool), num_bytes, None).share == pytest.approx(share)


def test_the_overlap_is_counted_not_assumed() -> None:
    four = keys(4)
    twice = np.concatenate([four, four])
    sides = np.array([TRAIN, TRAIN, HELD_OUT, HELD_OUT, HELD_OUT, DROPPED, TRAIN, HELD_OUT], np.uint8)
    assert count_overlap(sides, twice) == 2  # the first and the third of the four stand on both sides
    assert count_overlap(sides[:4], four) == 0
