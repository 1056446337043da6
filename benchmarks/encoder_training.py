"""Tokens per second of masked-token training: osnowa's step beside the `transformers` Trainer, asked in turn.

    python -m benchmarks.encoder_training [--rounds 5] [--steps 12] [--only osnowa trainer-default]

Same shape (BERT, 4 layers of width 256, vocabulary 16,384), same rows of 128 random tokens, same 32 rows a step, 15 %
masked. A B A B ..., the first steps of each round left out. Prints medians, spread and the ratio round by round.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from transformers import BertConfig, BertForMaskedLM, Trainer, TrainerCallback, TrainingArguments
from transformers.utils import logging as hf_logging

from osnowa.data import RowSequence, TokenSplit
from osnowa.model import ModelConfig, Transformer, initialise
from osnowa.objective import HiddenTokens, ObjectiveConfig, Vocabulary
from osnowa.runs.presets import resolve
from osnowa.train.config import TrainingConfig
from osnowa.train.evaluation import HeldOut
from osnowa.train.loop import Trainer as OurTrainer
from osnowa.train.precision import choose_precision, tune_allocator

VOCABULARY, LENGTH, ROWS, WARM = 16_384, 128, 32, 3
MASK_SHARE = 0.15


def split(num_tokens: int = 400_000) -> TokenSplit:
    """Random tokens in documents of 40 sentences of 20 tokens."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(5, VOCABULARY, num_tokens).astype(np.uint16)
    sentences = np.arange(0, num_tokens + 1, 20)
    documents = np.append(np.arange(0, len(sentences) - 1, 40), len(sentences) - 1)
    return TokenSplit(tokens, sentences, documents, num_tokens * 4)


def ours(next_sentence: bool, dropout: float, precision: str) -> Callable[[int], tuple[int, float]]:
    """A function that trains some steps and returns (tokens, seconds)."""
    sizes = resolve("bert-mini").sections["model"]
    config = ModelConfig.read(
        "model", {**sizes, "vocab_size": VOCABULARY, "dropout": dropout, "next_sentence": next_sentence}
    )
    name = "masked-next-sentence" if next_sentence else "masked"
    vocabulary = Vocabulary(VOCABULARY, 0, 1, 2, 3, frozenset(range(5)), np.zeros(VOCABULARY, dtype=bool))
    objective = HiddenTokens(ObjectiveConfig(name=name, mask_share=MASK_SHARE), vocabulary, seed=0)
    rows = RowSequence(split(), objective.shape, LENGTH, 0, cls=1, sep=2, pad=0)
    model = Transformer(config)
    initialise(model, 0)
    device = torch.device("cpu")
    trainer = OurTrainer(
        model,
        objective,
        rows,
        HeldOut(rows, objective, 1, 1),
        TrainingConfig(steps=10_000, batch_rows=ROWS, optimiser="adamw", learning_rate=1e-4),
        steps=10_000,
        warmup=10,
        seed=0,
        device=device,
        dtype=choose_precision(precision, device),  # type: ignore[arg-type]
        micro_rows=ROWS,
    )

    def run(steps: int) -> tuple[int, float]:
        for _ in range(WARM):
            trainer.step()
        begun, tokens = time.perf_counter(), 0
        for _ in range(steps):
            tokens += trainer.step().tokens
        return tokens, time.perf_counter() - begun

    return run


class _Clock(TrainerCallback):  # type: ignore[misc]
    """When each optimizer step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.perf_counter())


def collate(features: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """80/10/10 masking as the library's collator does it, without its tokenizer."""
    tokens = torch.tensor(np.array([each["input_ids"] for each in features]), dtype=torch.long)
    labels, chosen = tokens.clone(), torch.rand(tokens.shape) < MASK_SHARE
    labels[~chosen] = -100
    dice = torch.rand(tokens.shape)
    tokens = torch.where(chosen & (dice < 0.8), torch.tensor(3), tokens)
    random = chosen & (dice >= 0.8) & (dice < 0.9)
    tokens = torch.where(random, torch.randint(5, VOCABULARY, tokens.shape), tokens)
    return {"input_ids": tokens, "labels": labels, "attention_mask": torch.ones_like(tokens)}


