"""The training loop: mini-batch, masks, encoder, heads, logits, loss, back-propagation, clipping, update, schedule."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from osnowa.data import Place, RowSequence
from osnowa.errors import StoppedError
from osnowa.model import Transformer
from osnowa.objective import Batch, Objective
from osnowa.train import checkpoints
from osnowa.train.checkpoints import Checkpoint, Saver, TrainingState
from osnowa.train.config import TrainingConfig
from osnowa.train.drawing import Batches, DrawnAhead
from osnowa.train.evaluation import HeldOut, HeldOutResult
from osnowa.train.incidents import record_incident
from osnowa.train.learner import Learner
from osnowa.train.monitor import Monitor
from osnowa.train.schedules import learning_rate_factor
from osnowa.train.snapshots import snapshot_steps
from osnowa.train.watchdog import Watchdog

BAD_STEPS_IN_A_ROW = 5
MOST_ROLLBACKS = 3
GRADIENT_CHECK_STEP = 10
MOST_SAVING = 0.02  # of the time may go into writing tensors; checkpoints come less often where it would be more


@dataclass(frozen=True)
class StepResult:
    """What one update saw. Losses are means over the whole batch."""

    loss: float
    token_loss: float
    next_sentence_loss: float | None
    gradient_norm: float
    tokens: int
    rate_factor: float
    applied: bool


class Trainer(Learner):
    """A model on its way: weights, optimizer and place in the data; `run` takes it to the last step."""

    def __init__(
        self,
        model: Transformer,
        objective: Objective,
        rows: RowSequence,
        held_out: HeldOut,
        config: TrainingConfig,
        *,
        steps: int,
        warmup: int,
        seed: int,
        device: torch.device,
        dtype: torch.dtype,
        micro_rows: int,
        compiled: bool = False,
    ) -> None:
        super().__init__(model, objective, config, seed=seed, device=device, dtype=dtype, compiled=compiled)
        self.rows, self.drawn, self.held_out = rows, Batches(objective, rows), held_out
        self.steps, self.warmup, self.micro_rows = steps, warmup, micro_rows
        self.ahead = None if device.type == "cpu" else DrawnAhead()
        self.state = TrainingState()

    # --- one update -------------------------------------------------------------------------------------------

    def step(self) -> StepResult:
        """One update of the weights: the seed's list of steps, top to bottom."""
        state = self.state
        batches, after = self.batches()  # mini-batch, and what is asked of it
        losses = self.back_propagate(batches, state.step)  # stacks, heads, logits, loss, back-propagation
        length = self.gradient_norm()
        norm = float(length)
        applied = math.isfinite(losses.total) and math.isfinite(norm)
        factor = state.rate_scale * self.rate_factor(state.step + 1)
        if applied:
            self.update(factor, length)  # clipping, update
        self.masters.forget_gradients()
        self.state = replace(
            state,
            step=state.step + 1,
            place=after,
            tokens=state.tokens + losses.num_tokens,
            bad_steps=0 if applied else state.bad_steps + 1,
        )
        next_loss = losses.next_sentence if losses.num_pairs else None
        return StepResult(losses.total, losses.token, next_loss, norm, losses.num_tokens, factor, applied)

    def batches(self) -> tuple[list[Batch], Place]:
        """The next mini-batch, and the place after it."""
        step, place = self.state.step + 1, self.state.place
        if self.ahead is None:
            return self.draw(step, place)
        return self.ahead(self.draw, step, place, last=step == self.steps)

    def draw(self, step: int, place: Place) -> tuple[list[Batch], Place]:
        """The mini-batch of update `step` (from 1) at `place` with its masks, in micro-batches, and the place after it."""
        batches, left = [], self.config.rows_at(step, self.steps)
        while left:
            num_rows = min(self.micro_rows, left)
            batch, place = self.drawn.take(place, num_rows)
            batches.append(self.sized(batch, self.micro_rows))
            left -= num_rows
        return batches, place

    @property
    def epochs(self) -> float:
        """How often the text was shown."""
        return self.rows.progress(self.state.place)

    def rate_factor(self, step: int) -> float:
        """The schedule at update `step` (from 1)."""
        config = self.config
        return learning_rate_factor(
            step, steps=self.steps, warmup=self.warmup, schedule=config.schedule, decay_share=config.decay_share
        )

    # --- saving -----------------------------------------------------------------------------------------------

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self.state, dict(self.masters.masters), self.optimiser.state())

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint, with this run's settings."""
        self.masters.load(checkpoint.weights)
        self.optimiser = self.new_optimiser()
        self.optimiser.load_state(checkpoint.optimiser)
        self.state = checkpoint.state

    def weights(self) -> dict[str, Tensor]:
        """The float32 weights by name; a tied matrix once."""
        return {name: tensor.detach() for name, tensor in self.masters.masters.items()}

    # --- the run ----------------------------------------------------------------------------------------------

    def run(
        self,
        folder: Path,
        monitor: Monitor,
        identity: str,
        *,
        on_evaluation: Callable[[int, HeldOutResult], None],
        interrupted: Callable[[], bool],
        on_snapshot: Callable[[int], None] = lambda step: None,
    ) -> None:
        """Train to the last step, looking at held-out text, keeping snapshots and saving on the way.

        Raises:
            StoppedError: interrupted or diverged; a checkpoint is saved.
        """
        saver = Saver(folder, identity, self.config.keep_checkpoints)
        try:
            self.steps_to_the_last(saver, monitor, on_evaluation, interrupted, on_snapshot)
        finally:
            saver.wait()

    def steps_to_the_last(
        self,
        saver: Saver,
        monitor: Monitor,
        on_evaluation: Callable[[int, HeldOutResult], None],
        interrupted: Callable[[], bool],
        on_snapshot: Callable[[int], None],
    ) -> None:
        """The loop itself. What is kept of a step is kept before its checkpoint, so that no kill can leave it out."""
        watchdog = Watchdog()
        evaluate_at = evaluation_steps(self.steps, self.config.evaluations)
        keep_at = snapshot_steps(self.steps, self.config.snapshots)
        started = last_save = time.monotonic()
        before, pause = self.state.seconds, 60 * self.config.checkpoint_minutes
        if self.state.step == 0:
            self.evaluate(monitor, on_evaluation)
            if self.state.step in keep_at:
                on_snapshot(self.state.step)
            watchdog.saw(time.monotonic() - started)  # it comes again between two steps
            saver.save(self.checkpoint())
        compiling = self.compiled is not None
        while self.state.step < self.steps:
            if not compiling:
                watchdog.arm()
            began = time.monotonic()
            result = self.step()
            now = time.monotonic()
            self.state = replace(self.state, seconds=before + now - started)
            if not compiling:
                watchdog.saw(now - began)
            compiling = False
            self.report(monitor, result, now - began)
            if not result.applied:
                self.after_bad_step(saver, monitor, result)
            if self.state.step == GRADIENT_CHECK_STEP:
                self.check_moving(monitor)
            if self.state.step in evaluate_at:
                self.evaluate(monitor, on_evaluation)
            if self.state.step in keep_at:
                on_snapshot(self.state.step)
            stop = interrupted()
            finished = self.state.step >= self.steps
            if stop or finished or now - last_save > pause:
                saver.save(self.checkpoint())
                last_save = time.monotonic()
                pause = max(60 * self.config.checkpoint_minutes, (last_save - now) / MOST_SAVING)
            if stop and not finished:
                watchdog.rest()
                saver.wait()
                raise StoppedError(
                    str(saver.run),
                    f"stopped and saved at step {self.state.step} of {self.steps}",
                    "run the same command to go on",
                )
        watchdog.rest()

    def evaluate(self, monitor: Monitor, on_evaluation: Callable[[int, HeldOutResult], None]) -> None:
        result = self.held_out.evaluate(self.model, self.device)
        monitor.held_out(self.state.step, tokens=self.state.tokens, seconds=self.state.seconds, **result.as_dict())
        on_evaluation(self.state.step, result)

    def report(self, monitor: Monitor, result: StepResult, seconds: float) -> None:
        if not result.applied:
            return
        values = {
            "epoch": round(self.epochs, 4),
            "tokens": self.state.tokens,
            "seconds": round(self.state.seconds, 3),
            "loss": result.loss,
            "token_loss": result.token_loss,
            "learning_rate": self.config.learning_rate * result.rate_factor,
            "gradient_norm": result.gradient_norm,
            "tokens_per_second": round(result.tokens / seconds, 1),
        }
        if result.next_sentence_loss is not None:
            values["next_sentence_loss"] = result.next_sentence_loss
        monitor.train(self.state.step, **values)

    # --- care -------------------------------------------------------------------------------------------------

    def after_bad_step(self, saver: Saver, monitor: Monitor, result: StepResult) -> None:
        """A loss or gradient that is not finite never reached the weights; note it, and after several go back.

        Raises:
            StoppedError: it keeps happening.
        """
        record_incident(saver.run, self.state, result, self.weights())
        monitor.event(self.state.step, "the loss or the gradient was not finite; this update was not applied")
        if self.state.bad_steps < BAD_STEPS_IN_A_ROW:
            return
        where = str(saver.run)
        if self.config.on_divergence == "stop" or self.state.rollbacks >= MOST_ROLLBACKS:
            raise StoppedError(
                where,
                f"the loss was not finite {BAD_STEPS_IN_A_ROW} times in a row at step {self.state.step}",
                "the last checkpoint is sound; try a smaller learning rate with --override, or --training.precision=fp32",
            )
        saver.wait()
        sound = checkpoints.load_newest(saver.run, saver.identity, lambda text: monitor.event(self.state.step, text))
        assert sound is not None, "a checkpoint is saved at step 0"
        scale, rollbacks = self.state.rate_scale / 2, self.state.rollbacks + 1
        self.restore(sound)
        self.state = replace(self.state, rate_scale=scale, rollbacks=rollbacks, bad_steps=0)
        saver.save(self.checkpoint())
        monitor.event(self.state.step, f"went back to step {self.state.step} with {scale:g} times the learning rate")

    def check_moving(self, monitor: Monitor) -> None:
        """Warn of parameters that never received a gradient (a frozen position table went unnoticed in OPT)."""
        asleep = [name for name in self.masters.masters if not self.optimiser.has_moved(name)]
        if asleep:
            monitor.event(self.state.step, f"no gradient has reached {', '.join(asleep)} in {self.state.step} steps")


def evaluation_steps(steps: int, evaluations: int) -> frozenset[int]:
    """Evenly spread, the last step always among them."""
    return frozenset({steps, *(round(steps * i / evaluations) for i in range(1, evaluations + 1))} - {0})
