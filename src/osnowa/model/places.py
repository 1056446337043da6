"""The places of rows that somebody asks for: of the last block, only what they need is computed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Queries:
    """Asked places row by row, so that their queries are rows of equal length: each row's first ones, then fillers."""

    columns: Int[Tensor, "batch most"]  # where in its row each query stands; a filler at the row's beginning
    slots: Int[Tensor, " place"]  # where each asked place is among them, flat

    def of(self, x: Float[Tensor, "batch seq width"]) -> Float[Tensor, "batch most width"]:
        """The vectors of these places."""
        begins = torch.arange(len(x), device=x.device)[:, None] * x.size(1)
        return x.flatten(0, 1).index_select(0, (self.columns + begins).flatten()).view(*self.columns.shape, -1)

    def along(self, table: Float[Tensor, "#batch head seq width"]) -> Float[Tensor, "batch head most width"]:
        """What `table` says of these places."""
        return torch.take_along_dim(table, self.columns[:, None, :, None], 2)


@dataclass(frozen=True)
class Places:
    """Flat places, row x length + column, in any order; `queries` where so few of each row are asked that it pays."""

    flat: Int[Tensor, " place"]
    queries: Queries | None

    @classmethod
    def among(cls, flat: Int[Tensor, " place"], rows: int, length: int) -> Places:
        """Those of `rows` rows. On a GPU, and while a step is compiled, the queries of all places are made."""
        if flat.device.type != "cpu" or torch.compiler.is_compiling():
            return cls(flat, None)
        # a place that is asked twice is one query
        once, slot = torch.unique(flat, return_inverse=True)
        row = once // length
        counts = row.bincount(minlength=rows)
        most = int(counts.max()) if len(flat) else 0
        if not 0 < 2 * most <= length:
            return cls(flat, None)
        slots = row * most + torch.arange(len(once)) - (counts.cumsum(0) - counts)[row]
        columns = flat.new_zeros(rows * most)
        columns[slots] = once - row * length
        return cls(flat, Queries(columns.view(rows, most), slots[slot]))
