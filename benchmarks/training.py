"""Tokens per second of pre-training: osnowa's step beside the `transformers` Trainer, asked in turn.

    python -m benchmarks.training [WORK ...] [--rounds 5] [--quick] [--no-save]
        [--nanogpt CHECKOUT] [--nanot5 CHECKOUT]

Every work is a shape, trained by each contender from random weights on the same text (that inside Python), with the
same tokenizer, rows, batch, optimizer (AdamW), rate and warm-up. The peer's model is the one that osnowa writes as a
folder, so both begin with the same weights. Tokens are places of rows for the peer, whose rows are full, and places
that are not padding for osnowa. At the end every contender is asked the same held-out questions: with equal tokens it
must have learned as much. The share of the peak is that of a matrix product of 1,024 x 1,024 numbers in the same
precision, measured in the same process when all others wait. Each work takes about six minutes on any machine: the
slower it is, the fewer steps has a round.

A peer's process is as its library leaves it. "trainer" is the Trainer in its defaults, "trainer-bf16" the same with
--bf16 (not where a step of it would take minutes), "trainer-tuned" has bfloat16 where the processor multiplies it, no
dropout, eager attention, and memory that stays in the process as osnowa's does. What osnowa sets beyond that (float32
products by oneDNN on AMD) is part of what is compared.

--nanogpt and --nanot5 name local checkouts, which then are peers of clm-4x256 and t5-v1.1-4+4x256.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from transformers.utils import logging as hf_logging

from benchmarks import checkouts
from benchmarks.measuring import Goal, Row, Seat, compare, measure, tell
from benchmarks.trainer import COLLATORS, ask, count_tokens, peer_model, peer_rows, train_peer
from benchmarks.works import CHECKOUT_T5, CPU, MASKED, RATE, WARM, WARMUP, WORKS, Work, workshop_of
from osnowa.runs.prepare import prepare_into
from osnowa.runs.speed import matrix_peak
from osnowa.runs.work import flops_per_token
from osnowa.train.budget import StepPlan

SECONDS, QUICK_SECONDS = 320.0, 20.0  # that the rounds of one work may take, all contenders together
QUICK = ("mlm-4x256", "clm-4x256", "t5-4+4x256")


# --- osnowa -----------------------------------------------------------------------------------------------------------


def train_ours(work: Work, contender: str, data: Path, seat: Seat) -> None:
    if contender == "osnowa-masked":
        work = replace(work, settings=MASKED)
    workshop = workshop_of(work, contender, data)
    trainer = workshop.trainer(StepPlan(100_000, WARMUP, "steps"))

    def learned() -> dict[str, float]:
        recipe = workshop.recipe
        return {
            "held_out_loss": workshop.held_out.evaluate(trainer.model, trainer.device).token_loss,
            "tokens_seen": trainer.state.tokens,
            "mflop_a_token": flops_per_token(recipe.model, recipe.objective, recipe.data.row_length) / 1e6,
            "peak_gflops": matrix_peak(workshop.machine) / 1e9,
        }

    make_steps(seat, lambda: trainer.step().tokens, learned)


def make_steps(seat: Seat, step: Callable[[], int], learned: Callable[[], dict[str, float]]) -> None:
    """Make as many steps as are asked for, the first ones of each asking not timed; `step` gives its tokens."""
    for amount in seat.amounts():
        if not amount:
            seat.answer(**learned())
            continue
        for _ in range(WARM):
            step()
        began = time.perf_counter()
        tokens = sum(step() for _ in range(amount))
        seat.answer(done=tokens, seconds=time.perf_counter() - began)


def train_checkout(work: Work, contender: str, data: Path, seat: Seat) -> None:
    """A model from a checkout, trained as its own script trains it."""
    found = checkouts.split(contender)
    assert found is not None
    name, folder = found
    workshop = workshop_of(work, contender, data)
    reference, rows = peer_model(workshop, dropout=False, eager=True), peer_rows(workshop)
    device = torch.device(work.device)
    peer = checkouts.BUILDERS[name](folder, reference, work.length, RATE, device)
    collate = COLLATORS[reference.config.is_encoder_decoder, workshop.recipe.objective.question](workshop)

    def batches() -> Iterator[dict[str, torch.Tensor]]:
        rng = np.random.default_rng(0)
        while True:
            yield collate([rows[place] for place in rng.integers(len(rows), size=work.rows)])

    made = checkouts.steps(peer, batches(), WARMUP, torch.bfloat16 if work.bfloat16 else torch.float32, device)
    seen: list[int] = []

    def step() -> int:
        seen.append(count_tokens(next(made)))
        return seen[-1]

    make_steps(seat, step, lambda: {"held_out_loss": ask(peer.model, workshop, peer.logits), "tokens_seen": sum(seen)})


# --- the whole ----------------------------------------------------------------------------------------------------------


def contend(name: str, data: Path, contender: str) -> None:
    """A child."""
    seat = Seat()
    logging.disable(logging.WARNING)
    hf_logging.set_verbosity_error()
    train = train_ours if contender.startswith("osnowa") else train_checkout if "=" in contender else train_peer
    train(WORKS[name], contender, data, seat)


def run(name: str, folder: Path, rounds: int, seconds: float, extra: Sequence[str] = ()) -> list[Row]:
    """Measure one work; `extra` contenders are peers without a goal."""
    work, data = WORKS[name], folder / name
    prepare_into(["sample:python-docs"], data, work.recipe("osnowa"))
    command = (sys.executable, "-m", "benchmarks.training", "--contender", name, str(data))
    peers = [each for each in work.peers if work.bfloat16_asked or each != "trainer-bf16" or not work.goals]
    names = (*work.ours, *peers, *extra)
    rows = measure(
        command, name, names, amount=1, rounds=rounds, unit="tokens/s", budget=seconds, idle=WARM, learned=True
    )
    goals = {
        (own, peer): Goal(*work.goals[peer]) if peer in work.goals else None
        for own in work.ours
        for peer in names[len(work.ours) :]
    }
    compare(rows, goals)
    for own in work.ours:
        facts = rows[own].facts
        if work.aim_rate:
            facts["aim_rate"] = work.aim_rate
        facts["peak_share"] = rows[own].median * facts["mflop_a_token"] / (1e3 * facts["peak_gflops"])
    return list(rows.values())


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("works", nargs="*", metavar="WORK", help=f"{', '.join(WORKS)}; none: all but the tiny ones")
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--quick", action="store_true", help=f"three rounds of {', '.join(QUICK)} alone")
    words.add_argument("--no-save", action="store_true", help="leave benchmarks/results as it is")
    words.add_argument("--nanogpt", type=Path, metavar="CHECKOUT", help="a peer of clm-4x256")
    words.add_argument("--nanot5", type=Path, metavar="CHECKOUT", help="a peer of t5-v1.1-4+4x256")
    words.add_argument("--contender", nargs=3, help=argparse.SUPPRESS)
    chosen = words.parse_args()
    if chosen.contender:
        name, data, contender = chosen.contender
        contend(name, Path(data), contender)
        return
    extra = {"clm-4x256": ("nanogpt", chosen.nanogpt), CHECKOUT_T5: ("nanot5", chosen.nanot5)}
    names = chosen.works or [
        *(name for name in CPU if not chosen.quick or name in QUICK),
        *([CHECKOUT_T5] if chosen.nanot5 else []),
    ]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            peer, path = extra.get(name, ("", None))
            more = (f"{peer}={path.resolve()}",) if path is not None else ()
            rounds, seconds = (3, QUICK_SECONDS) if chosen.quick else (chosen.rounds, SECONDS)
            rows += run(name, Path(folder), rounds, seconds, more)
    tell("training", rows, save=not chosen.no_save)


if __name__ == "__main__":
    main()
