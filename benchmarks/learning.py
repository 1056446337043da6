"""What the benchmarks of learning share: a finished run, and a Trainer that stops by the clock."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from osnowa.runs.given_text import data_folder
from osnowa.runs.machine import choose_machine
from osnowa.runs.prepare import Prepared, open_prepared
from osnowa.runs.recipe import Recipe
from osnowa.runs.workshop import Workshop

ROWS = 32  # of a batch of the Trainer


class Clock(TrainerCallback):  # type: ignore[misc]
    """Stops the training when the time is up; evaluation and start-up are not counted."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.began, self.steps = seconds, 0.0, 0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.began = time.monotonic()

    def on_step_end(self, _args: Any, state: Any, control: Any, **__: Any) -> None:
        self.steps = state.global_step
        control.should_training_stop = time.monotonic() - self.began > self.seconds


def arguments(doc: str | None, rate: float) -> argparse.Namespace:
    """The words of a benchmark of learning; `rate` is the peer's unless another is given."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", type=float, help="as many as the run trained, unless given")
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    return parser.parse_args()


@dataclass(frozen=True)
class FinishedRun:
    """A run folder: its settings, its data, what it reached."""

    folder: Path
    recipe: Recipe
    prepared: Prepared
    facts: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> FinishedRun:
        recipe = Recipe.build(recipe_file=folder / "recipe.toml")
        prepared = open_prepared(data_folder(folder, recipe))
        return cls(folder, recipe, prepared, json.loads((folder / "facts.json").read_text()))

    def workshop(self) -> Workshop:
        # the Trainer's process stays as its library leaves it but for the threads
        machine = choose_machine(self.recipe)
        torch.set_num_threads(machine.threads)
        return Workshop(self.recipe, self.prepared, machine)

    @property
    def seconds(self) -> float:
        """Of its training."""
        return float(self.facts["training"]["seconds"])


def train_peer(model: Any, dataset: Any, collate: Any, seconds: float, *, rate: float, bf16: bool) -> int:
    """Train `model` with the library's Trainer in its defaults but for the rate; how many steps it made."""
    clock = Clock(seconds)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=ROWS,
            learning_rate=rate,
            lr_scheduler_type="constant_with_warmup",
            warmup_steps=100,
            max_steps=1_000_000,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            remove_unused_columns=False,
            use_cpu=not torch.cuda.is_available(),
            disable_tqdm=True,
            bf16=bf16,
        )
        Trainer(model=model, args=arguments, train_dataset=dataset, data_collator=collate, callbacks=[clock]).train()
    return clock.steps
