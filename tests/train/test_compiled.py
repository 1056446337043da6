"""A compiled step: the same losses and weights, few graphs, batches of one size, and batches drawn ahead."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch

from osnowa.data import Place
from osnowa.errors import DataError, SettingsError
from osnowa.model.cross_entropy import IGNORED
from osnowa.runs.recipe import Recipe
from osnowa.train import compiled
from osnowa.train.compiled import Ahead, choose_compiled, fill
from osnowa.train.loop import Trainer
from small_training import make_trainer
from unchecked import unchecked


@pytest.mark.parametrize("case", ["step", "step_by_blocks"])
def test_a_compiled_step_learns_the_same_and_is_compiled_once_for_nearly_all_batches(case: str) -> None:
    found = unchecked(case)
    for eager, whole in found["losses"] + found["norms"]:
        assert whole == pytest.approx(eager, rel=1e-5)
    assert all(eager == whole for eager, whole in found["tokens"])
    assert found["weights"] < 1e-5
    assert found["breaks"] == 0
    assert found["graphs"] <= 3, "sizes of batches differ"


def first_batch(trainer: Trainer, step: int = 1) -> Any:
    batches, _ = trainer.draw(step, Place())
    return batches[0]


def test_a_batch_is_filled_with_rows_and_answers_that_do_not_count() -> None:
    trainer = make_trainer()
    batch = first_batch(trainer)
    filled = fill(batch, 6, 0.3)
    assert filled.tokens.shape == (6, 32)
    assert len(filled.labels) == len(filled.selected) == 6 * round(0.3 * 32)
    assert len(filled.first) == len(filled.is_next) == 6
    assert (filled.num_asked, filled.num_pairs, filled.num_tokens) == (
        len(batch.labels),
        len(batch.first),
        batch.num_tokens,
    )
    assert (filled.labels == IGNORED).sum() == len(filled.labels) - len(batch.labels)
    trainer.model.double()
    one, other = (trainer.objective.outcome(trainer.model, each) for each in (batch, filled))
    assert other.token_loss.item() == pytest.approx(one.token_loss.item(), rel=1e-12)
    assert other.next_sentence_loss.item() == pytest.approx(one.next_sentence_loss.item(), rel=1e-12)
    gradients = [
        torch.autograd.grad(each.token_loss + each.next_sentence_loss, list(trainer.model.parameters()))
        for each in (one, other)
    ]
    for left, right in zip(*gradients, strict=True):
        torch.testing.assert_close(right, left, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("asked", "expected"), [(1, 24), (24, 24), (25, 48), (190, 192), (192, 192)])
def test_where_any_number_is_asked_the_size_is_a_few_eighths_of_the_places(asked: int, expected: int) -> None:
    batch = first_batch(make_trainer())
    some = batch.map(lambda tensor: tensor)
    object.__setattr__(some, "labels", torch.zeros(asked, dtype=torch.long))
    object.__setattr__(some, "selected", torch.zeros(asked, dtype=torch.long))
    assert len(fill(some, 6, None).labels) == expected


def test_batches_drawn_ahead_are_those_that_would_have_been_drawn() -> None:
    trainer = make_trainer(steps=50)
    ahead, place, threads = (
        Ahead(lambda *at: (threads.append(threading.get_ident()), trainer.draw(*at))[1]),
        Place(),
        [],
    )
    for step in range(1, 30):
        (expected, after), (found, then) = make_trainer(steps=50).draw(step, place), ahead(step, place)
        assert after == then
        for one, other in zip(expected, found, strict=True):
            assert torch.equal(one.tokens, other.tokens)
            assert torch.equal(one.labels, other.labels)
        place = after
    assert threading.get_ident() == threads[0]
    assert set(threads[1:]) - {threads[0]}, "nothing was drawn beside the step"
    elsewhere, _ = ahead(4, Place(0, 3))  # a rollback: what was drawn ahead is not it
    assert torch.equal(elsewhere[0].tokens, trainer.draw(4, Place(0, 3))[0][0].tokens)


def test_what_goes_wrong_ahead_is_told_at_its_step() -> None:
    def draw(step: int, place: Place) -> Any:
        if step == 2:
            raise DataError("here", "is wrong", "mend it")
        return [], place

    ahead = Ahead(draw)
    ahead(1, Place())
    with pytest.raises(DataError, match="here: is wrong; mend it"):
        ahead(2, Place())


def test_a_growing_batch_is_drawn_ahead_with_its_own_number_of_rows() -> None:
    trainer = make_trainer(steps=10, batch_rows=8, micro_rows=8, ramp_share=1.0, ramp_rows=2)
    ahead, place = Ahead(trainer.draw), Place()
    sizes = []
    for step in range(1, 11):
        batches, place = ahead(step, place)
        sizes.append(sum(len(batch.tokens) for batch in batches))
    assert sizes == [trainer.config.rows_at(step, 10) for step in range(1, 11)]
    assert sizes[0] == 2


def test_auto_compiles_on_a_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    monkeypatch.setattr(compiled.importlib.util, "find_spec", lambda _name: object())
    assert (choose_compiled("auto", cpu), choose_compiled("auto", cuda), choose_compiled("no", cuda)) == (
        False,
        True,
        False,
    )
    monkeypatch.setattr(compiled.importlib.util, "find_spec", lambda _name: None)
    assert not choose_compiled("auto", cuda)
    with pytest.raises(SettingsError, match=r"training\.compiled = yes: needs the package triton, which is not here"):
        choose_compiled("yes", cuda)


def test_a_missing_compiler_is_told_before_anything_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "")
    monkeypatch.setattr(compiled.shutil, "which", lambda _name: None)
    with pytest.raises(SettingsError, match=r"needs a C\+\+ compiler, such as g\+\+, which is not here"):
        choose_compiled("yes", torch.device("cpu"))
    monkeypatch.setattr(compiled.shutil, "which", lambda name: "/bin/g++" if name == "g++" else None)
    assert choose_compiled("yes", torch.device("cpu"))


def test_the_setting_is_one_of_three() -> None:
    assert Recipe.build(preset="encoder-tiny").training.compiled == "auto"
    with pytest.raises(SettingsError, match=r"training\.compiled"):
        Recipe.build(preset="encoder-tiny", overrides=["--training.compiled=maybe"])
