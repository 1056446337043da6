"""A compiled step: the same losses and weights, few graphs, batches of one size, and batches drawn ahead."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest
import torch

from osnowa.data import Place
from osnowa.errors import DataError, SettingsError
from osnowa.runs.recipe import Recipe
from osnowa.train import compiled
from osnowa.train.compiled import choose_compiled
from osnowa.train.drawing import Drawn, DrawnAhead
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


def test_batches_drawn_ahead_are_those_that_would_have_been_drawn() -> None:
    trainer, threads = make_trainer(steps=50), []

    def draw(step: int, place: Place) -> Drawn:
        threads.append(threading.get_ident())
        return trainer.draw(step, place)

    ahead, place = DrawnAhead(), Place()
    for step in range(1, 30):
        (expected, after), (found, then) = make_trainer(steps=50).draw(step, place), ahead(draw, step, place)
        assert after == then
        for one, other in zip(expected, found, strict=True):
            assert torch.equal(one.tokens, other.tokens)
            assert torch.equal(one.labels, other.labels)
        place = after
    assert threading.get_ident() == threads[0]
    assert set(threads[1:]) - {threads[0]}, "nothing was drawn beside the step"
    elsewhere, _ = ahead(draw, 4, Place(0, 3))  # a rollback: what was drawn ahead is not it
    assert torch.equal(elsewhere[0].tokens, trainer.draw(4, Place(0, 3))[0][0].tokens)


def test_nothing_is_drawn_behind_the_last_step() -> None:
    seen: list[int] = []

    def draw(step: int, place: Place) -> Drawn:
        seen.append(step)
        return [], place

    ahead = DrawnAhead()
    ahead(draw, 1, Place())
    ahead(draw, 2, Place(), last=True)
    assert seen == [1, 2]


def test_what_goes_wrong_ahead_is_told_at_its_step() -> None:
    def draw(step: int, place: Place) -> Drawn:
        if step == 2:
            raise DataError("here", "is wrong", "mend it")
        return [], place

    ahead = DrawnAhead()
    ahead(draw, 1, Place())
    with pytest.raises(DataError, match="here: is wrong; mend it"):
        ahead(draw, 2, Place())


def test_a_growing_batch_is_drawn_ahead_with_its_own_number_of_rows() -> None:
    trainer = make_trainer(steps=10, batch_rows=8, micro_rows=8, ramp_share=1.0, ramp_rows=2)
    ahead, place = DrawnAhead(), Place()
    sizes = []
    for step in range(1, 11):
        batches, place = ahead(trainer.draw, step, place)
        sizes.append(sum(len(batch.tokens) for batch in batches))
    assert sizes == [trainer.config.rows_at(step, 10) for step in range(1, 11)]
    assert sizes[0] == 2


def test_a_trainer_is_freed_when_nobody_holds_it() -> None:
    gc.collect()
    gc.disable()
    try:
        trainer = make_trainer()
        trainer.step()
        left = weakref.ref(trainer.model)
        del trainer
        assert left() is None, "the trial of --minutes would stand beside the run"
    finally:
        gc.enable()


def test_auto_compiles_on_a_gpu_alone_and_where_all_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    here = {"triton": True, "gcc": True, "capability": (9, 0)}
    monkeypatch.setattr(compiled.importlib.util, "find_spec", lambda name: object() if here[name] else None)
    monkeypatch.setattr(compiled.shutil, "which", lambda name: name if here.get(name) else None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: here["capability"])
    monkeypatch.delenv("CC", raising=False)
    assert not choose_compiled("auto", cpu)
    assert choose_compiled("auto", cuda)
    assert not choose_compiled("no", cuda)
    assert not choose_compiled("auto", cuda, experts=True)
    with pytest.raises(SettingsError, match="needs sizes that are known beforehand, which experts have not"):
        choose_compiled("yes", cuda, experts=True)
    for lacking, told in (
        ({"triton": False}, "needs the package triton"),
        ({"gcc": False}, r"needs a C compiler \(gcc, clang, or what CC names\)"),
        ({"capability": (6, 1)}, "needs a GPU of compute capability 7.0 or more"),
    ):
        before = dict(here)
        here.update(lacking)
        assert not choose_compiled("auto", cuda)
        with pytest.raises(SettingsError, match=rf"training\.compiled = yes: {told}"):
            choose_compiled("yes", cuda)
        here.update(before)


def test_a_missing_compiler_is_told_before_anything_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "")
    monkeypatch.setattr(compiled.shutil, "which", lambda name: "/bin/clang++" if name == "clang++" else None)
    with pytest.raises(SettingsError, match=r"needs a C\+\+ compiler \(g\+\+, or what CXX names\)"):
        choose_compiled("yes", torch.device("cpu"))
    monkeypatch.setenv("CXX", "clang++")
    assert choose_compiled("yes", torch.device("cpu"))


def test_a_compiler_that_fails_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo.exc import BackendCompilerFailed

    def broken(*_: object) -> None:
        raise BackendCompilerFailed(lambda: None, RuntimeError("no such tool"), None)

    monkeypatch.setattr(torch, "compile", lambda *_, **__: broken)
    trainer = make_trainer(compiled=True)
    with pytest.raises(
        SettingsError, match=r"training\.compiled: the step could not be compiled here \(.*no such tool"
    ):
        trainer.step()


def test_the_setting_is_one_of_three() -> None:
    assert Recipe.build(preset="encoder-tiny").training.compiled == "auto"
    with pytest.raises(SettingsError, match=r"training\.compiled"):
        Recipe.build(preset="encoder-tiny", overrides=["--training.compiled=maybe"])
