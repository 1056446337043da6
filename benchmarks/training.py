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

--nanogpt and --nanot5 name local checkouts, which then are peers of clm-4x256 and t5-v1.1-4+4x256.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.utils import logging as hf_logging

from benchmarks import checkouts
from benchmarks.measuring import Goal, Row, Seat, compare, measure, tell
from osnowa.exchange import write_folder
from osnowa.model import Transformer, initialise
from osnowa.objective import Target
from osnowa.runs.api import recipe_of
from osnowa.runs.machine import set_up
from osnowa.runs.prepare import open_prepared, prepare_into
from osnowa.runs.recipe import Recipe
from osnowa.runs.speed import matrix_peak
from osnowa.runs.work import flops_per_token
from osnowa.runs.workshop import Workshop
from osnowa.train.budget import StepPlan
from osnowa.train.precision import has_fast_bfloat16, tune_allocator

RATE, WARMUP, WARM = 3e-4, 20, 1
SECONDS, QUICK_SECONDS = 320.0, 60.0  # that the rounds of one work may take, all contenders together
VOCABULARY = 16_384
FAST_BFLOAT16 = has_fast_bfloat16(torch.device("cpu"))
PEERS = ("trainer", "trainer-bf16", "trainer-tuned")
CHECKOUT_T5 = "t5-v1.1-4+4x256"
DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "resid_pdrop",
    "embd_pdrop",
    "attn_pdrop",
    "dropout_rate",
)
Goals = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Work:
    """A preset with some settings, as both sides train it; goals by peer: (floor, aim)."""

    preset: str
    length: int
    rows: int
    goals: Goals
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    peers: tuple[str, ...] = PEERS
    ours: tuple[str, ...] = ("osnowa",)
    vocabulary: int = VOCABULARY

    def recipe(self, contender: str) -> Recipe:
        """Ours: no dropout but where the name says so, the Trainer's optimizer."""
        precision = "fp32" if contender.endswith("fp32") else "auto"
        ours: dict[str, dict[str, Any]] = {
            "model": {"dropout": 0.1 if contender.endswith("dropout") else 0.0},
            "tokenizer": {"vocab_size": self.vocabulary},
            "data": {"row_length": self.length},
            "training": {
                "batch_rows": self.rows,
                "optimiser": "adamw",
                "learning_rate": RATE,
                "beta2": 0.999,
                "weight_decay": 0.0,
                "precision": precision,
                "held_out_rows": 128,
            },
        }
        for name, section in self.settings.items():
            ours[name] = {**ours.get(name, {}), **section}
        return recipe_of(preset=self.preset, steps=100_000, device="cpu", settings=ours)


MASKED = {"objective": {"name": "masked"}, "model": {"next_sentence": False}}
WORKS: dict[str, Work] = {
    "mlm-4x256": Work(
        "bert-mini",
        128,
        32,
        {"trainer": (7, 10), "trainer-bf16": (3.5, 5), "trainer-tuned": (1.8, 2.5)},
        ours=("osnowa", "osnowa-masked", "osnowa-dropout"),
    ),
    "mlm-6x512": Work(
        "bert-small",
        128,
        32,
        {"trainer": (5, 6), "trainer-bf16": (2.3, 3), "trainer-tuned": (1.3, 1.8)},
        {**MASKED, "model": {"encoder_layers": 6, "next_sentence": False}},
    ),
    "mlm-12x768": Work(
        "bert-base",
        128,
        8,
        {"trainer": (4, 5.5), "trainer-bf16": (1.6, 2.2), "trainer-tuned": (1.15, 1.5)},
        MASKED,
    ),
    "clm-4x256": Work(
        "gpt2-mini", 256, 16, {"trainer": (4, 6), "trainer-bf16": (2.3, 3.5), "trainer-tuned": (1.15, 1.6)}
    ),
    "t5-4+4x256": Work(
        "t5-mini", 128, 32, {"trainer": (4, 6), "trainer-bf16": (2.2, 3.3), "trainer-tuned": (1.3, 1.7)}
    ),
    # asked for by --nanot5 alone: that code knows no plain feed-forward network
    CHECKOUT_T5: Work("t5-v1.1-mini", 128, 32, {}, peers=("trainer", "trainer-tuned")),
    "mlm-4x256-fp32": Work(
        "bert-mini", 128, 32, {"trainer": (3.5, 4.5)}, MASKED, peers=("trainer",), ours=("osnowa-fp32",)
    ),
    # seconds on any machine: what the test of this benchmark runs
    "mlm-tiny": Work("bert-tiny", 32, 4, {"trainer": (1, 2)}, MASKED, peers=("trainer",), vocabulary=512),
    "clm-tiny": Work("llama-tiny", 32, 4, {"trainer": (1, 2)}, peers=("trainer",), vocabulary=512),
    "t5-tiny": Work("t5-tiny", 32, 4, {"trainer": (1, 2)}, peers=("trainer",), vocabulary=512),
}
TINY = tuple(name for name in WORKS if name.endswith("-tiny"))


