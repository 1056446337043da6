"""What an encoder should learn: hidden tokens, and whether sentence B follows sentence A."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from osnowa.data.batch import Rows
from osnowa.data.plan import Shape
from osnowa.model import Layout, Transformer
from osnowa.objective.masked import MaskingConfig, choose, replace
from osnowa.settings import Settings


class ObjectiveConfig(Settings):
    """Section [objective]."""

    name: Literal["masked", "masked-next-sentence"] = Field(
        default="masked-next-sentence", description="hidden tokens alone, or with next-sentence pairs"
    )
    mask_share: float = Field(default=0.15, description="share of the tokens hidden", gt=0, le=0.9)
    whole_words: bool = Field(default=False, description="hide all pieces of a word together")

    @property
    def shape(self) -> Shape:
        """Single spans or sentence pairs."""
        return "pair" if self.name == "masked-next-sentence" else "single"

    @property
    def masking(self) -> MaskingConfig:
        return MaskingConfig(share=self.mask_share, whole_words=self.whole_words)


@dataclass(frozen=True)
class Batch:
    """A mini-batch as the model sees it, and what should come out."""

    tokens: Int[Tensor, "batch seq"]
    segments: Int[Tensor, "batch seq"]
    layout: Layout
    selected: Int[Tensor, " masked"]  # flat places of the hidden tokens
    labels: Int[Tensor, " masked"]  # what stood there: the ground truth
    first: Int[Tensor, " pair"]  # flat places of the [CLS] of labelled pairs
    is_next: Int[Tensor, " pair"]

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        layout = Layout(move(self.layout.positions), move(self.layout.document_ids))
        fields = (self.selected, self.labels, self.first, self.is_next)
        return Batch(move(self.tokens), move(self.segments), layout, *map(move, fields))


@dataclass(frozen=True)
class Outcome:
    """Sums over a batch, not means: accumulation divides by the whole batch's counts."""

    masked_loss: Float[Tensor, ""]
    next_sentence_loss: Float[Tensor, ""]  # 0 when no pair was asked
    num_masked: int
    num_pairs: int  # 0 too when the model has no next-sentence head
    masked_right: int = 0
    pairs_right: int = 0


class EncoderObjective:
    """Masked tokens, with next-sentence pairs or without."""

    def __init__(
        self,
        config: ObjectiveConfig,
        *,
        seed: int,
        mask: int,
        special_ids: frozenset[int],
        vocab_size: int,
        continues_word: NDArray[np.bool_],
    ) -> None:
        self.config, self.masking, self.seed, self.mask = config, config.masking, seed, mask
        self.continues_word = continues_word
        self.ordinary = np.setdiff1d(np.arange(vocab_size), np.array(sorted(special_ids)))

    def batch(self, rows: Rows) -> Batch:
        """Hide tokens of `rows`, as (seed, epoch, row number) say."""
        hidden, leader = choose(rows, self.masking, self.seed, self.continues_word)
        shown = replace(rows, hidden, leader, self.masking, self.seed, mask=self.mask, ordinary=self.ordinary)
        selected = np.flatnonzero(hidden.ravel())
        layout = Layout(torch.from_numpy(rows.positions), torch.from_numpy(rows.document_ids))
        arrays = (selected, rows.tokens.ravel()[selected], rows.first, rows.is_next)
        return Batch(torch.from_numpy(shown), torch.from_numpy(rows.segments), layout, *map(torch.from_numpy, arrays))

    def outcome(self, model: Transformer, batch: Batch, *, count_right: bool = False) -> Outcome:
        """Encoder, heads, logits and losses. The vocabulary head sees the hidden places only."""
        hidden = model.encode(batch.tokens, batch.layout, batch.segments).flatten(0, 1)
        logits = _wide(model.head(hidden.index_select(0, batch.selected)))
        masked = F.cross_entropy(logits, batch.labels, reduction="sum")
        next_sentence, num_pairs, right, pairs_right = masked.new_zeros(()), 0, 0, 0
        if count_right:
            right = int((logits.argmax(-1) == batch.labels).sum())
        if model.next_sentence is not None and len(batch.first):
            num_pairs = len(batch.first)
            verdicts = _wide(model.next_sentence(hidden.index_select(0, batch.first)))
            next_sentence = F.cross_entropy(verdicts, batch.is_next, reduction="sum")
            if count_right:
                pairs_right = int((verdicts.argmax(-1) == batch.is_next).sum())
        return Outcome(masked, next_sentence, len(batch.labels), num_pairs, right, pairs_right)


def _wide(logits: Tensor) -> Tensor:
    """At least float32: a sum of losses in bfloat16 would keep two digits."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
