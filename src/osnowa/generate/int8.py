"""Weights as whole numbers of eight bits, so that a single token waits for a quarter of the memory."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from osnowa.generate.products import ROWS_AT_ONCE, in_rows
from osnowa.model.module import Module

_MOST = 127
# Rows at once up to which the library's product of whole numbers is the faster one; more are multiplied in float32.
MOST_ROWS = 32
# That product reads so many numbers at a time, also behind the end of a row that is no multiple of them.
_STRIDE = 16


class Int8Linear(Module):
    """y = x W^T + b where each row of W is whole numbers from -127 to 127 times one factor, its largest number / 127.

    Products are summed in float32, inputs and results rounded to bfloat16. Rows of `weight` end with zeros where their
    length is no multiple of 16.
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
        outputs, inputs = weight.shape
        whole = torch.zeros(outputs, inputs + -inputs % _STRIDE, dtype=torch.int8)
        factor = torch.empty(outputs)
        for first in range(0, outputs, ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            part = weight[rows].float()
            factor[rows] = (part.abs().amax(1) / _MOST).clamp(min=torch.finfo(torch.float32).tiny)
            whole[rows, :inputs] = (part / factor[rows, None]).round()
        return cls(whole, factor.to(torch.bfloat16), None if bias is None else bias.detach())

    def part(self, first: int, stop: int) -> Int8Linear:
        """Some of the outputs; the memory is shared."""
        bias = None if self.bias is None else self.bias[first:stop]
        return Int8Linear(self.weight[first:stop], self.factor[first:stop], bias)

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        rows = in_rows(x, self.weight.size(1))
        if len(rows) <= MOST_ROWS:
            found = torch._weight_int8pack_mm(rows.to(torch.bfloat16), self.weight, self.factor).to(x.dtype)
        else:
            found = rows @ (self.weight.to(x.dtype) * self.factor.to(x.dtype)[:, None]).t()
        found = found if self.bias is None else found + self.bias
        return found.view(*x.shape[:-1], -1)