def workshop_of(work: Work, contender: str, data: Path) -> Workshop:
    recipe, prepared = work.recipe(contender), open_prepared(data)
    recipe = recipe.changed({"model": {"vocab_size": prepared.tokenizer.vocab_size}})
    return Workshop(recipe, prepared, set_up(recipe))


# --- osnowa -----------------------------------------------------------------------------------------------------------


def train_ours(work: Work, contender: str, data: Path, seat: Seat) -> None:
    if contender == "osnowa-masked":
        work = Work(work.preset, work.length, work.rows, work.goals, MASKED, vocabulary=work.vocabulary)
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


# --- the Trainer --------------------------------------------------------------------------------------------------------


class Asked(TrainerCallback):  # type: ignore[misc]
    """Lets the Trainer make as many steps as it is asked for, and measures them; its first ones are not counted."""

    def __init__(self, seat: Seat, tokens_a_step: float, evaluate: Callable[[], float]) -> None:
        self.seat, self.amounts, self.tokens_a_step = seat, seat.amounts(), tokens_a_step
        self.evaluate = evaluate
        self.amount = self.made = self.total = 0
        self.began = 0.0

    def on_train_begin(self, _args: Any, _state: Any, control: Any, **_: Any) -> None:
        self.listen(control)

    def on_step_end(self, _args: Any, _state: Any, control: Any, **_: Any) -> None:
        self.made, self.total = self.made + 1, self.total + 1
        if self.made == WARM:
            self.began = time.perf_counter()
        if self.made == WARM + self.amount:
            seconds = time.perf_counter() - self.began
            self.seat.answer(done=self.amount * self.tokens_a_step, seconds=seconds)
            self.listen(control)

    def listen(self, control: Any) -> None:
        self.made = 0
        for amount in self.amounts:
            if amount:
                self.amount = amount
                return
            self.seat.answer(held_out_loss=self.evaluate(), tokens_seen=self.total * self.tokens_a_step)
        control.should_training_stop = True


def train_checkout(work: Work, contender: str, data: Path, seat: Seat) -> None:
    """A model from a checkout, trained as its own script trains it."""
    found = checkouts.split(contender)
    assert found is not None
    name, folder = found
    workshop = workshop_of(work, "osnowa-fp32", data)
    reference, rows = peer_model(workshop, dropout=False, eager=True), peer_rows(workshop)
    peer = checkouts.BUILDERS[name](folder, reference, work.length, RATE)
    collate = COLLATORS[reference.config.is_encoder_decoder, workshop.recipe.objective.question](workshop)

    def batches() -> Iterator[dict[str, torch.Tensor]]:
        rng = np.random.default_rng(0)
        while True:
            yield collate([rows[place] for place in rng.integers(len(rows), size=work.rows)])

    made = checkouts.steps(peer, batches(), WARMUP, torch.bfloat16 if FAST_BFLOAT16 else torch.float32)
    seen: list[int] = []

    def step() -> int:
        seen.append(count_tokens(next(made)))
        return seen[-1]

    make_steps(seat, step, lambda: {"held_out_loss": ask(peer.model, workshop, peer.logits), "tokens_seen": sum(seen)})


def train_peer(work: Work, contender: str, data: Path, seat: Seat) -> None:
    tuned = contender == "trainer-tuned"
    if tuned:
        tune_allocator()
    workshop = workshop_of(work, "osnowa-fp32", data)  # its questions, tokenizer and rows
    model = peer_model(workshop, dropout=not tuned, eager=tuned)
    rows = peer_rows(workshop)
    collate = COLLATORS[model.config.is_encoder_decoder, workshop.recipe.objective.question](workshop)
    tokens = count_tokens(collate([rows[0]] * work.rows))

    def evaluate() -> float:
        return ask(model, workshop)

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=work.rows,
            learning_rate=RATE,
            lr_scheduler_type="constant_with_warmup",
            warmup_steps=WARMUP,
            max_steps=1_000_000,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            remove_unused_columns=False,
            use_cpu=True,
            disable_tqdm=True,
            bf16=contender in ("trainer-bf16", "trainer-tuned") and FAST_BFLOAT16,
        )
        asked = Asked(seat, tokens, evaluate)
        Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collate, callbacks=[asked]).train()


