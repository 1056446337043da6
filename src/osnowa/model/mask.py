"""One rule says who may look at whom: it is the padding, packing, causal, window, prefix and cross mask at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Where each token of a row stands: its position, its document (0 is padding), and whether all may look at it."""

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

    def to(self, device: torch.device) -> Layout:
        """The same on a device."""
        prefix = None if self.prefix is None else self.prefix.to(device, non_blocking=True)
        return Layout(
            self.positions.to(device, non_blocking=True), self.document_ids.to(device, non_blocking=True), prefix
        )


def visible(
    query: Layout, key: Layout, causal: bool = False, window: int | None = None
) -> Bool[Tensor, "batch 1 query key"]:
    """True where a query may look at a key: same document, not later (causal) or in the prefix, nearer than `window`."""
    seen = query.document_ids[:, None, :, None] == key.document_ids[:, None, None, :]
    if not causal and window is None:
        return seen
    gap = query.positions[:, None, :, None] - key.positions[:, None, None, :]
    if causal:
        before = gap >= 0
        seen = seen & (before if key.prefix is None else before | key.prefix[:, None, None, :])
    return seen if window is None else seen & (gap.abs() < window)


def additive(
    seen: Bool[Tensor, "batch 1 query key"],
    dtype: torch.dtype,
    bias: Float[Tensor, "batch head query key"] | None = None,
) -> Float[Tensor, "batch _ query key"]:
    """`bias` or 0 where a query may look, the lowest finite number elsewhere: a row with nothing to see stays finite."""
    lowest = torch.finfo(dtype).min
    if bias is not None:
        return bias.to(dtype).masked_fill(~seen, lowest)
    mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
    return mask.masked_fill_(~seen, lowest)
