"""An objective: rows become questions, and a model's answers become losses."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from osnowa.data import Room, Rows, Shape
from osnowa.model import Transformer
from osnowa.model.cross_entropy import IGNORED
from osnowa.objective.batch import Batch, Outcome, Vocabulary
from osnowa.objective.config import ObjectiveConfig

_LOGITS_AT_ONCE = 1 << 23  # 32 MB of float32: looking at held-out text must not need more memory than a step


class Objective(ABC):
    """What is asked of a row, as a function of (seed, epoch, place of the row) alone."""

    shape: Shape = "single"
    room: Room | None = None  # None: rows of [CLS] A [SEP]

    def __init__(self, config: ObjectiveConfig, vocabulary: Vocabulary, *, seed: int) -> None:
        self.config, self.vocabulary, self.seed = config, vocabulary, seed

    @abstractmethod
    def batch(self, rows: Rows) -> Batch:
        """The questions of `rows`."""

    def outcome(self, model: Transformer, batch: Batch, *, count_right: bool = False) -> Outcome:
        """Stacks, heads, logits and losses. The vocabulary head sees the asked places only.

        Labels are smoothed while the model is in training mode (Szegedy et al. 2016, section 7), never on held-out text.
        """
        asked, firsts = asked_vectors(model, batch)
        smoothing = self.config.label_smoothing if model.training else 0.0
        right = pairs_right = 0
        if torch.is_grad_enabled() and not count_right:
            loss = model.head.loss(asked, batch.labels, smoothing, filled=batch.filled)
        else:
            loss, right = answered(model, asked, batch.labels, smoothing)
        next_sentence, num_pairs = loss.new_zeros(()), 0
        if model.next_sentence is not None and len(batch.first):
            num_pairs = len(batch.first)
            verdicts = _wide(model.next_sentence(firsts))
            next_sentence = F.cross_entropy(verdicts, batch.is_next, reduction="sum", ignore_index=IGNORED)
            pairs_right = int((verdicts.argmax(-1) == batch.is_next).sum()) if count_right else 0
        balance = model.balance_loss(batch.layout.document_ids > 0)
        balance = loss.new_zeros(()) if balance is None else balance
        return Outcome(loss, next_sentence, balance, len(batch.labels), num_pairs, right, pairs_right)


def answered(
    model: Transformer, asked: Float[Tensor, "asked d_model"], labels: Int[Tensor, " asked"], smoothing: float
) -> tuple[Float[Tensor, ""], int]:
    """The sum of the losses, and how often the likeliest token is the right one; in bounded memory."""
    losses, right = [], 0
    for some, wanted in zip(
        *(torch.split(each, _LOGITS_AT_ONCE // model.config.vocab_size + 1) for each in (asked, labels)), strict=True
    ):
        logits = _wide(model.head(some))
        losses.append(F.cross_entropy(logits, wanted, reduction="sum", label_smoothing=smoothing, ignore_index=IGNORED))
        right += int((logits.argmax(-1) == wanted).sum())
    return torch.stack(losses).sum(), right


def asked_vectors(
    model: Transformer, batch: Batch
) -> tuple[Float[Tensor, "asked d_model"], Float[Tensor, "pair d_model"]]:
    """The hidden vectors of the places where a token is asked, and those of the [CLS] of labelled pairs."""
    places = batch.selected
    if model.next_sentence is not None:
        places = torch.cat((places, batch.first))
    if model.config.num_experts:  # how busy they are is a question about all tokens
        hidden = hidden_vectors(model, batch).flatten(0, 1).index_select(0, places)
    else:
        hidden = hidden_vectors(model, batch, places)
    return hidden[: len(batch.selected)], hidden[len(batch.selected) :]


def hidden_vectors(
    model: Transformer, batch: Batch, places: Int[Tensor, " place"] | None = None
) -> Float[Tensor, "*place d_model"]:
    """What the heads look at, by topology: the encoder's vectors, or the decoder's with or without an encoder's.

    Those of all places "batch seq", or of flat `places` alone.
    """
    if model.config.topology == "encoder":
        return model.encode(batch.tokens, batch.layout, batch.segments, places)
    if batch.source is None:
        return model.decode(batch.tokens, batch.layout, places=places)
    memory = model.encode(batch.source.tokens, batch.source.layout)
    return model.decode(batch.tokens, batch.layout, memory, batch.source.layout, places=places)


def _wide(logits: Tensor) -> Tensor:
    """At least float32: a sum of losses in bfloat16 would keep two digits."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
