"""Linear layers that read the same input, as one product: for a model that is only asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Product(Protocol):
    """A matrix, a bias or none, and what they make of an input."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor, /) -> Tensor: ...


@dataclass
class Plain:
    """A linear layer that nobody trains."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor, /) -> Tensor:
        return F.linear(x, self.weight, self.bias)


class Joined:
    """The outputs of several layers side by side: same numbers, same memory, fewer and longer products.

    The layers' weights become parts of one matrix. `turned`: it is stored column by column.
    """

    @torch.no_grad()
    def __init__(self, layers: Sequence[nn.Linear], *, turned: bool) -> None:
        self.layers: tuple[nn.Module, ...] = tuple(layers)
        self.sizes = [each.out_features for each in layers]
        weight = torch.cat([each.weight for each in layers])
        weight = weight.t().contiguous().t() if turned else weight
        for each, piece in zip(layers, torch.split_with_sizes(weight, self.sizes), strict=True):
            each.weight.data = piece
        bias = None if layers[0].bias is None else torch.cat([each.bias for each in layers])
        self.product: Product = Plain(weight, bias)

    @property
    def watched(self) -> bool:
        """Whether somebody looks at one of the layers, which this passes by."""
        return any(each._forward_hooks for each in self.layers)

    def __call__(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch outputs"]:
        return self.product(x)
