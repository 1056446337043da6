"""The training loop: exact resume, honest accumulation, and no bad number ever reaches the weights."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from osnowa.errors import StoppedError
from osnowa.objective import Outcome
from osnowa.train import checkpoints, muon
from osnowa.train.evaluation import HeldOutResult
from osnowa.train.loop import Trainer, evaluation_steps
from osnowa.train.monitor import Monitor
from small_training import make_trainer, same


def monitor(folder: Path, steps: int) -> Monitor:
    return Monitor(folder, total_steps=steps, quiet=True, stream=io.StringIO())


def run(trainer: Trainer, folder: Path, stop_after: int | None = None) -> list[tuple[int, HeldOutResult]]:
    found: list[tuple[int, HeldOutResult]] = []
    with monitor(folder, trainer.steps) as watching:
        trainer.run(
            folder,
            watching,
            "tests",
            on_evaluation=lambda step, result: found.append((step, result)),
            interrupted=lambda: stop_after is not None and trainer.state.step >= stop_after,
        )
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_stopped_after_any_step_and_resumed_the_weights_have_the_same_bits(
    tmp_path: Path, dtype: torch.dtype, dropout: float
) -> None:
    whole = make_trainer(dtype=dtype, dropout=dropout)
    for _ in range(12):
        whole.step()
    for stop in range(1, 12, 2):
        folder = tmp_path / str(stop)
        folder.mkdir()
        with pytest.raises(StoppedError):
            run(make_trainer(dtype=dtype, dropout=dropout), folder, stop_after=stop)
        resumed = make_trainer(dtype=dtype, dropout=dropout)
        saved = checkpoints.load_newest(folder, "tests", pytest.fail)
        assert saved is not None
        assert saved.state.step == stop
        resumed.restore(saved)
        run(resumed, folder)
        assert same(resumed.weights(), whole.weights()), stop


def test_the_data_order_goes_on_across_an_epoch_border_after_a_resume(tmp_path: Path) -> None:
    whole = make_trainer(steps=60)
    rows = len(whole.rows.plan(0))
    border = rows // 4  # the step in which the first epoch ends
    for _ in range(border + 3):
        whole.step()
    assert whole.state.place.epoch == 1
    first = make_trainer(steps=60)
    for _ in range(border):
        first.step()
    second = make_trainer(steps=60)
    second.restore(first.checkpoint())
    for _ in range(3):
        second.step()
    assert same(second.weights(), whole.weights())


def test_micro_batches_give_the_gradient_of_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        muon, "has_fast_bfloat16", lambda _device: False
    )  # whose rounding makes large steps of small ones
    whole, parts = make_trainer(micro_rows=4), make_trainer(micro_rows=1)
    for _ in range(5):
        one, other = whole.step(), parts.step()
        assert one.loss == pytest.approx(other.loss, rel=1e-5)
        assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-4)
        assert one.tokens == other.tokens
    for name, weight in whole.weights().items():
        torch.testing.assert_close(parts.weights()[name], weight, rtol=2e-3, atol=2e-4)


def test_the_model_learns_its_text() -> None:
    trainer = make_trainer(steps=250, batch_rows=8, micro_rows=8)
    before = trainer.held_out.evaluate(trainer.model, trainer.device)
    for _ in range(250):
        trainer.step()
    after = trainer.held_out.evaluate(trainer.model, trainer.device)
    assert before.token_loss == pytest.approx(math.log(40), abs=0.15)
    assert after.token_loss < before.token_loss - 0.4
    assert after.token_accuracy > 2 * before.token_accuracy


def test_held_out_questions_never_change_and_asking_moves_nothing() -> None:
    trainer = make_trainer()
    first = trainer.held_out.evaluate(trainer.model, trainer.device)
    assert trainer.held_out.evaluate(trainer.model, trainer.device) == first
    other = make_trainer()
    for _ in range(3):
        other.step()
        trainer.held_out.evaluate(trainer.model, trainer.device)
        trainer.step()
    assert same(trainer.weights(), other.weights())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_never_reaches_the_weights(
    bad: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer()
    trainer.step()
    before = {name: tensor.clone() for name, tensor in trainer.weights().items()}
    spoil(monkeypatch, trainer, bad, calls={1})
    result = trainer.step()
    assert not result.applied
    assert same(trainer.weights(), before)
    assert trainer.state.bad_steps == 1
    assert trainer.step().applied
    assert trainer.state.bad_steps == 0


def test_bad_steps_in_a_row_go_back_to_a_sound_checkpoint_with_half_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(steps=14)
    spoil(monkeypatch, trainer, math.nan, calls=set(range(4, 9)))
    run(trainer, tmp_path)
    assert trainer.state.step == 14
    assert trainer.state.rate_scale == 0.5
    assert all(torch.isfinite(tensor).all() for tensor in trainer.weights().values())
    assert len(list((tmp_path / "incidents").iterdir())) == 5
    messages = (tmp_path / "metrics.jsonl").read_text()
    assert "went back to step 0 with 0.5 times the learning rate" in messages


def test_a_loss_that_stays_bad_stops_the_run_with_sound_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(steps=100)
    spoil(monkeypatch, trainer, math.nan, calls=set(range(1000)))
    with pytest.raises(StoppedError, match="not finite 5 times in a row"):
        run(trainer, tmp_path)
    saved = checkpoints.load_newest(tmp_path, "tests", pytest.fail)
    assert saved is not None
    assert all(torch.isfinite(tensor).all() for tensor in saved.weights.values())


def test_stop_is_the_rule_when_it_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(steps=100, on_divergence="stop")
    spoil(monkeypatch, trainer, math.nan, calls=set(range(2, 1000)))
    with pytest.raises(StoppedError):
        run(trainer, tmp_path)
    assert trainer.state.rollbacks == 0


def test_a_parameter_that_no_gradient_reaches_is_named(tmp_path: Path) -> None:
    trainer = make_trainer(steps=12, next_sentence_weight=0.0)
    trainer.model.embedding.segment.weight.requires_grad_(False)
    trainer.masters.masters["embedding.segment.weight"].requires_grad_(False)
    run(trainer, tmp_path)
    assert "no gradient has reached embedding.segment.weight" in (tmp_path / "metrics.jsonl").read_text()


def test_evaluations_are_spread_evenly_and_the_last_step_is_among_them() -> None:
    assert evaluation_steps(100, 4) == {25, 50, 75, 100}
    assert evaluation_steps(3, 20) == {1, 2, 3}
    assert evaluation_steps(7, 0) == {7}


def spoil(monkeypatch: pytest.MonkeyPatch, trainer: Trainer, bad: float, calls: set[int]) -> None:
    """Let the losses of some calls be `bad`, gradient and all."""
    honest, count = trainer.objective.outcome, iter(range(10**6))

    def outcome(*arguments: Any, **words: Any) -> Outcome:
        found = honest(*arguments, **words)
        if words.get("count_right") or next(count) + 1 not in calls:
            return found
        return replace(found, token_loss=found.token_loss * bad)

    monkeypatch.setattr(trainer.objective, "outcome", outcome)


@pytest.mark.parametrize(("limit", "shorter"), [(0.25, True), (1e6, False)])
def test_gradients_longer_than_the_limit_are_shortened_in_the_update(
    limit: float, shorter: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, seen = make_trainer(clip_norm=limit), list[float]()
    monkeypatch.setattr(trainer.optimiser, "step", lambda _factor, shorten: seen.append(float(shorten)))
    result = trainer.step()
    assert result.applied
    assert (result.gradient_norm > limit) == shorter
    assert seen == pytest.approx([limit / result.gradient_norm if shorter else 1.0], rel=1e-4)
