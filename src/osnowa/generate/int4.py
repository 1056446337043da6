"""Weights as whole numbers of four bits, in groups with a step and a middle of their own: a sixth of float32's memory."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from osnowa.generate.products import ROWS_AT_ONCE, Part, in_rows
from osnowa.model.module import Module

GROUP = 32  # so many neighbours in a row of the matrix share a step and a middle
_MOST = 15
_MIDDLE = 8
# The library packs outputs by as many.
_OUTPUTS = 16
# How much of the span between a group's smallest and largest number the sixteen steps may cover; the best is taken.
_SHARES = tuple(1 - 0.03 * each for each in range(9))


class Int4Linear(Module):
    """y = x W^T + b where 32 neighbours in a row of W are (whole number from 0 to 15, less 8) times a step, plus a middle.

    Products are summed in float32; inputs, steps, middles and results are rounded to bfloat16. With both of a group's
    numbers a weight takes five bits. A single row takes about as long as with eight bits (16,384 x 512 on two AVX2 cores:
    0.7 ms, 0.5 with eight bits, 1.6 to 3.1 in float32), many rows twice as long as in float32 and more. `weight` is packed as the
    library's product reads it and of no use to anything else.

    Source: round to nearest with a clipped range, as in Nagel et al. 2021, section 2 and 3.1 (MSE).
    """

    def __init__(self, weight: Tensor, groups: Tensor, bias: Tensor | None, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.weight: Tensor
        self.groups: Tensor
        self.bias: Tensor | None
        self.register_buffer("weight", weight)
        self.register_buffer("groups", groups)
        self.register_buffer("bias", bias)

    @classmethod
    @torch.no_grad()
    def of(cls, weight: Float[Tensor, "outputs inputs"], bias: Float[Tensor, " outputs"] | None) -> Int4Linear:
        """The nearest of the sixteen numbers, of those grids that err least; rows and columns are filled up with zeros."""
        outputs, inputs = weight.shape
        wide, high = inputs + -inputs % GROUP, outputs + -outputs % _OUTPUTS
        whole = torch.zeros(high, wide, dtype=torch.int32)
        groups = torch.zeros(wide // GROUP, high, 2, dtype=torch.bfloat16)
        for first in range(0, outputs, ROWS_AT_ONCE):
            part = F.pad(weight[first : first + ROWS_AT_ONCE].float(), (0, wide - inputs))
            numbers, both = nearest(part.view(len(part), -1, GROUP))
            whole[first : first + len(part)] = numbers.flatten(1)
            groups[:, first : first + len(part)] = both.transpose(0, 1)
        packed = torch._convert_weight_to_int4pack_for_cpu(whole, 1)
        return cls(packed, groups, None if bias is None else bias.detach(), outputs)

    def part(self, first: int, stop: int) -> Module:
        """Some of the outputs, for who looks at them alone: computes all of them."""
        return Part(self, first, stop)

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        rows = in_rows(x, len(self.groups) * GROUP).to(torch.bfloat16)
        found = torch._weight_int4pack_mm_for_cpu(rows, self.weight, GROUP, self.groups)
        found = found[:, : self.outputs].to(x.dtype)
        found = found if self.bias is None else found + self.bias
        return found.view(*x.shape[:-1], -1)


def nearest(
    weight: Float[Tensor, "outputs groups group"],
) -> tuple[Int[Tensor, "outputs groups group"], Float[Tensor, "outputs groups both"]]:
    """Whole numbers from 0 to 15, and each group's step and middle in bfloat16, of the least squared error.

    A group of equal numbers has step 0 and is its middle; one that is not finite has neither (NaN).
    """
    low, high = weight.amin(2, keepdim=True), weight.amax(2, keepdim=True)
    least = torch.full_like(low, torch.inf)
    whole = torch.zeros(weight.shape, dtype=torch.int8)
    groups = torch.full((*low.shape[:2], 2), torch.nan, dtype=torch.bfloat16)
    for share in _SHARES:
        step = ((high - low) * (share / _MOST)).bfloat16()
        middle = ((high + low) / 2 + step.float() / 2).bfloat16()  # the sixteen numbers reach from -8 to 7 steps
        tried = ((weight - middle.float()) / step.float().clamp(min=torch.finfo(torch.float32).tiny)).round() + _MIDDLE
        tried = tried.clamp(0, _MOST)
        error = ((tried - _MIDDLE) * step.float() + middle.float() - weight).square().sum(2, keepdim=True)
        better = error < least
        least = torch.where(better, error, least)
        whole = torch.where(better, tried.to(torch.int8), whole)
        groups = torch.where(better, torch.cat([step, middle], 2), groups)
    return whole, groups
