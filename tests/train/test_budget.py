"""--minutes: the run ends on time whatever a step takes, or is refused with the minutes that would do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from osnowa.errors import SettingsError
from osnowa.train import budget
from osnowa.train.budget import StepPlan, plan_for_minutes
from osnowa.train.config import TrainingConfig
from osnowa.train.loop import evaluation_steps


@dataclass
class Machine:
    """A trainer and a clock: steps, evaluations and saves that take a known time and do nothing."""

    step_seconds: float
    evaluation_seconds: float = 0.0
    save_seconds: float = 0.0
    cold_seconds: float = 0.0  # more for the first step
    now: float = 0.0
    steps: int = 0
    device: str = "cpu"
    compiled: object = None
    model: object = None
    held_out: SimpleNamespace = field(init=False)
    config: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        self.held_out = SimpleNamespace(evaluate=lambda *_: self.wait(self.evaluation_seconds), num_rows=256)

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def step(self) -> None:
        self.wait(self.step_seconds + (self.cold_seconds if self.steps == 0 else 0.0))
        self.steps += 1

    def save(self) -> None:
        self.wait(self.save_seconds)


def plan(machine: Machine, monkeypatch: pytest.MonkeyPatch, **settings: float) -> tuple[StepPlan, float]:
    """The plan, and the seconds from the first trial step to the end of a run by it."""
    monkeypatch.setattr(budget.time, "monotonic", lambda: machine.now)
    config = TrainingConfig.read("training", settings)
    began = machine.now
    found = plan_for_minutes(config, machine, machine.save)  # type: ignore[arg-type]
    assert found.evaluations is not None
    evaluations = 1 + len(evaluation_steps(found.steps, found.evaluations))
    saves = 1 + min(found.steps, 1 + (machine.now - began + found.steps * machine.step_seconds) // 120)
    full = sum(config.rows_at(step, found.steps) for step in range(1, found.steps + 1)) / config.batch_rows
    left = full * machine.step_seconds + evaluations * machine.evaluation_seconds + saves * machine.save_seconds
    return found, machine.now - began + left


@pytest.mark.parametrize("share", [0.0001, 0.001, 0.01, 0.03, 0.05, 0.07, 0.1, 0.16, 0.21, 0.3, 0.4])
@pytest.mark.parametrize("evaluation", [0.0, 1.0, 3.0])  # steps
@pytest.mark.parametrize("minutes", [0.2, 1.0, 10.0])
def test_a_run_ends_within_a_tenth_of_its_minutes_or_is_refused_before_it_begins(
    share: float, evaluation: float, minutes: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = share * 60 * minutes
    machine = Machine(step, evaluation_seconds=evaluation * step)
    try:
        found, seconds = plan(machine, monkeypatch, minutes=minutes)
    except SettingsError:
        assert (3 + 3 * evaluation) * step > 1.05 * 60 * minutes, "there was time for a step"
        return
    assert seconds <= 1.1 * 60 * minutes
    assert seconds + 2 * (1 + evaluation) * step >= 60 * minutes, "there was time for two steps more"
    assert found.seconds_per_step == pytest.approx(step, rel=0.01) or share > 0.07


def test_a_step_longer_than_the_minutes_is_refused_at_once_and_the_minutes_said_would_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for step, evaluation, save in ((90.0, 200.0, 20.0), (61.0, 0.1, 0.1), (55.0, 60.0, 5.0), (4000.0, 20_000.0, 60.0)):
        machine = Machine(step, evaluation_seconds=evaluation, save_seconds=save)
        with pytest.raises(SettingsError) as caught:
            plan(machine, monkeypatch, minutes=1)
        message = str(caught.value)
        assert message.startswith("training.minutes = 1: is too short for this model on this machine: a step takes")
        assert machine.steps == 1, "nothing is measured twice when it is hopeless"
        least = float(re.search(r"use --minutes ([\d.]+) or more", message)[1])  # type: ignore[index]
        again = Machine(step, evaluation_seconds=min(evaluation, 5 * step), save_seconds=min(save, step / 10))
        found, seconds = plan(again, monkeypatch, minutes=least)
        assert found.steps >= 1
        assert seconds <= 1.1 * 60 * least


def test_the_usual_run_is_measured_by_many_steps_and_a_slow_first_one_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(0.1, evaluation_seconds=1.0, cold_seconds=5.0)
    found, seconds = plan(machine, monkeypatch, minutes=4)
    assert found.seconds_per_step == pytest.approx(0.1)
    assert machine.steps >= 50
    assert 0.99 * 240 <= seconds <= 1.01 * 240


def test_a_minute_of_compiling_is_no_steps_time(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(0.1, evaluation_seconds=1.0, cold_seconds=60.0, compiled=object())
    found, seconds = plan(machine, monkeypatch, minutes=4)
    assert found.seconds_per_step == pytest.approx(0.1)
    assert 0.99 * 240 <= seconds <= 1.01 * 240


def test_looking_at_held_out_text_takes_a_tenth_of_the_time_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    found, seconds = plan(Machine(0.5, evaluation_seconds=6.0), monkeypatch, minutes=4, evaluations=20)
    assert found.evaluations == 4
    assert seconds <= 1.02 * 240
    quick, _ = plan(Machine(0.5, evaluation_seconds=0.5), monkeypatch, minutes=4, evaluations=20)
    assert quick.evaluations == 20


def test_a_first_step_that_starts_the_machine_up_is_not_taken_for_its_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    found, seconds = plan(Machine(0.02, cold_seconds=1.5), monkeypatch, minutes=0.2)
    assert found.seconds_per_step == pytest.approx(0.02)
    assert 0.95 * 12 <= seconds <= 1.05 * 12


def test_a_batch_that_grows_is_reckoned_with(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"ramp_share": 0.5, "batch_rows": 16}
    machine = Machine(0.5, config=TrainingConfig.read("training", settings))
    whole, _ = plan(Machine(0.5), monkeypatch, minutes=4)
    growing, seconds = plan(machine, monkeypatch, minutes=4, **settings)
    assert machine.config.ramp_share == 0, "whole batches are timed"
    assert growing.steps > 1.2 * whole.steps
    assert 0.98 * 240 <= seconds <= 1.05 * 240
    config = TrainingConfig.read("training", {"tokens": 100_000, "ramp_share": 0.5, "batch_rows": 16})
    steps = budget.plan_for_tokens(config, 100_000, 50.0).steps
    rows = sum(config.rows_at(step, steps) for step in range(1, steps + 1))
    assert rows * 50 == pytest.approx(100_000, rel=0.02)
