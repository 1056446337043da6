"""One rule says who may look at whom: it is the padding, packing, causal, window, prefix and cross mask at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Where each token of a row stands: its position, its document (0 is padding), and whether all may look at it.

    The tokens of a document stand side by side, at positions that go on by one.
    """

    positions: Int[Tensor, "batch seq"]
    document_ids: Int[Tensor, "batch seq"]
    prefix: Bool[Tensor, "batch seq"] | None = None  # True: earlier tokens of the document may look at it, too

    @classmethod
    def plain(cls, tokens: Int[Tensor, "batch seq"], real: Bool[Tensor, "batch seq"] | None = None) -> Layout:
        """One document a row from position 0; `real` is False at padding."""
        positions = torch.arange(tokens.size(1), device=tokens.device).expand(tokens.shape)
        return cls(positions, torch.ones_like(tokens) if real is None else real.long())

    def cut(self, start: int, stop: int) -> Layout:
        """The places start .. stop-1 of each row."""
        prefix = None if self.prefix is None else self.prefix[:, start:stop]
        return Layout(self.positions[:, start:stop], self.document_ids[:, start:stop], prefix)

    def take(self, rows: Int[Tensor, " new_batch"]) -> Layout:
        """Row i is what row rows[i] was."""
        return Layout(self.positions[rows], self.document_ids[rows], None if self.prefix is None else self.prefix[rows])

    def split(self, rows: list[int]) -> list[Layout]:
        """The next rows[i] rows at a time; the tensors are views."""
        positions, document_ids = (
            torch.split_with_sizes(self.positions, rows),
            torch.split_with_sizes(self.document_ids, rows),
        )
        prefixes = [None] * len(positions) if self.prefix is None else torch.split_with_sizes(self.prefix, rows)
        return [Layout(*part) for part in zip(positions, document_ids, prefixes, strict=True)]

    def map(self, change: Callable[[Tensor], Tensor]) -> Layout:
        """The same with every tensor changed."""
        prefix = None if self.prefix is None else change(self.prefix)
        return Layout(change(self.positions), change(self.document_ids), prefix)


@dataclass(frozen=True)
class Blocks:
    """Who may look at whom as torch's flex_attention wants it: blocks of places that nobody sees are not computed."""

    mask: Any  # a BlockMask


@dataclass(frozen=True)
class Added:
    """An additive mask for all queries of a row, and what is known of it. What padding may see is nobody's concern."""

    mask: Float[Tensor, "#batch _ query key"]
    earlier: bool = False  # it shows nobody a later place of the row
    bias: Float[Tensor, "#batch head query key"] | None = None  # the part of it that is trained


def plain(mask: Tensor | Added | None) -> Float[Tensor, "#batch _ query key"] | None:
    """The additive mask itself."""
    return mask.mask if isinstance(mask, Added) else mask


def visible(
    query: Layout, key: Layout, causal: bool = False, window: int | None = None
) -> Bool[Tensor, "batch 1 query key"]:
    """True where a query may look at a key: same document, not later (causal) or in the prefix, nearer than `window`."""
    seen = query.document_ids[:, None, :, None] == key.document_ids[:, None, None, :]
    if not causal and window is None:
        return seen
    gap = query.positions[:, None, :, None] - key.positions[:, None, None, :]
    shown = None if key.prefix is None else key.prefix[:, None, None, :]
    return _near_enough(seen, gap, shown, causal, window)


def _near_enough(seen: Tensor, gap: Tensor, shown: Tensor | None, causal: bool, window: int | None) -> Tensor:
    """`seen`, where the key is not later or `shown` to all, and nearer than `window`; for any shape."""
    if causal:
        before = gap >= 0
        seen = seen & (before if shown is None else before | shown)
    return seen if window is None else seen & (gap.abs() < window)


def blocks(query: Layout, key: Layout, causal: bool = False, window: int | None = None) -> Blocks:
    """The rule of `visible`, block by block."""
    from torch.nn.attention.flex_attention import create_block_mask  # 2 s, and only a GPU's training asks for it

    def seen(row: Tensor, q: Tensor, k: Tensor) -> Tensor:
        same = query.document_ids[row, q] == key.document_ids[row, k]
        shown = None if key.prefix is None else key.prefix[row, k]
        return _near_enough(same, query.positions[row, q] - key.positions[row, k], shown, causal, window)

    (rows, queries), keys = query.positions.shape, key.positions.size(1)
    return Blocks(
        create_block_mask(
            lambda row, _head, q, k: seen(row, q, k), rows, None, queries, keys, device=query.positions.device
        )
    )


def additive(
    seen: Bool[Tensor, "batch 1 query key"],
    dtype: torch.dtype,
    bias: Float[Tensor, "#batch head query key"] | None = None,
) -> Float[Tensor, "batch _ query key"]:
    """`bias` or 0 where a query may look, the lowest finite number elsewhere: a row with nothing to see stays finite."""
    lowest = torch.finfo(dtype).min
    if bias is not None:
        return bias.to(dtype).masked_fill(~seen, lowest)
    mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
    return mask.masked_fill_(~seen, lowest)
