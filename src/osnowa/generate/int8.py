"""Weights as whole numbers of eight bits, so that a single token waits for a quarter of the memory."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osnowa.model import Transformer
from osnowa.model.joined import Joined

_MOST = 127
# Rows at once up to which the library's product of whole numbers is the faster one; more are multiplied in float32.
MOST_ROWS = 32


class Int8Linear(nn.Module):
    """y = x W^T + b where each row of W is whole numbers from -127 to 127 times one factor, its largest number / 127.

    Products are summed in float32, inputs and results rounded to bfloat16.
    """

    def __init__(self, weight: Tensor, factor: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight: Tensor
        self.factor: Tensor
        self.bias: Tensor | None
        self.register_buffer("weight", weight)
        self.register_buffer("factor", factor)
        self.register_buffer("bias", bias)

    @classmethod
    @torch.no_grad()
    def of(cls, weight: Float[Tensor, "outputs inputs"], bias: Float[Tensor, " outputs"] | None) -> Int8Linear:
        """The nearest whole numbers."""
        factor = (weight.float().abs().amax(1) / _MOST).clamp(min=torch.finfo(torch.float32).tiny)
        whole = (weight.float() / factor[:, None]).round().to(torch.int8)
        return cls(whole.contiguous(), factor.to(torch.bfloat16), None if bias is None else bias.detach())

    def part(self, first: int, stop: int) -> Int8Linear:
        """Some of the outputs; the memory is shared."""
        bias = None if self.bias is None else self.bias[first:stop]
        return Int8Linear(self.weight[first:stop], self.factor[first:stop], bias)

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        rows = x.reshape(-1, x.size(-1))
        if len(rows) <= MOST_ROWS:
            found = torch._weight_int8pack_mm(rows.to(torch.bfloat16), self.weight, self.factor).to(x.dtype)
        else:
            found = rows @ (self.weight.to(x.dtype) * self.factor.to(x.dtype)[:, None]).t()
        found = found if self.bias is None else found + self.bias
        return found.view(*x.shape[:-1], -1)


def to_int8(model: Transformer) -> None:
    """Every matrix of the blocks and the projection onto the vocabulary; embeddings, norms and experts stay.

    For a model that is only asked, on a CPU, after `lay_out`.
    """
    for module in list(model.modules()):
        joined = getattr(module, "joined", None)
        if isinstance(joined, Joined):
            whole = Int8Linear.of(joined.product.weight, joined.product.bias)
            parts, first = {}, 0
            for layer, size in zip(joined.layers, joined.sizes, strict=True):
                parts[layer] = whole.part(first, first + size)
                first += size
            for name, layer in list(module.named_children()):
                if layer in parts:
                    setattr(module, name, parts[layer])
            joined.product, joined.layers = whole, tuple(parts.values())
    for module in list(model.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.Linear) and name != "router":
                setattr(module, name, Int8Linear.of(layer.weight, layer.bias))
