"""The `transformers` Trainer as a contender: the same weights, rows and questions as osnowa's."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
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

from benchmarks.measuring import Seat
from benchmarks.works import RATE, WARM, WARMUP, Work, workshop_of
from osnowa.exchange import write_folder
from osnowa.model import Transformer, initialise
from osnowa.objective import Target
from osnowa.runs.workshop import Workshop
from osnowa.train.precision import tune_allocator

DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "resid_pdrop",
    "embd_pdrop",
    "attn_pdrop",
    "dropout_rate",
)


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
        if self.made in (WARM, WARM + self.amount) and torch.cuda.is_available():
            torch.cuda.synchronize()
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


def train_peer(work: Work, contender: str, data: Path, seat: Seat) -> None:
    """Its defaults ("trainer"), with --bf16, or the best for the device: "trainer-tuned", "trainer-compiled"."""
    tuned, compiled = contender == "trainer-tuned", contender == "trainer-compiled"
    if tuned:
        tune_allocator()
    workshop = workshop_of(work, contender, data)  # osnowa's questions, tokenizer and rows
    model = peer_model(workshop, dropout=not (tuned or compiled), eager=tuned)
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
            use_cpu=work.device == "cpu",
            disable_tqdm=True,
            bf16=work.bfloat16_asked if contender == "trainer-bf16" else contender != "trainer" and work.bfloat16,
            torch_compile=compiled,
            dataloader_num_workers=2 if compiled and work.device == "cuda" else 0,
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
    device = next(model.parameters()).device
    for words, labels in questions(workshop):
        logits = answer({name: each.to(device) for name, each in words.items()}).flatten(0, 1).float().cpu()
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
