"""How well pairs are translated after so many minutes: an osnowa run beside the `transformers` Trainer.

    osnowa pretrain PAIRS.tsv --preset transformer-tiny --source-column 1 --target-column 2 --minutes 30 --out RUN
    python -m benchmarks.pair_learning RUN [--precision bf16] [--rate 1e-3]

The Trainer gets the model of the run's own config.json with random weights, the run's pairs and tokenizer, and as many
minutes as the run trained. Both then translate the run's held-out pairs greedily, and sacrebleu scores them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import sacrebleu
import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM

from benchmarks.learning import ROWS, FinishedRun, arguments, train_peer
from osnowa.data import TokenSplit
from osnowa.objective import Target
from osnowa.runs.translations import held_out_pairs
from osnowa.tokenizer import Tokenizer


def pairs_of(split: TokenSplit, end: int, longest: int) -> list[dict[str, list[int]]]:
    """Every pair of a split, the end behind each side."""
    borders = np.asarray(split.sentences)
    sides = [[*split.tokens[a:b].tolist(), end] for a, b in pairwise(borders)]
    both = zip(sides[::2], sides[1::2], strict=True)
    return [{"source": a, "target": b} for a, b in both if max(len(a), len(b)) <= longest]


def padded(rows: list[list[int]], filler: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows])


def collate(features: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    """Padding is id 0, and nothing is asked there."""
    sources = padded([each["source"] for each in features], 0)
    labels = padded([each["target"] for each in features], -100)
    return {"input_ids": sources, "attention_mask": (sources != 0).long(), "labels": labels}


@torch.inference_mode()
def translate(model: Any, tokenizer: Tokenizer, pairs: list[tuple[list[int], list[int]]]) -> list[str]:
    """Greedy answers, within the room that osnowa's own scoring gives."""
    model.eval()
    said = []
    for first in range(0, len(pairs), 16):
        some = pairs[first : first + 16]
        sources = padded([source for source, _ in some], 0).to(model.device)
        room = int(max(len(target) for _, target in some) * 1.5) + 16
        answers = model.generate(
            input_ids=sources, attention_mask=(sources != 0).long(), max_new_tokens=room, num_beams=1, do_sample=False
        )
        for row in answers.tolist():
            end = row.index(tokenizer.sep) if tokenizer.sep in row else len(row)
            said.append(tokenizer.decode([each for each in row[:end] if each not in tokenizer.specials.values()]))
    return [each.strip() for each in said]


def main() -> None:
    words = arguments(__doc__, 1e-3)
    run = FinishedRun.open(words.run)
    tokenizer, store, ours = run.prepared.tokenizer, run.prepared.store, run.facts["result"]
    objective = run.workshop().held_out.objective
    assert isinstance(objective, Target)
    peer = AutoModelForSeq2SeqLM.from_config(AutoConfig.from_pretrained(words.run / "model"))
    seconds = 60 * words.minutes if words.minutes else run.seconds
    dataset = pairs_of(store.train, tokenizer.sep, run.recipe.data.row_length)
    steps = train_peer(peer, dataset, collate, seconds, rate=words.rate, bf16=words.precision == "bf16")
    pairs = sorted(held_out_pairs(objective, store.held_out), key=lambda pair: len(pair[0]))
    said = translate(peer, tokenizer, pairs)
    truths = [[tokenizer.decode(target[:-1]).strip() for _, target in pairs]]
    training = run.facts["training"]
    print(f"{seconds:.0f} s of training each, {len(dataset):,} pairs, {len(pairs)} held-out pairs scored")  # noqa: T201
    print("| | pairs seen | BLEU | chrF |\n| --- | --: | --: | --: |")  # noqa: T201
    epochs = training["tokens"] / max(1, store.train.num_tokens)
    print(  # noqa: T201
        f"| osnowa {run.facts['preset']} | {epochs * len(dataset):,.0f} | {ours['bleu']:.1f} | {ours['chrf']:.1f} |"
    )
    bleu, chrf = sacrebleu.BLEU().corpus_score(said, truths), sacrebleu.CHRF().corpus_score(said, truths)
    print(f"| Trainer {words.precision} | {steps * ROWS:,} | {bleu.score:.1f} | {chrf.score:.1f} |")  # noqa: T201
    print(f"| the source itself | | {ours['copied_bleu']:.1f} | {ours['copied_chrf']:.1f} |")  # noqa: T201


if __name__ == "__main__":
    main()
