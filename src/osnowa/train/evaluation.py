"""How well the model does on text it never learns from, with masks that never change."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from osnowa.data import RowSequence
from osnowa.model import Transformer
from osnowa.objective import Batch, EncoderObjective

HELD_OUT_SEED = 20_180_611  # fixed, so that all runs on a corpus are asked the same
_ROWS_AT_ONCE = 32


@dataclass(frozen=True)
class HeldOutResult:
    """Means over the asked places. Next-sentence figures are None when nothing was asked."""

    masked_loss: float
    masked_accuracy: float
    num_masked: int
    next_sentence_loss: float | None
    next_sentence_accuracy: float | None
    num_pairs: int
    bits_per_byte: float

    @property
    def pseudo_perplexity(self) -> float:
        """exp of the masked loss."""
        return math.exp(min(self.masked_loss, 80.0))

    def as_dict(self) -> dict[str, float]:
        values = {
            "masked_loss": self.masked_loss,
            "masked_accuracy": self.masked_accuracy,
            "pseudo_perplexity": self.pseudo_perplexity,
            "bits_per_byte": self.bits_per_byte,
            "next_sentence_loss": self.next_sentence_loss,
            "next_sentence_accuracy": self.next_sentence_accuracy,
            "num_masked": self.num_masked,
            "num_pairs": self.num_pairs,
        }
        return {name: value for name, value in values.items() if value is not None}


class HeldOut:
    """The held-out rows and their fixed questions."""

    def __init__(self, rows: RowSequence, objective: EncoderObjective, num_rows: int, micro_rows: int) -> None:
        self.rows, self.objective = rows, objective
        self.num_rows, self.at_once = min(num_rows, len(rows.plan(0))), min(micro_rows, _ROWS_AT_ONCE)

    def evaluate(self, model: Transformer, device: torch.device) -> HeldOutResult:
        """Ask every question once."""
        loss = next_loss = 0.0
        masked = right = num_pairs = pairs_right = 0
        training = model.training
        model.eval()
        with torch.inference_mode():
            for batch in self.batches():
                outcome = self.objective.outcome(model, batch.to(device), count_right=True)
                loss, next_loss = loss + float(outcome.masked_loss), next_loss + float(outcome.next_sentence_loss)
                masked, right = masked + outcome.num_masked, right + outcome.masked_right
                num_pairs, pairs_right = num_pairs + outcome.num_pairs, pairs_right + outcome.pairs_right
        model.train(training)
        asked = num_pairs if model.next_sentence is not None else 0
        mean = loss / masked
        split = self.rows.split
        return HeldOutResult(
            masked_loss=mean,
            masked_accuracy=right / masked,
            num_masked=masked,
            next_sentence_loss=next_loss / asked if asked else None,
            next_sentence_accuracy=pairs_right / asked if asked else None,
            num_pairs=asked,
            bits_per_byte=mean / math.log(2) * split.num_tokens / max(1, split.num_bytes),
        )

    def batches(self) -> Iterator[Batch]:
        """The fixed batches, masks and all."""
        for first in range(0, self.num_rows, self.at_once):
            yield self.objective.batch(self.rows.rows(0, np.arange(first, min(first + self.at_once, self.num_rows))))


@dataclass(frozen=True)
class Baselines:
    """What knowing nothing but frequencies gives on the same held-out questions."""

    most_frequent_token: int
    most_frequent_share: float
    unigram_loss: float
    expected_initial_loss: float

    @classmethod
    def of(cls, held_out: HeldOut, train_tokens: NDArray[Any], vocab_size: int) -> Baselines:
        """`unigram_loss`: always the training text's frequencies (add-one); `expected_initial_loss`: ln(vocabulary)."""
        labels = np.concatenate([batch.labels.numpy() for batch in held_out.batches()])
        asked = np.bincount(labels, minlength=vocab_size)
        seen = np.zeros(vocab_size, dtype=np.int64)
        for first in range(0, len(train_tokens), 1 << 24):
            seen += np.bincount(train_tokens[first : first + (1 << 24)], minlength=vocab_size)
        log_share = np.log((seen + 1) / (seen.sum() + vocab_size))
        return cls(
            int(asked.argmax()),
            float(asked.max() / asked.sum()),
            float(-(asked * log_share).sum() / asked.sum()),
            math.log(vocab_size),
        )
