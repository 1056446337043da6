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
from osnowa.objective import Batch, Objective

HELD_OUT_SEED = 20_180_611  # fixed, so that all runs on a corpus are asked the same
_ROWS_AT_ONCE = 32


@dataclass(frozen=True)
class HeldOutResult:
    """Means over the asked places. Next-sentence figures (or those of sentence order) are None when nothing was asked."""

    token_loss: float
    token_accuracy: float
    num_asked: int
    next_sentence_loss: float | None
    next_sentence_accuracy: float | None
    num_pairs: int
    bits_per_byte: float

    @property
    def perplexity(self) -> float:
        """exp of the token loss; where hidden tokens are asked, of the pseudo-likelihood (Salazar et al. 2020)."""
        return math.exp(min(self.token_loss, 80.0))

    def as_dict(self) -> dict[str, float]:
        values = {
            "token_loss": self.token_loss,
            "token_accuracy": self.token_accuracy,
            "perplexity": self.perplexity,
            "bits_per_byte": self.bits_per_byte,
            "next_sentence_loss": self.next_sentence_loss,
            "next_sentence_accuracy": self.next_sentence_accuracy,
            "num_asked": self.num_asked,
            "num_pairs": self.num_pairs,
        }
        return {name: value for name, value in values.items() if value is not None}


class HeldOut:
    """The held-out rows and their fixed questions."""

    def __init__(
        self,
        rows: RowSequence,
        objective: Objective,
        num_rows: int,
        micro_rows: int,
        text_bytes: NDArray[np.int32] | None = None,
    ) -> None:
        """`text_bytes` [vocab]: bytes of text in each token; None: as many in each as there are on average."""
        self.rows, self.objective, self.text_bytes = rows, objective, text_bytes
        self.num_rows, self.at_once = min(num_rows, len(rows.plan(0))), min(micro_rows, _ROWS_AT_ONCE)

    def evaluate(self, model: Transformer, device: torch.device) -> HeldOutResult:
        """Ask every question once."""
        loss = next_loss = num_bytes = 0.0
        asked = right = num_pairs = pairs_right = 0
        training = model.training
        model.eval()
        with torch.inference_mode():
            for batch in self.batches():
                outcome = self.objective.outcome(model, batch.to(device), count_right=True)
                loss, next_loss = loss + float(outcome.token_loss), next_loss + float(outcome.next_sentence_loss)
                asked, right = asked + outcome.num_asked, right + outcome.right
                num_bytes += self.bytes_of(batch)
                num_pairs, pairs_right = num_pairs + outcome.num_pairs, pairs_right + outcome.pairs_right
        model.train(training)
        if model.next_sentence is None:
            num_pairs = 0
        return HeldOutResult(
            token_loss=loss / asked,
            token_accuracy=right / asked,
            num_asked=asked,
            next_sentence_loss=next_loss / num_pairs if num_pairs else None,
            next_sentence_accuracy=pairs_right / num_pairs if num_pairs else None,
            num_pairs=num_pairs,
            bits_per_byte=loss / math.log(2) / max(1.0, num_bytes),
        )

    def bytes_of(self, batch: Batch) -> float:
        """Bytes of text behind the asked tokens of a batch."""
        if self.text_bytes is None:
            split = self.rows.split
            return len(batch.labels) * split.num_bytes / max(1, split.num_tokens)
        return float(self.text_bytes[batch.labels.numpy()].sum())

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
    def of(cls, held_out: HeldOut, seen: NDArray[np.int64]) -> Baselines:
        """`unigram_loss`: always the frequencies `seen` in training (add-one); `expected_initial_loss`: ln(vocabulary)."""
        vocab_size = len(seen)
        labels = np.concatenate([batch.labels.numpy() for batch in held_out.batches()])
        asked = np.bincount(labels, minlength=vocab_size)
        log_share = np.log((seen + 1) / (seen.sum() + vocab_size))
        return cls(
            int(asked.argmax()),
            float(asked.max() / asked.sum()),
            float(-(asked * log_share).sum() / asked.sum()),
            math.log(vocab_size),
        )


def count_tokens(tokens: NDArray[Any], vocab_size: int) -> NDArray[np.int64]:
    """How often each token stands in a text, in bounded memory."""
    seen = np.zeros(vocab_size, dtype=np.int64)
    for first in range(0, len(tokens), 1 << 24):
        seen += np.bincount(tokens[first : first + (1 << 24)], minlength=vocab_size)
    return seen


def count_labels(rows: RowSequence, objective: Objective, vocab_size: int, num_rows: int = 1024) -> NDArray[np.int64]:
    """How often each token is asked in the first rows of the training text."""
    seen = np.zeros(vocab_size, dtype=np.int64)
    num_rows = min(num_rows, len(rows.plan(0)))
    for first in range(0, num_rows, _ROWS_AT_ONCE):
        batch = objective.batch(rows.rows(0, np.arange(first, min(first + _ROWS_AT_ONCE, num_rows))))
        seen += np.bincount(batch.labels.numpy(), minlength=vocab_size)
    return seen
