"""A mini-batch as the model sees it, what should come out, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from osnowa.model import Layout


@dataclass(frozen=True)
class Vocabulary:
    """What an objective must know of a tokenizer."""

    size: int
    pad: int
    cls: int
    sep: int
    mask: int
    special_ids: frozenset[int]
    continues_word: NDArray[np.bool_]
    ids: Mapping[str, int] = field(default_factory=dict)  # of further special tokens, by their content


@dataclass(frozen=True)
class Source:
    """What the encoder of an encoder-decoder reads."""

    tokens: Int[Tensor, "batch source"]
    layout: Layout


@dataclass(frozen=True)
class Batch:
    """A mini-batch as the model sees it, and what should come out."""

    tokens: Int[Tensor, "batch seq"]  # of the encoder, or of the decoder where there is one
    segments: Int[Tensor, "batch seq"]
    layout: Layout
    selected: Int[Tensor, " asked"]  # flat places where a token is asked
    labels: Int[Tensor, " asked"]  # what should come out there: the ground truth
    first: Int[Tensor, " pair"]  # flat places of the [CLS] of labelled pairs
    is_next: Int[Tensor, " pair"]
    source: Source | None = None

    @property
    def num_tokens(self) -> int:
        """Tokens that are not padding, of source and target."""
        layouts = [self.layout, *([] if self.source is None else [self.source.layout])]
        return sum(int((layout.document_ids > 0).sum()) for layout in layouts)

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        source = None if self.source is None else Source(move(self.source.tokens), self.source.layout.to(device))
        return Batch(
            move(self.tokens),
            move(self.segments),
            self.layout.to(device),
            move(self.selected),
            move(self.labels),
            move(self.first),
            move(self.is_next),
            source,
        )


@dataclass(frozen=True)
class Outcome:
    """Sums over a batch, not means: accumulation divides by the whole batch's counts."""

    token_loss: Float[Tensor, ""]
    next_sentence_loss: Float[Tensor, ""]  # 0 when no pair was asked
    balance_loss: Float[Tensor, ""]  # how unequally busy experts were, a mean; 0 without experts
    num_asked: int
    num_pairs: int  # 0 too when the model has no next-sentence head
    right: int = 0
    pairs_right: int = 0
