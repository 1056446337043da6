"""What a masked model has learned after so many minutes: an osnowa run beside the `transformers` Trainer.

    osnowa pretrain TEXT --preset bert-mini --minutes 10 --out RUN
    python -m benchmarks.encoder_learning RUN [--precision bf16] [--rate 5e-4]

The Trainer gets a BERT of the run's size, the run's tokens and tokenizer, as many minutes as the run trained, and is then
asked the run's own held-out questions. Its rows are the text end to end, cut at the run's row length; 15 % masked.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import BertConfig, BertForMaskedLM

from benchmarks.learning import ROWS, FinishedRun, arguments, train_peer
from benchmarks.trainer import masked_collator, peer_rows
from osnowa.runs.workshop import Workshop


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
    words = arguments(__doc__, 5e-4)
    run = FinishedRun.open(words.run)
    facts, workshop, tokenizer, store = run.facts, run.workshop(), run.prepared.tokenizer, run.prepared.store
    model, length = run.recipe.model, run.recipe.data.row_length
    dataset, collate = peer_rows(workshop), masked_collator(workshop, 0.15)
    config = BertConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=model.d_model,
        num_hidden_layers=model.encoder_layers,
        num_attention_heads=model.num_heads,
        intermediate_size=4 * model.d_model,
        max_position_embeddings=model.max_positions,
    )
    peer = BertForMaskedLM(config)
    seconds = 60 * words.minutes if words.minutes else run.seconds
    steps = train_peer(peer, dataset, collate, seconds, rate=words.rate, bf16=words.precision == "bf16")
    loss, accuracy = ask(peer, workshop)
    ours, always = facts["result"], facts["baselines"]
    tokens = steps * ROWS * length
    print(f"{seconds:.0f} s of training each, {len(store.train.tokens):,} tokens of text")  # noqa: T201
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
