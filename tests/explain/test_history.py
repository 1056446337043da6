"""How it learned: one plane for all snapshots, true neighbours, answers and curves as the run has written them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from osnowa.explain.history import MOST_POINTS, curves, fixed_plane, history
from osnowa.train.snapshots import Asked, Snapshot


def token(index: int) -> str:
    return f"w{index}"


def snapshots(count: int = 4, words: int = 9, width: int = 6) -> list[Snapshot]:
    """Random vectors that move; one sentence that is filled and one that goes on."""
    random = torch.Generator().manual_seed(3)
    base, drift = torch.randn(words, width, generator=random), torch.randn(words, width, generator=random)
    made = []
    for number in range(count):
        attention = torch.full((2, 2, 4, 4), number, dtype=torch.uint8)
        filled = Asked("a [MASK] c", "b", (1, 5, 3, 7), ((5 + number, 0.5), (6, 0.25), (7, 0.125)), None, attention)
        going = Asked("d e", "f", (1, 8), (), f"said {number}", attention[:, :, :2, :2])
        made.append(Snapshot(10 * number, torch.arange(20, 20 + words), base + number * drift, (filled, going)))
    return made


def test_a_run_without_snapshots_has_no_history() -> None:
    assert history([], [], token) is None


def test_the_plane_is_that_of_the_principal_directions_of_all_snapshots_together() -> None:
    vectors = np.stack([each.embeddings.numpy() for each in snapshots()]).astype(np.float64)
    plane, explained = fixed_plane(vectors)
    flat = vectors.reshape(-1, 6) - vectors.reshape(-1, 6).mean(0)
    _, singular, directions = np.linalg.svd(flat, full_matrices=False)  # another way to the same
    assert explained == pytest.approx((singular**2 / (singular**2).sum())[:2].tolist(), rel=1e-9)
    ours = plane.reshape(-1, 2)
    for axis in range(2):
        theirs = flat @ directions[axis]
        sign = np.sign(directions[axis][np.abs(directions[axis]).argmax()])
        np.testing.assert_allclose(ours[:, axis], sign * theirs, atol=1e-9)
    assert ours[:, 0].var() > ours[:, 1].var() > 0


def test_a_word_that_does_not_move_stands_still_on_the_page() -> None:
    still = [replace(each, embeddings=snapshots()[0].embeddings) for each in snapshots()]
    moving = [
        replace(each, embeddings=torch.cat((still[0].embeddings[:1], each.embeddings[1:]))) for each in snapshots()
    ]
    for made, words in ((still, 9), (moving, 1)):
        chapter = history(made, [], token)
        assert chapter is not None
        plane = chapter.tensors["history.plane"]
        assert plane.shape == (4, 9, 2)
        assert plane.dtype == np.float32
        for word in range(words):
            assert np.array_equal(plane[:, word], np.repeat(plane[:1, word], 4, 0))
    assert not np.array_equal(plane[0, 1], plane[1, 1])


def test_neighbours_are_the_nearest_by_cosine_then_and_now() -> None:
    made = snapshots()
    chapter = history(made, [], token)
    assert chapter is not None
    told = chapter.block["probes"]["neighbours"]
    assert (len(told), len(told[0]), len(told[0][0])) == (9, 4, 5)
    for probe in range(9):
        for moment, snapshot in enumerate(made):
            similar = torch.nn.functional.cosine_similarity(snapshot.embeddings[probe], snapshot.embeddings).tolist()
            expected = sorted((each for each in range(9) if each != probe), key=lambda each: -similar[each])[:5]
            assert [each["id"] for each in told[probe][moment]] == [20 + each for each in expected]
            assert [each["cosine"] for each in told[probe][moment]] == pytest.approx(
                [similar[e] for e in expected], abs=1e-6
            )
            assert told[probe][moment][0]["token"] == f"w{20 + expected[0]}"
    assert told[0][0] != told[0][3]


def test_answers_and_pictures_stand_in_the_order_of_the_steps() -> None:
    made = snapshots()
    chapter = history([made[2], made[0], made[3], made[1]], [], token)
    assert chapter is not None
    block = chapter.block
    assert block["steps"] == [0, 10, 20, 30]
    filled, going = block["sentences"]
    assert [each["top"][0] for each in filled["answers"]] == [{"token": f"w{5 + n}", "p": 0.5} for n in range(4)]
    assert [each["text"] for each in going["answers"]] == [f"said {n}" for n in range(4)]
    assert filled["tokens"] == ["w1", "w5", "w3", "w7"]
    assert (filled["text"], filled["answer"]) == ("a [MASK] c", "b")
    picture = chapter.pictures[filled["attention"]]
    assert picture.shape == (4, 2, 2, 4, 4)  # snapshot, layer, head, query, key
    assert picture.dtype == np.uint8
    assert picture[:, 0, 0, 0, 0].tolist() == [0, 1, 2, 3]


def test_snapshots_of_other_words_or_sentences_are_left_out() -> None:
    made = snapshots()
    made[0] = replace(made[0], ids=made[0].ids + 1)
    made[1] = replace(made[1], embeddings=made[1].embeddings[:, :4])
    made[2] = replace(made[2], sentences=made[2].sentences[:1])
    chapter = history(made, [], token)
    assert chapter is not None
    assert chapter.block["steps"] == [30]


def test_curves_are_the_losses_on_what_was_asked_the_latest_word_on_a_step_counts() -> None:
    lines = [
        {"kind": "held_out", "step": 0, "token_loss": 9.0},
        {"kind": "train", "step": 1, "loss": 99.0, "token_loss": 8.0},
        {"kind": "train", "step": 2, "token_loss": 7.0},
        {"kind": "train", "step": 2, "token_loss": 6.5},
        {"kind": "probe", "step": 2, "text": "x"},
        {"kind": "held_out", "step": 2, "token_loss": 7.5},
        {"kind": "train", "step": 3, "token_loss": None},
    ]
    assert curves(lines) == {"step": [1, 2], "train": [8.0, 6.5], "held_out_step": [0, 2], "held_out": [9.0, 7.5]}


def test_a_long_curve_is_thinned_by_means() -> None:
    lines = [{"kind": "train", "step": step, "token_loss": float(step % 2)} for step in range(1, 4001)]
    curve = curves(lines)
    assert len(curve["step"]) == len(curve["train"]) == MOST_POINTS
    assert set(curve["train"]) == {0.5}
    assert curve["step"][0] < curve["step"][-1] <= 4000
