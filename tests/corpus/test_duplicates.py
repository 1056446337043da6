"""Duplicates: the first one stays, what is dropped has a likeness that is kept, different documents stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from osnowa.corpus.duplicates import NONE, Signatures, band_keys, find_exact, find_near, num_rows
from osnowa.corpus.parts import write_part
from osnowa.corpus.shingles import NUM_HASHES

Rows = npt.NDArray[np.uint32]


def keys(*numbers: int) -> npt.NDArray[np.uint8]:
    return np.array([number.to_bytes(16, "big") for number in numbers]).view(np.uint8).reshape(-1, 16)


def store(folder: Path, rows: Rows, similarity: float = 0.8, cuts: tuple[int, ...] = ()) -> Signatures:
    pieces = np.split(rows, cuts)
    paths = [folder / f"{number}.safetensors" for number in range(len(pieces))]
    for path, piece in zip(paths, pieces, strict=True):
        write_part(path, {"signatures": piece, "bands": band_keys(piece, similarity)}, {}, "work")
    return Signatures(paths, [len(piece) for piece in pieces])


def vary(row: npt.NDArray[np.uint32], places: int, seed: int) -> npt.NDArray[np.uint32]:
    """A signature that differs from `row` in so many places."""
    rng = np.random.default_rng(seed)
    varied = row.copy()
    varied[rng.permutation(NUM_HASHES)[:places]] ^= np.uint32(1)
    return varied


def draw(number: int, seed: int = 0) -> Rows:
    return np.random.default_rng(seed).integers(0, 2**32, (number, NUM_HASHES), dtype=np.uint32)


def test_each_exact_duplicate_points_to_the_first() -> None:
    of = find_exact(keys(5, 2**100, 5, 2**64, 5, 2**100, 0), np.ones(7, bool))
    assert of.tolist() == [NONE, NONE, 0, NONE, 0, 1, NONE]


def test_documents_that_are_gone_are_nobodys_first() -> None:
    alive = np.array([False, True, True, False, True])
    assert find_exact(keys(5, 5, 7, 7, 5), alive).tolist() == [NONE, NONE, NONE, NONE, 1]
    assert find_exact(keys(), np.ones(0, bool)).tolist() == []


@pytest.mark.parametrize("cuts", [(), (3,), (1, 2, 2, 5)])
def test_near_duplicates_are_found_across_parts(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    rows = draw(6)
    rows[3] = vary(rows[1], 10, seed=1)
    rows[5] = vary(rows[1], 20, seed=2)
    found = find_near(store(tmp_path, rows, cuts=cuts), np.ones(6, bool), 0.8)
    assert found.tolist() == [NONE, NONE, NONE, 1, NONE, 1]


def test_less_alike_than_asked_is_different(tmp_path: Path) -> None:
    rows = draw(2)
    rows[1] = vary(rows[0], 26, seed=0)  # 102 of 128 places: 0.797
    assert (find_near(store(tmp_path, rows), np.ones(2, bool), 0.8) == NONE).all()
    rows[1] = vary(rows[0], 25, seed=0)
    assert find_near(store(tmp_path, rows), np.ones(2, bool), 0.8).tolist() == [NONE, 0]


def test_a_chain_of_small_changes_does_not_swallow_what_differs(tmp_path: Path) -> None:
    """Each is like its neighbours; the third is unlike the first, so it stays when the second is gone."""
    rows = np.stack([draw(1)[0]] * 5)
    for number in range(1, 5):
        rows[number:, 16 * number : 16 * number + 16] ^= np.uint32(number)
    found = find_near(store(tmp_path, rows), np.ones(5, bool), 0.8)
    assert found.tolist() == [NONE, 0, NONE, 2, NONE]


def test_every_dropped_document_is_like_an_earlier_one_that_is_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = np.concatenate(
        [draw(150, seed=4), np.stack([vary(row, 30, 9) for row in np.repeat(draw(4, seed=5), 40, axis=0)])]
    )
    for number in range(150, len(rows)):
        rows[number] = vary(rows[number], int(rng.integers(0, 30)), number)
    rows = rows[rng.permutation(len(rows))]
    found = find_near(store(tmp_path, rows, cuts=(100, 200)), np.ones(len(rows), bool), 0.8)
    dropped = np.flatnonzero(found != NONE)
    assert len(dropped) > 20
    assert (found[found[dropped]] == NONE).all()
    assert (found[dropped] < dropped).all()
    assert ((rows[dropped] == rows[found[dropped]]).mean(axis=1) >= 0.8).all()
    kept = rows[found == NONE]
    alike = [(kept[row] == kept[row + 1 :]).mean(axis=1).max(initial=0) for row in range(len(kept))]
    assert sum(share >= 0.8 for share in alike) <= 2  # pairs at the very edge may share no band


def test_a_pair_is_found_in_the_shadow_of_a_third_document(tmp_path: Path) -> None:
    """It shares bands only where the first document does too, which is not like enough to either."""
    rows = np.stack([draw(1)[0]] * 3)
    rows[1:, :30] = draw(1, seed=1)[0, :30]
    rows[2, [0, 6, 12, 18, 24]] ^= np.uint32(1)
    assert find_near(store(tmp_path, rows), np.ones(3, bool), 0.8).tolist() == [NONE, NONE, 1]


def test_documents_that_do_not_take_part_are_left_alone(tmp_path: Path) -> None:
    rows = np.stack([draw(1)[0]] * 3)
    assert find_near(store(tmp_path, rows), np.array([False, True, True]), 0.8).tolist() == [NONE, NONE, 1]


@pytest.mark.parametrize("similarity", [0.5, 0.7, 0.8, 0.9, 1.0])
def test_bands_find_99_of_100_pairs_as_alike_as_asked(similarity: float) -> None:
    rows = num_rows(similarity)
    rng = np.random.default_rng(1)
    left = draw(1000, seed=7)
    right = np.where(rng.random(left.shape) < similarity, left, left ^ np.uint32(1))
    shared = (band_keys(left, similarity) == band_keys(right, similarity)).any(axis=0).mean()
    assert shared >= 0.98, f"{rows} rows"
    strangers = band_keys(draw(1000, seed=8), similarity)
    assert not (strangers == band_keys(left, similarity)).any()