def peer_model(workshop: Workshop, *, dropout: bool, eager: bool) -> Any:
    """The library's model of the same shape with the weights that osnowa begins with."""
    recipe = workshop.recipe
    own = Transformer(recipe.model)
    initialise(own, recipe.run.seed)
    kinds = {"encoder": AutoModelForMaskedLM, "decoder": AutoModelForCausalLM, "encoder-decoder": AutoModelForSeq2SeqLM}
    with tempfile.TemporaryDirectory() as folder:
        weights = dict(own.named_parameters())
        write_folder(Path(folder), recipe.model, weights, workshop.prepared.tokenizer, card="")
        config = AutoConfig.from_pretrained(folder)
        for name in DROPOUTS:
            if hasattr(config, name):
                setattr(config, name, 0.1 if dropout else 0.0)
        model = kinds[recipe.model.topology].from_pretrained(
            folder, config=config, dtype=torch.float32, attn_implementation="eager" if eager else None
        )
    theirs = sum(each.numel() for each in model.parameters())
    next_sentence = 0 if own.next_sentence is None else sum(each.numel() for each in own.next_sentence.parameters())
    assert theirs == own.parameter_count() - next_sentence, (theirs, own.parameter_count())
    return model


def peer_rows(workshop: Workshop) -> list[dict[str, Any]]:
    """The text end to end, cut at the row's length; an encoder's rows with [CLS] and [SEP]."""
    tokenizer, length = workshop.prepared.tokenizer, workshop.recipe.data.row_length
    text = np.asarray(workshop.prepared.store.train.tokens, dtype=np.int64)
    if workshop.recipe.objective.question == "next":
        return [{"ids": row} for row in text[: len(text) // length * length].reshape(-1, length)]
    objective = workshop.held_out.objective
    if isinstance(objective, Target):
        inside = int(objective.room.budget)
        return [{"ids": row} for row in text[: len(text) // inside * inside].reshape(-1, inside)]
    inside = length - 2
    rows = text[: len(text) // inside * inside].reshape(-1, inside)
    return [{"ids": np.concatenate(([tokenizer.cls], row, [tokenizer.sep]))} for row in rows]


def count_tokens(batch: dict[str, torch.Tensor]) -> int:
    """Places of source and target."""
    return sum(batch[name].numel() for name in ("input_ids", "decoder_input_ids") if name in batch)


def stacked(features: list[dict[str, Any]]) -> torch.Tensor:
    return torch.tensor(np.array([each["ids"] for each in features]), dtype=torch.long)


def masked_collator(workshop: Workshop, share: float | None = None) -> Any:
    """80/10/10 masking of `share` of the tokens (none: osnowa's own share), as the library's collator does it."""
    tokenizer = workshop.prepared.tokenizer
    specials, share = len(tokenizer.specials), share or workshop.recipe.objective.mask_share

    def collate(features: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        tokens = stacked(features)
        labels, chosen = tokens.clone(), (torch.rand(tokens.shape) < share) & (tokens >= specials)
        labels[~chosen] = -100
        dice = torch.rand(tokens.shape)
        tokens = torch.where(chosen & (dice < 0.8), torch.tensor(tokenizer.mask), tokens)
        random = chosen & (dice >= 0.8) & (dice < 0.9)
        tokens = torch.where(random, torch.randint(specials, tokenizer.vocab_size, tokens.shape), tokens)
        return {"input_ids": tokens, "labels": labels, "attention_mask": torch.ones_like(tokens)}

    return collate


def causal_collator(_: Workshop) -> Any:
    """Each next token; the library shifts the labels itself."""

    def collate(features: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        tokens = stacked(features)
        return {"input_ids": tokens, "labels": tokens.clone(), "attention_mask": torch.ones_like(tokens)}

    return collate


def span_collator(workshop: Workshop) -> Any:
    """Hidden spans of 15 %, of 3 tokens on average, behind sentinels (Raffel et al. 2020), anew for each row."""
    tokenizer = workshop.prepared.tokenizer
    sentinels = [tokenizer.token_id(f"<extra_id_{number}>") for number in range(100)]
    rng = np.random.default_rng(0)

    def pieces(total: int, count: int) -> np.ndarray[Any, Any]:
        cuts = np.sort(rng.choice(total - 1, count - 1, replace=False)) + 1
        return np.diff(np.concatenate(([0], cuts, [total])))

    def damage(ids: np.ndarray[Any, Any]) -> tuple[list[int], list[int]]:
        hidden = max(1, round(len(ids) * 0.15))
        count = max(1, round(hidden / 3))
        source, target, at = list[int](), list[int](), 0
        for number, (kept, gone) in enumerate(
            zip(pieces(len(ids) - hidden, count), pieces(hidden, count), strict=True)
        ):
            source += [*ids[at : at + kept].tolist(), sentinels[number]]
            target += [sentinels[number], *ids[at + kept : at + kept + gone].tolist()]
            at += kept + gone
        return [*source, tokenizer.sep], [*target, tokenizer.sep]

    def collate(features: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        sources, targets = zip(*(damage(each["ids"]) for each in features), strict=True)
        tokens, labels = torch.tensor(sources), torch.tensor(targets)
        before = torch.cat((torch.zeros(len(labels), 1, dtype=torch.long), labels[:, :-1]), 1)
        return {
            "input_ids": tokens,
            "attention_mask": torch.ones_like(tokens),
            "decoder_input_ids": before,
            "labels": labels,
        }

    return collate


COLLATORS: dict[tuple[bool, str], Callable[[Workshop], Any]] = {
    (False, "hidden"): masked_collator,
    (False, "next"): causal_collator,
    (True, "target"): span_collator,
}


@torch.inference_mode()
def ask(
    model: Any, workshop: Workshop, answer: Callable[[dict[str, torch.Tensor]], torch.Tensor] | None = None
) -> float:
    """The mean loss on osnowa's held-out questions, each document by itself; `answer` gives the model's logits."""
    loss, asked = 0.0, 0
    answer = answer or (lambda words: model(**words).logits)
    model.eval()
    for words, labels in questions(workshop):
        logits = answer(words).flatten(0, 1).float()
        loss += float(torch.nn.functional.cross_entropy(logits, labels.flatten(), ignore_index=-100, reduction="sum"))
        asked += int((labels != -100).sum())
    model.train()
    return loss / asked


def questions(workshop: Workshop) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
    """Inputs of the library's model and the label of every place, -100 where nothing is asked.

    A row may hold several documents: each is a row of its own here, since the library's models see no borders.
    """
    for batch in workshop.held_out.batches():
        labels = torch.full((batch.tokens.numel(),), -100)
        labels[batch.selected] = batch.labels
        labels = labels.view(batch.tokens.shape)
        if batch.source is None:
            yield from apart(batch.tokens, batch.layout.document_ids, labels)
            continue
        for row in range(len(batch.tokens)):
            for number in range(1, int(batch.layout.document_ids[row].max()) + 1):
                here = batch.layout.document_ids[row] == number
                there = batch.source.layout.document_ids[row] == number
                tokens = batch.source.tokens[row, there][None]
                words = {
                    "input_ids": tokens,
                    "attention_mask": torch.ones_like(tokens),
                    "decoder_input_ids": batch.tokens[row, here][None],
                }
                yield words, labels[row, here]


def apart(
    tokens: torch.Tensor, documents: torch.Tensor, labels: torch.Tensor
) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
    for row in range(len(tokens)):
        for number in range(1, int(documents[row].max()) + 1):
            here = documents[row] == number
            own = tokens[row, here][None]
            yield {"input_ids": own, "attention_mask": torch.ones_like(own)}, labels[row, here]


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
    # Where bfloat16 is emulated, a step of the peer in it would take minutes, and its best is float32.
    peers = [each for each in work.peers if FAST_BFLOAT16 or each != "trainer-bf16"]
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
        facts["peak_share"] = rows[own].median * facts["mflop_a_token"] / (1e3 * facts["peak_gflops"])
    return list(rows.values())


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("works", nargs="*", metavar="WORK", help=f"{', '.join(WORKS)}; none: all but the tiny ones")
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--quick", action="store_true", help="three rounds, and no model of 12 layers")
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
    left_out = {*TINY, *(("mlm-12x768",) if chosen.quick else ()), *(() if chosen.nanot5 else (CHECKOUT_T5,))}
    names = chosen.works or [name for name in WORKS if name not in left_out]
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
