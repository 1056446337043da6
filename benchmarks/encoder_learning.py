"""What a masked model has learned after so many minutes: an osnowa run beside the `transformers` Trainer.

    osnowa pretrain TEXT --preset bert-mini --minutes 10 --out RUN
    python -m benchmarks.encoder_learning RUN [--precision bf16] [--rate 5e-4]

The Trainer gets a BERT of the run's size, the run's tokens and tokenizer, as many minutes as the run trained, and is then
asked the run's own held-out questions. Its rows are the text end to end, cut at the run's row length; 15 % masked.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from transformers import BertConfig, BertForMaskedLM, Trainer, TrainerCallback, TrainingArguments

from osnowa.runs.machine import set_up
from osnowa.runs.prepare import data_folder, open_prepared
from osnowa.runs.recipe import Recipe
from osnowa.runs.workshop import Workshop


class Clock(TrainerCallback):  # type: ignore[misc]
    """Stops the training when the time is up; evaluation and start-up are not counted."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.began, self.steps = seconds, 0.0, 0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.began = time.monotonic()

    def on_step_end(self, _args: Any, state: Any, control: Any, **__: Any) -> None:
        self.steps = state.global_step
        control.should_training_stop = time.monotonic() - self.began > self.seconds


def collator(mask: int, specials: int, vocab_size: int) -> Any:
    """80/10/10 masking of 15 %, as the library's collator does it."""

    def collate(features: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        tokens = torch.tensor(np.array([each["input_ids"] for each in features]), dtype=torch.long)
        labels, chosen = tokens.clone(), (torch.rand(tokens.shape) < 0.15) & (tokens >= specials)
        labels[~chosen] = -100
        dice = torch.rand(tokens.shape)
        tokens = torch.where(chosen & (dice < 0.8), torch.tensor(mask), tokens)
        random = chosen & (dice >= 0.8) & (dice < 0.9)
        tokens = torch.where(random, torch.randint(specials, vocab_size, tokens.shape), tokens)
        return {"input_ids": tokens, "labels": labels, "attention_mask": torch.ones_like(tokens)}

    return collate


def ask(model: Any, workshop: Workshop) -> tuple[float, float]:
    """(loss, accuracy) on the run's held-out questions."""
    loss, right, asked = 0.0, 0, 0
    model.eval()
    with torch.inference_mode():
        for batch in workshop.held_out.batches():
            real = (batch.layout.document_ids > 0).long()
            logits = model(input_ids=batch.tokens, attention_mask=real, token_type_ids=batch.segments).logits
            found = logits.flatten(0, 1)[batch.selected].float()
            loss += float(torch.nn.functional.cross_entropy(found, batch.labels, reduction="sum"))
            right, asked = right + int((found.argmax(-1) == batch.labels).sum()), asked + len(batch.labels)
    return loss / asked, right / asked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", type=float, help="as many as the run trained, unless given")
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    words = parser.parse_args()
    recipe = Recipe.build(recipe_file=words.run / "recipe.toml")
    prepared, facts = open_prepared(data_folder(words.run, recipe)), json.loads((words.run / "facts.json").read_text())
    workshop = Workshop(recipe, prepared, set_up(recipe))
    model, length, tokenizer = recipe.model, recipe.data.row_length, prepared.tokenizer
    inside = length - 2
    text = np.asarray(prepared.store.train.tokens, dtype=np.int64)
    rows = text[: len(text) // inside * inside].reshape(-1, inside)
    dataset = [{"input_ids": np.concatenate(([tokenizer.cls], row, [tokenizer.sep]))} for row in rows]
    config = BertConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=model.d_model,
        num_hidden_layers=model.encoder_layers,
        num_attention_heads=model.num_heads,
        intermediate_size=4 * model.d_model,
        max_position_embeddings=model.max_positions,
    )
    peer = BertForMaskedLM(config)
    seconds = 60 * words.minutes if words.minutes else facts["training"]["seconds"]
    clock = Clock(seconds)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=32,
            learning_rate=words.rate,
            lr_scheduler_type="constant_with_warmup",
            warmup_steps=100,
            max_steps=1_000_000,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            use_cpu=not torch.cuda.is_available(),
            disable_tqdm=True,
            bf16=words.precision == "bf16",
        )
        Trainer(
            model=peer,
            args=arguments,
            train_dataset=dataset,
            data_collator=collator(tokenizer.mask, len(tokenizer.specials), tokenizer.vocab_size),
            callbacks=[clock],
        ).train()
    loss, accuracy = ask(peer, workshop)
    ours, always = facts["result"], facts["baselines"]
    tokens = clock.steps * 32 * length
    print(f"{seconds:.0f} s of training each, {len(prepared.store.train.tokens):,} tokens of text")  # noqa: T201
    print("| | tokens/s | tokens | held-out loss | accuracy |\n| --- | --: | --: | --: | --: |")  # noqa: T201
    training = facts["training"]
    print(  # noqa: T201
        f"| osnowa {facts['preset']} | {training['tokens'] / training['seconds']:,.0f} | {training['tokens']:,} "
        f"| {ours['token_loss']:.3f} | {ours['token_accuracy']:.1%} |"
    )
    print(f"| Trainer {words.precision} | {tokens / seconds:,.0f} | {tokens:,} | {loss:.3f} | {accuracy:.1%} |")  # noqa: T201
    print(f"| always the most frequent | | | {always['unigram_loss']:.3f} | {always['most_frequent_share']:.1%} |")  # noqa: T201


if __name__ == "__main__":
    main()
