"""Linear layers that read the same input, as one product: for a model that is only asked."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Joined:
    """The outputs of several layers side by side: same numbers, same memory, fewer and longer products.

    The layers' weights become parts of one matrix. `turned`: it is stored column by column.
    """

    @torch.no_grad()
    def __init__(self, layers: Sequence[nn.Linear], *, turned: bool) -> None:
        self.layers, self.sizes = tuple(layers), [each.out_features for each in layers]
        weight = torch.cat([each.weight for each in layers])
        self.weight = weight.t().contiguous().t() if turned else weight
        for each, piece in zip(layers, torch.split_with_sizes(self.weight, self.sizes), strict=True):
            each.weight.data = piece
        self.bias = None if layers[0].bias is None else torch.cat([each.bias for each in layers])

    @property
    def watched(self) -> bool:
        """Whether somebody looks at one of the layers, which this passes by."""
        return any(each._forward_hooks for each in self.layers)

    def __call__(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch outputs"]:
        return F.linear(x, self.weight, self.bias)
