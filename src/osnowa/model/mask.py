"""One rule says who may look at whom: it is the padding, packing, causal, window and cross mask at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Where each token of a row stands: its position, and its document (0 is padding)."""

    positions: Int[Tensor, "batch seq"]
    document_ids: Int[Tensor, "batch seq"]

    @classmethod
    def plain(cls, tokens: Int[Tensor, "batch seq"], real: Bool[Tensor, "batch seq"] | None = None) -> Layout:
        """One document a row from position 0; `real` is False at padding."""
        positions = torch.arange(tokens.size(1), device=tokens.device).expand(tokens.shape)
        return cls(positions, torch.ones_like(tokens) if real is None else real.long())


def visible(
    query: Layout, key: Layout, causal: bool = False, window: int | None = None
) -> Bool[Tensor, "batch 1 query key"]:
    """True where a query may look at a key: same document, not later (causal), nearer than `window` positions."""
    seen = query.document_ids[:, None, :, None] == key.document_ids[:, None, None, :]
    if not causal and window is None:
        return seen
    gap = query.positions[:, None, :, None] - key.positions[:, None, None, :]
    if causal:
        seen = seen & (gap >= 0)
    return seen if window is None else seen & (gap.abs() < window)


def additive(seen: Bool[Tensor, "batch 1 query key"], dtype: torch.dtype) -> Float[Tensor, "batch 1 query key"]:
    """0 where a query may look, the lowest finite number elsewhere: a row with nothing to see stays finite."""
    mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
    return mask.masked_fill_(~seen, torch.finfo(dtype).min)
