"""How many steps: given, or measured so that training ends when the minutes are up."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from osnowa.errors import SettingsError
from osnowa.train.config import TrainingConfig
from osnowa.train.loop import Trainer

_WARM_STEPS = 3
_LEAST_STEPS, _MOST_SHARE, _MOST_SECONDS = 5, 0.04, 30.0


@dataclass(frozen=True)
class StepPlan:
    """How long a run is: made once, stored in the run folder, and kept whenever the run goes on."""

    steps: int
    warmup: int
    basis: str  # "steps", "tokens" or "minutes"
    seconds_per_step: float | None = None
    seconds_per_evaluation: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def warmup_of(config: TrainingConfig, steps: int) -> int:
    """Warm-up steps: as given, else a share; never the whole run."""
    if config.warmup_steps is not None:
        if config.warmup_steps >= steps:
            where = f"training.warmup_steps = {config.warmup_steps}"
            raise SettingsError(where, f"is not shorter than the run of {steps} steps", f"use at most {steps - 1}")
        return config.warmup_steps
    return min(round(config.warmup_share * steps), steps - 1)


def plan_for_steps(config: TrainingConfig, steps: int, basis: str) -> StepPlan:
    return StepPlan(steps, warmup_of(config, steps), basis)


def plan_for_tokens(config: TrainingConfig, tokens: int, tokens_per_row: float) -> StepPlan:
    """Steps that show about `tokens` tokens that are not padding."""
    return plan_for_steps(config, max(1, round(tokens / (tokens_per_row * config.batch_rows))), "tokens")


def plan_for_minutes(config: TrainingConfig, trainer: Trainer, save: Callable[[], None]) -> StepPlan:
    """Measure throwaway steps, one evaluation and one save, then lay out the run to end on time.

    The measuring is part of the minutes. The trainer is left changed: make a new one afterwards.
    """
    assert config.minutes is not None
    seconds, began = 60.0 * config.minutes, time.monotonic()
    for _ in range(_WARM_STEPS):
        trainer.step()
    times: list[float] = []
    limit = min(_MOST_SECONDS, _MOST_SHARE * seconds)
    while len(times) < _LEAST_STEPS or sum(times) < limit:
        start = time.monotonic()
        trainer.step()
        times.append(time.monotonic() - start)
        if sum(times) > seconds / 2:  # a model far too slow for the time asked
            break
    per_step = trimmed_mean(times)
    per_evaluation, per_save = measure(lambda: trainer.held_out.evaluate(trainer.model, trainer.device)), measure(save)
    num_saves = 2 + seconds / (60 * config.checkpoint_minutes)
    left = seconds - (time.monotonic() - began) - (config.evaluations + 1) * per_evaluation - num_saves * per_save
    steps = max(1, int(left / per_step))
    return StepPlan(steps, warmup_of(config, steps), "minutes", per_step, per_evaluation)


def measure(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


def trimmed_mean(times: list[float]) -> float:
    """The mean without the slowest tenth (a pause of the machine is not its speed)."""
    kept = sorted(times)[: max(1, round(0.9 * len(times)))]
    return statistics.fmean(kept)
