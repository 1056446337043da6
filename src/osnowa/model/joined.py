"""Linear layers of a model that is only asked: those that read the same input as one product, and single rows fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from osnowa.model.linear import Linear
from osnowa.model.module import Module


class Product(Protocol):
    """A matrix, a bias or none, and what they make of an input."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor, /) -> Tensor: ...


def multiply(
    x: Float[Tensor, "*batch inputs"], weight: Float[Tensor, "outputs inputs"], bias: Float[Tensor, " outputs"] | None
) -> Float[Tensor, "*batch outputs"]:
    """x W^T + b. In float32 on a CPU a single row is multiplied as a vector, which costs 20 to 40 us less each time.

    (512 x 512: 157 us as a matrix of one row, 130 as a vector; 1,376 x 512: 263 and 235; one AVX2 core, cold weights.)
    """
    if x.dtype != torch.float32 or x.numel() != x.size(-1) or x.device.type != "cpu":
        return F.linear(x, weight, bias)
    row = x.reshape(-1)
    found = torch.mv(weight, row) if bias is None else torch.addmv(bias, weight, row)
    return found.view(*x.shape[:-1], -1)


class AskedLinear(Linear):
    """A linear layer that nobody trains: same parameters, same numbers, single rows in less time."""

    @classmethod
    def of(cls, layer: nn.Linear) -> AskedLinear:
        """The same parameters; they are shared."""
        with torch.device("meta"):
            made = cls(layer.in_features, layer.out_features, bias=layer.bias is not None)
        made.weight, made.bias = layer.weight, layer.bias
        return made.train(layer.training)

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        return multiply(x, self.weight, self.bias)


@dataclass
class Plain:
    """A matrix and a bias that belong to no module."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor, /) -> Tensor:
        return multiply(x, self.weight, self.bias)


class Joined:
    """The outputs of several layers side by side: same numbers, same memory, fewer and longer products.

    The layers' weights become parts of one matrix. `turned`: it is stored column by column.
    """

    @torch.no_grad()
    def __init__(self, layers: Sequence[Linear], *, turned: bool) -> None:
        self.layers: tuple[Module, ...] = tuple(layers)
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
        return any(each.watched for each in self.layers)

    def __call__(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch outputs"]:
        return self.product(x)
