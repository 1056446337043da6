"""What is written down when an update was refused because its loss or gradient was not finite."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from osnowa import files
from osnowa.errors import OsnowaError
from osnowa.train.checkpoints import TrainingState

if TYPE_CHECKING:
    from osnowa.train.loop import StepResult

FOLDER = "incidents"
MOST_FILES = 20


def record_incident(folder: Path, state: TrainingState, result: StepResult, weights: dict[str, torch.Tensor]) -> None:
    """RUN/incidents/step-N.json: the place in the data, the losses, and each weight's range. Never stops the run."""

    def number(value: float | None) -> float | str | None:
        return value if value is None or math.isfinite(value) else str(value)

    facts: dict[str, Any] = {
        "state": state.as_dict(),
        "loss": number(result.loss),
        "token_loss": number(result.token_loss),
        "next_sentence_loss": number(result.next_sentence_loss),
        "gradient_norm": number(result.gradient_norm),
        "largest_weight": {name: number(float(tensor.abs().max())) for name, tensor in weights.items()},
    }
    try:
        target = files.make_folder(folder / FOLDER)
        if sum(1 for _ in target.iterdir()) < MOST_FILES:
            files.write_json(target / f"step-{state.step:09d}.json", facts)
    except OsnowaError:
        return  # the event in the log says what happened; a full disk must not end the run here