def peer(kind: str, folder: str) -> Callable[[int], tuple[int, float]]:
    """The Trainer in its defaults, with bf16 autocast, or tuned (bf16, no dropout, eager attention)."""
    tuned = kind == "tuned"
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=1024,
        hidden_dropout_prob=0.0 if tuned else 0.1,
        attention_probs_dropout_prob=0.0 if tuned else 0.1,
        attn_implementation="eager" if tuned else None,
    )
    model = BertForMaskedLM(config)
    data = np.random.default_rng(0).integers(5, VOCABULARY, (2000, LENGTH))
    dataset = [{"input_ids": row} for row in data]

    def run(steps: int) -> tuple[int, float]:
        clock = _Clock()
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=ROWS,
            max_steps=steps + WARM,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            logging_strategy="no",
            bf16=kind in ("bf16", "tuned"),
        )
        Trainer(model=model, args=arguments, train_dataset=dataset, data_collator=collate, callbacks=[clock]).train()
        return steps * ROWS * LENGTH, clock.ends[-1] - clock.ends[WARM - 1]

    return run


CONTENDERS: dict[str, Callable[[str], Callable[[int], tuple[int, float]]]] = {
    "osnowa": lambda _: ours(True, 0.0, "auto"),
    "osnowa-masked-only": lambda _: ours(False, 0.0, "auto"),
    "osnowa-dropout": lambda _: ours(False, 0.1, "auto"),
    "osnowa-fp32": lambda _: ours(False, 0.0, "fp32"),
    "trainer-default": lambda folder: peer("default", folder),
    "trainer-bf16": lambda folder: peer("bf16", folder),
    "trainer-tuned": lambda folder: peer("tuned", folder),
}


def contend(name: str) -> None:
    """A child: answers each line "STEPS" on standard input with one JSON line [tokens, seconds]."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    logging.disable(logging.WARNING)
    hf_logging.set_verbosity_error()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    if name.startswith("osnowa") or name.endswith("tuned"):
        tune_allocator()  # part of what osnowa does; the untuned peers run as their users would run them
    with tempfile.TemporaryDirectory() as folder:
        run = CONTENDERS[name](folder)
        for line in sys.stdin:
            answers.write(json.dumps(run(int(line))) + "\n")


def measure(names: list[str], rounds: int, steps: int) -> list[dict[str, Any]]:
    """Every contender in a process of its own, asked in turn; the ratios are taken round by round."""
    children = {
        name: subprocess.Popen(
            [sys.executable, "-m", "benchmarks.encoder_training", "--contender", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    }
    speeds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name, child in children.items():
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(f"{steps}\n")
            child.stdin.flush()
            tokens, seconds = json.loads(child.stdout.readline())
            if number:  # the first round warms up
                speeds[name].append(tokens / seconds)
    for child in children.values():
        assert child.stdin is not None
        child.stdin.close()
        child.wait()
    rows = []
    for name, found in speeds.items():
        row: dict[str, Any] = {
            "name": name,
            "tokens_per_second": round(statistics.median(found)),
            "low": round(min(found)),
            "high": round(max(found)),
        }
        for other in names:
            if other.startswith("trainer"):
                row[f"times {other}"] = round(
                    statistics.median(a / b for a, b in zip(found, speeds[other], strict=True)), 2
                )
        rows.append(row)
    return rows


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--steps", type=int, default=12)
    words.add_argument("--only", nargs="*", choices=CONTENDERS, default=list(CONTENDERS))
    words.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    chosen = words.parse_args()
    if chosen.contender:
        contend(chosen.contender)
        return
    for row in measure(chosen.only, chosen.rounds, chosen.steps):
        sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
