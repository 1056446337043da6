"""Keys and values that a decoder has already computed, so that each new token costs one token's work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from osnowa.model.ahead import Ahead
from osnowa.model.mask import Layout


class LayerCache:
    """The keys and values of one layer in buffers of fixed size: nothing is copied when a token is added."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length = capacity, 0
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def append(
        self, keys: Float[Tensor, "batch kv_head new d_head"], values: Float[Tensor, "batch kv_head new d_head"]
    ) -> tuple[Float[Tensor, "batch kv_head key d_head"], Float[Tensor, "batch kv_head key d_head"]]:
        """All keys and values so far, these included."""
        if self.keys is None or self.values is None:
            shape = (*keys.shape[:2], self.capacity, keys.size(3))
            self.keys, self.values = (each.new_empty(shape, dtype=kept(each)) for each in (keys, values))
        new = keys.size(2)
        stop = self.length + new
        assert stop <= self.capacity, f"{stop} tokens in a cache for {self.capacity}"
        self.keys.narrow(2, self.length, new).copy_(keys)
        self.values.narrow(2, self.length, new).copy_(values)
        self.length = stop
        return self.keys.narrow(2, 0, stop), self.values.narrow(2, 0, stop)

    def reorder(self, rows: Int[Tensor, " new_batch"]) -> None:
        """Row i becomes what row rows[i] was; only what is filled is copied."""
        if self.keys is not None and self.values is not None:
            self.keys, self.values = (self._reordered(each, rows) for each in (self.keys, self.values))

    def _reordered(self, buffer: Tensor, rows: Tensor) -> Tensor:
        filled = buffer[:, :, : self.length].index_select(0, rows)
        if len(rows) != len(buffer):
            buffer = buffer.new_empty((len(rows), *buffer.shape[1:]))
        buffer[:, :, : self.length] = filled
        return buffer


def kept(x: Tensor) -> torch.dtype:
    """The numbers that keys or values are kept in: float32 on a CPU where they have sixteen bits.

    Its attention for one query over 100 keys takes 29 us so and 113 in bfloat16 (over 500: 99 and 547).
    """
    return torch.promote_types(x.dtype, torch.float32) if x.device.type == "cpu" else x.dtype


@dataclass
class Cache:
    """What a decoder remembers of a row: its layers' keys and values, those of the memory, and where each key stands.

    `planned` says where all `capacity` tokens are going to stand: then single tokens cost less (see `Ahead`). Its rows
    are padded at their beginning alone.
    """

    capacity: int
    planned: Layout | None = None
    layers: dict[int, LayerCache] = field(default_factory=dict)
    memory: list[tuple[Tensor, Tensor]] = field(default_factory=list)  # cross-attention: computed once
    layout: Layout | None = None
    ahead: Ahead | None = None
    memory_mask: Tensor | None = None  # of single tokens, when the layout is planned

    @property
    def length(self) -> int:
        """How many tokens each row has."""
        return 0 if self.layout is None else self.layout.positions.size(1)

    def layer(self, index: int) -> LayerCache:
        """The cache of self-attention in layer `index`."""
        return self.layers.setdefault(index, LayerCache(self.capacity))

    def keep(self, memory: Iterable[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of the memory "batch kv_head memory d_head" for each layer's cross-attention, from now on."""
        self.memory = [(k.to(kept(k)).contiguous(), v.to(kept(v)).contiguous()) for k, v in memory]
        return self.memory

    def extend(self, new: Layout) -> Layout:
        """The layout of every key so far, the new ones included."""
        if self.planned is not None:
            self.layout = self.planned.cut(0, self.length + new.positions.size(1))
            return self.layout
        old = self.layout
        if old is not None:
            prefix = None
            if old.prefix is not None:
                added = torch.zeros_like(new.document_ids, dtype=torch.bool) if new.prefix is None else new.prefix
                prefix = torch.cat((old.prefix, added), 1)
            new = Layout(
                torch.cat((old.positions, new.positions), 1),
                torch.cat((old.document_ids, new.document_ids), 1),
                prefix,
            )
        self.layout = new
        return new

    def reorder(self, rows: Int[Tensor, " new_batch"], *, alike: bool = False) -> None:
        """Row i becomes what row rows[i] was; there may be fewer or more rows than before.

        `alike`: the two always have layout and memory in common, as beams of one prompt have.
        """
        for each in self.layers.values():
            each.reorder(rows)
        if alike:
            return
        self.memory = [(k.index_select(0, rows), v.index_select(0, rows)) for k, v in self.memory]
        self.layout, self.planned = (None if each is None else each.take(rows) for each in (self.layout, self.planned))
        self.ahead = self.memory_mask = None
