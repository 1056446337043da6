"""Everything about how a model is trained: length, batch, optimizer, schedule, care."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from osnowa.errors import SettingsError
from osnowa.settings import Settings
from osnowa.train.compiled import CompiledName
from osnowa.train.optimisers import OptimiserName
from osnowa.train.precision import PrecisionName
from osnowa.train.schedules import ScheduleName


class TrainingConfig(Settings):
    """Section [training]. Exactly one of minutes, steps and tokens says how long."""

    minutes: float | None = Field(
        default=None, description="train for this long; preparation is not counted", gt=0, le=100_000
    )
    steps: int | None = Field(default=None, description="train for so many updates", ge=1, le=1_000_000_000)
    tokens: int | None = Field(default=None, description="train on so many tokens", ge=1, le=10**15)

    batch_rows: int = Field(default=16, description="rows in each update", ge=1, le=1_000_000)
    ramp_share: float = Field(
        default=0.0,
        description="share of the steps in which the batch grows to batch_rows; 0: whole from the start",
        ge=0,
        le=1,
    )
    ramp_rows: int | None = Field(
        default=None, description="with ramp_share: rows of the first update; none: a quarter of batch_rows", ge=1
    )
    micro_rows: int | None = Field(default=None, description="rows at once; none: as many as the device likes", ge=1)

    optimiser: OptimiserName = Field(default="adamw", description="adamw, or muon on the blocks' matrices")
    learning_rate: float = Field(default=1e-3, description="of AdamW, at its peak", gt=0, le=1)
    matrix_learning_rate: float = Field(default=3e-3, description="of Muon, at its peak", gt=0, le=1)
    beta1: float = Field(default=0.9, description="AdamW's first decay", ge=0, lt=1)
    beta2: float = Field(default=0.98, description="AdamW's second decay", ge=0, lt=1)
    epsilon: float = Field(default=1e-8, description="AdamW's epsilon", gt=0, le=1e-2)
    weight_decay: float = Field(default=0.01, description="on matrices", ge=0, le=10)
    clip_norm: float = Field(default=1.0, description="longest gradient", gt=0)
    next_sentence_weight: float = Field(default=1.0, description="of the next-sentence loss in the total", ge=0, le=100)

    schedule: ScheduleName = Field(default="wsd", description="what the learning rate does after the warm-up")
    warmup_share: float = Field(default=0.05, description="share of the steps that warm up", ge=0, le=0.9)
    warmup_steps: int | None = Field(default=None, description="warm-up in steps; none: by warmup_share", ge=0)
    decay_share: float = Field(default=0.4, description="share of the steps that decay (wsd)", gt=0, le=1)

    precision: PrecisionName = Field(default="auto", description="bf16 where the machine has it, else fp32")
    threads: int | None = Field(
        default=None,
        description="processor threads; none: OMP_NUM_THREADS where it is set, else one a core that the process may use",
        ge=1,
        le=1024,
    )
    compiled: CompiledName = Field(
        default="auto", description="forward and backward pass compiled whole: yes, no, or on a GPU alone (auto)"
    )
    deterministic: bool = Field(default=False, description="on a GPU: the same bits each time, slower")

    evaluations: int = Field(
        default=20,
        description="how often the held-out text is looked at; with minutes less often, if that takes more than a tenth",
        ge=0,
        le=10_000,
    )
    snapshots: int = Field(
        default=24,
        description="at most so many small snapshots of what the model knows, kept in RUN/probe for explain; 0: none",
        ge=0,
        le=1000,
    )
    held_out_rows: int = Field(default=256, description="held-out rows looked at each time", ge=1, le=1_000_000)
    checkpoint_minutes: float = Field(default=2.0, description="time between checkpoints", gt=0, le=10_000)
    keep_checkpoints: int = Field(default=2, description="checkpoints kept", ge=1, le=1000)
    on_divergence: Literal["halve", "stop"] = Field(
        default="halve",
        description="after five bad steps in a row: go back to a checkpoint with half the rate, or stop",
    )

    @property
    def first_rows(self) -> int:
        """Rows of the first update where the batch grows."""
        return self.ramp_rows or max(1, self.batch_rows // 4)

    @property
    def mean_rows(self) -> float:
        """Rows of an update, on average over a run."""
        return self.batch_rows - self.ramp_share * (self.batch_rows - self.first_rows) / 2

    def rows_at(self, step: int, steps: int) -> int:
        """Rows of update `step` of 1 .. steps: a straight line over the first `ramp_share` of them (Brown et al. 2020)."""
        ramp = round(self.ramp_share * steps)
        if step > ramp:
            return self.batch_rows
        return round(self.first_rows + (self.batch_rows - self.first_rows) * (step - 1) / ramp)

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        given = [name for name in ("minutes", "steps", "tokens") if getattr(self, name) is not None]
        errors = []
        if len(given) > 1:
            errors.append(
                SettingsError(
                    "training", f"has {' and '.join(given)}", "give exactly one of --minutes, --steps, --tokens"
                )
            )
        if self.warmup_steps is not None and self.steps is not None and self.warmup_steps >= self.steps:
            errors.append(
                SettingsError(
                    f"training.warmup_steps = {self.warmup_steps}",
                    f"is not shorter than the run of {self.steps} steps",
                    f"use at most {self.steps - 1}, or leave it out for {self.warmup_share:.0%} of the steps",
                )
            )
        if self.micro_rows is not None and self.micro_rows > self.batch_rows:
            errors.append(
                SettingsError(
                    f"training.micro_rows = {self.micro_rows}",
                    f"is more than batch_rows = {self.batch_rows}",
                    f"use at most {self.batch_rows}",
                )
            )
        errors += self._wrong_ramp()
        if errors:
            raise SettingsError.join(errors)
        return self

    def _wrong_ramp(self) -> list[SettingsError]:
        if self.ramp_rows is None:
            return []
        where = f"training.ramp_rows = {self.ramp_rows}"
        if not self.ramp_share:
            return [SettingsError(where, "has no effect with ramp_share = 0", "give --training.ramp_share=0.3 too")]
        if self.ramp_rows >= self.batch_rows:
            what = f"is not fewer than batch_rows = {self.batch_rows}"
            return [SettingsError(where, what, f"use at most {self.batch_rows - 1}")]
        return []
