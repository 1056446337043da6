"""Other ways to keep the matrices of a model that is only asked: each product replaced where it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from osnowa.model import Transformer
from osnowa.model.joined import Joined
from osnowa.model.module import Module


class Replacement(Protocol):
    """A module that stands in for a linear layer: a product of which a part of the outputs can be asked alone."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor, /) -> Tensor: ...

    def part(self, first: int, stop: int) -> Module:
        """The outputs from `first` to `stop`; the memory is shared."""
        ...


ROWS_AT_ONCE = 1024  # of a matrix that is rounded, so that little is made beside it


class Part(Module):
    """Outputs `first` to `stop` of a product that can only be asked whole."""

    def __init__(self, whole: nn.Module, first: int, stop: int) -> None:
        super().__init__()
        self.whole, self.first, self.stop = whole, first, stop

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch part"]:
        return self.whole(x)[..., self.first : self.stop]


def in_rows(x: Float[Tensor, "*batch inputs"], inputs: int) -> Float[Tensor, "rows filled"]:
    """One row for each vector, filled up with zeros to `inputs` numbers."""
    rows = x.reshape(-1, x.size(-1))
    return rows if rows.size(1) == inputs else F.pad(rows, (0, inputs - rows.size(1)))


def replace(model: Transformer, make: Callable[[Tensor, Tensor | None], Replacement]) -> None:
    """`make(weight, bias)` for every matrix of the blocks and the projection onto the vocabulary.

    Embeddings, norms, experts and what chooses among them stay. For a model that was laid out (`lay_out`).
    """
    for module in list(model.modules()):
        joined = getattr(module, "joined", None)
        if isinstance(joined, Joined):
            whole = make(joined.product.weight, joined.product.bias)
            parts: dict[nn.Module, Module] = {}
            first = 0
            for part, size in zip(joined.layers, joined.sizes, strict=True):
                parts[part] = whole.part(first, first + size)
                first += size
            for name, layer in list(module.named_children()):
                if layer in parts:
                    setattr(module, name, parts[layer])
            joined.product, joined.layers = whole, tuple(parts.values())
    for module in list(model.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.Linear) and name != "router":
                setattr(module, name, make(layer.weight, layer.bias))
