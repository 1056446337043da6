"""A mini-batch as the model sees it, what should come out, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from osnowa.model import Layout
from osnowa.model.cross_entropy import IGNORED


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

    def split(self, rows: list[int]) -> list[Source]:
        """The next rows[i] rows at a time; the tensors are views."""
        return [
            Source(*part)
            for part in zip(torch.split_with_sizes(self.tokens, rows), self.layout.split(rows), strict=True)
        ]


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
    filled: bool = False  # some labels and verdicts are IGNORED, some rows are padding: the size is fixed

    @property
    def num_asked(self) -> int:
        """Places where a token is asked."""
        return int((self.labels != IGNORED).sum()) if self.filled else len(self.labels)

    @property
    def num_pairs(self) -> int:
        """Labelled pairs."""
        return int((self.is_next != IGNORED).sum()) if self.filled else len(self.is_next)

    @property
    def num_tokens(self) -> int:
        """Tokens that are not padding, of source and target."""
        own = int(self.layout.document_ids.count_nonzero())
        return own if self.source is None else own + int(self.source.layout.document_ids.count_nonzero())

    def map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The same with every tensor changed."""
        return replace(
            self,
            **self._rows_changed(change),
            selected=change(self.selected),
            labels=change(self.labels),
            first=change(self.first),
            is_next=change(self.is_next),
        )

    def _rows_changed(self, change: Callable[[Tensor], Tensor]) -> dict[str, Any]:
        source = None if self.source is None else Source(change(self.source.tokens), self.source.layout.map(change))
        return {
            "tokens": change(self.tokens),
            "segments": change(self.segments),
            "layout": self.layout.map(change),
            "source": source,
        }

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=True))

    def fill(self, rows: int, asked: int, pairs: int) -> Batch:
        """The same questions in a batch of a fixed size: further rows are padding, further answers are not counted.

        Counts that are there already may not be more.
        """
        return replace(
            self,
            **self._rows_changed(lambda tensor: _longer(tensor, rows, 0)),
            selected=_longer(self.selected, asked, 0),
            labels=_longer(self.labels, asked, IGNORED),
            first=_longer(self.first, pairs, 0),
            is_next=_longer(self.is_next, pairs, IGNORED),
            filled=True,
        )

    def parts(self, rows: list[int]) -> list[Batch]:
        """The same questions, the next rows[i] rows at a time, for places that are in order. The tensors are views."""
        begins = np.cumsum([0, *rows]) * self.tokens.size(1)
        selected, asked = _inside(self.selected, begins)
        first, pairs = _inside(self.first, begins)
        columns = zip(
            torch.split_with_sizes(self.tokens, rows),
            torch.split_with_sizes(self.segments, rows),
            self.layout.split(rows),
            torch.split_with_sizes(selected, asked),
            torch.split_with_sizes(self.labels, asked),
            torch.split_with_sizes(first, pairs),
            torch.split_with_sizes(self.is_next, pairs),
            [None] * len(asked) if self.source is None else self.source.split(rows),
            [self.filled] * len(asked),
            strict=True,
        )
        return [Batch(*part) for part in columns]


def _inside(places: Int[Tensor, " place"], begins: NDArray[np.int64]) -> tuple[Int[Tensor, " place"], list[int]]:
    """The rising `places`, each counted from where its part begins, and how many there are in each part."""
    counts = np.diff(np.searchsorted(places.numpy(), begins))
    return torch.from_numpy(places.numpy() - np.repeat(begins[:-1], counts)), counts.tolist()


def _longer(tensor: Tensor, length: int, value: int) -> Tensor:
    assert len(tensor) <= length, f"{len(tensor)} in a batch for {length}"
    return torch.cat((tensor, tensor.new_full((length - len(tensor), *tensor.shape[1:]), value)))


@dataclass(frozen=True)
class Outcome:
    """Sums over a batch, not means: accumulation divides by the whole batch's counts.

    Counts are those of a batch that was not filled up; in training a batch's own are used.
    """

    token_loss: Float[Tensor, ""]
    next_sentence_loss: Float[Tensor, ""]  # 0 when no pair was asked
    balance_loss: Float[Tensor, ""]  # how unequally busy experts were, a mean; 0 without experts
    num_asked: int
    num_pairs: int  # 0 too when the model has no next-sentence head
    right: int = 0
    pairs_right: int = 0
