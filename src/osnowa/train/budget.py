"""How many steps: given, or measured so that training ends when the minutes are up."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from osnowa.errors import SettingsError
from osnowa.train.config import TrainingConfig
from osnowa.train.loop import Trainer, evaluation_steps

_WARM_STEPS, _LEAST_STEPS = 3, 5  # thrown away, and timed, where there is time for so many
_TRIAL_SHARE, _TRIAL_SECONDS = 0.04, 30.0  # the timed steps take about this, whichever is less
_MOST_TRIAL_SHARE = 0.1  # slow steps: so few of them are timed that they take no more than this, but two,
_LONGEST_COLD_SHARE = 0.15  # unless the first, which warms caches up, took longer than this
_EVALUATION_SHARE = 0.1
_MOST_OVERSHOOT = 0.1  # of the minutes: a run that can't keep to it is refused
_ROUNDED_UP = 0.05  # of the minutes: a last step may end so much later


@dataclass(frozen=True)
class StepPlan:
    """How long a run is: made once, stored in the run folder, and kept whenever the run goes on."""

    steps: int
    warmup: int
    basis: str  # "steps", "tokens" or "minutes"
    seconds_per_step: float | None = None
    seconds_per_evaluation: float | None = None
    evaluations: int | None = None  # how often held-out text is looked at; None: as the settings say

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
    return plan_for_steps(config, max(1, round(tokens / (tokens_per_row * config.mean_rows))), "tokens")


@dataclass(frozen=True)
class Costs:
    """Seconds that a run is made of, measured before it begins."""

    trial: float  # all of the measuring
    step: float
    evaluation: float
    save: float

    def run(self, steps: int, config: TrainingConfig) -> float:
        """From the first trial step to the last checkpoint of a run of `steps`."""
        assert config.minutes is not None
        evaluations = 1 + len(evaluation_steps(steps, config.evaluations))
        saves = 1 + min(steps, 1 + config.minutes / config.checkpoint_minutes)  # before, and at most after each step
        full = config.mean_rows / config.batch_rows  # of a whole batch, on average
        return self.trial + steps * full * self.step + evaluations * self.evaluation + saves * self.save


def plan_for_minutes(config: TrainingConfig, trainer: Trainer, save: Callable[[], None]) -> StepPlan:
    """Measure throwaway steps, one evaluation and one save, then lay out the run to end on time.

    The measuring is part of the minutes. Whole steps fit the minutes to within 5 % or end before. The trainer is left
    changed: make a new one afterwards.

    Raises:
        SettingsError: even one step takes more than 1.1 times the minutes; with the least that would do.
    """
    assert config.minutes is not None
    seconds, began = 60.0 * config.minutes, time.monotonic()
    trainer.config = trainer.config.changed(ramp_share=0.0, ramp_rows=None)  # whole batches are timed
    if trainer.compiled is not None:
        trainer.step()  # compiles, for every trainer of this process: what that takes is gone, but is no step's time
    per_step = trimmed_mean(trial_steps(trainer.step, seconds))
    if time.monotonic() - began > seconds:  # what else there is to measure would only keep the user waiting
        forward = per_step / 3  # of a step: backward is two thirds of it
        evaluation = forward * trainer.held_out.num_rows / config.batch_rows
        costs = Costs(time.monotonic() - began, per_step, evaluation, 0.0)
    else:
        evaluation = measure(lambda: trainer.held_out.evaluate(trainer.model, trainer.device))
        saving = measure(save)
        costs = Costs(time.monotonic() - began, per_step, evaluation, saving)
    config = config.changed(evaluations=affordable(config.evaluations, costs.evaluation, seconds))
    if costs.run(1, config) > (1 + _MOST_OVERSHOOT) * seconds:
        raise too_short(config, costs)
    steps = most_steps(config, costs, seconds)
    return StepPlan(
        steps, warmup_of(config, steps), "minutes", per_step, costs.evaluation, evaluations=config.evaluations
    )


def affordable(wanted: int, evaluation: float, seconds: float) -> int:
    """At most `wanted` looks at held-out text, so that they take a tenth of the time; two of them in any case.

    On two AVX2 cores twenty looks at 256 rows took half of the four minutes of a demo.
    """
    return min(wanted, max(2, int(_EVALUATION_SHARE * seconds / max(evaluation, 1e-9))))


def trial_steps(step: Callable[[], object], seconds: float) -> list[float]:
    """Seconds of throwaway steps for a run of `seconds`: many short ones, or as few as one that takes long.

    The first ones warm caches up and are left out, unless there is no time for others.
    """
    times = [measure(step)]
    if times[0] > _LONGEST_COLD_SHARE * seconds:
        return times
    limit = min(_TRIAL_SECONDS, _TRIAL_SHARE * seconds)
    while len(times) < _WARM_STEPS + _LEAST_STEPS or sum(times[_WARM_STEPS:]) < limit:
        times.append(measure(step))
        if sum(times) + times[-1] > _MOST_TRIAL_SHARE * seconds:
            break
    return times[_WARM_STEPS:] or times[1:]


def most_steps(config: TrainingConfig, costs: Costs, seconds: float) -> int:
    """As many steps as fit; one more when that ends nearer to the time asked, and hardly after it."""
    low, high = (
        1,
        2 + int(seconds * config.batch_rows / (costs.step * config.mean_rows)),
    )  # low fits (or is the least there is), high does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if costs.run(middle, config) <= seconds else (low, middle)
    left, over = seconds - costs.run(low, config), costs.run(low + 1, config) - seconds
    return low + 1 if over < min(left, _ROUNDED_UP * seconds) else low


def too_short(config: TrainingConfig, costs: Costs) -> SettingsError:
    """The refusal of minutes that end before a single step, with the least that would do."""
    trial = 2 * costs.step + costs.evaluation + costs.save  # as it would be with more time
    needed = (costs.run(1, config) - costs.trial + trial) / (1 - _MOST_TRIAL_SHARE) / 60
    least = math.ceil(10 * needed) / 10 if needed > 1 else math.ceil(100 * needed) / 100
    return SettingsError(
        f"training.minutes = {config.minutes:g}",
        f"is too short for this model on this machine: a step takes {costs.step:.0f} s, "
        f"looking at held-out text {costs.evaluation:.0f} s, and measuring that took {costs.trial:.0f} s",
        f"use --minutes {least:g} or more, a smaller --size, or fewer --training.held_out_rows and --training.batch_rows",
    )


def measure(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


def trimmed_mean(times: list[float]) -> float:
    """The mean without the slowest tenth (a pause of the machine is not its speed)."""
    kept = sorted(times)[: max(1, round(0.9 * len(times)))]
    return statistics.fmean(kept)
