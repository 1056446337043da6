"""Queries, keys and values in training on a processor: layers that read the same vectors as one product, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from osnowa.model.linear import gradients_of, linear, trained


def split_heads(x: Float[Tensor, "batch seq width"], d_head: int) -> Float[Tensor, "batch head seq d_head"]:
    """The heads side by side become an axis of their own; a view."""
    return x.view(*x.shape[:-1], -1, d_head).transpose(1, 2)


def heads_of(
    x: Float[Tensor, "batch seq d_model"], layers: Sequence[nn.Module], d_head: int
) -> tuple[Float[Tensor, "batch head seq d_head"], ...]:
    """What each of the linear `layers` makes of x, its heads apart."""
    plain = trained(x, layers)
    if not plain:
        return tuple(split_heads(layer(x), d_head) for layer in layers)
    weights, biases = [each.weight for each in plain], [each.bias for each in plain if each.bias is not None]
    found: tuple[Tensor, ...] = _Heads.apply(x, d_head, len(weights), *weights, *biases)  # type: ignore[no-untyped-call]
    return found


class _Heads(torch.autograd.Function):
    """One product for all, one for what goes back to x, which else would be several and their sum, and one for weights.

    Attention's gradients come head by head: each is written once, to where the products want it.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, d_head: int, layers: int, *parameters: Tensor) -> tuple[Tensor, ...]:
        weights, biases = parameters[:layers], parameters[layers:]
        made = split_heads(linear(x, torch.cat(weights), torch.cat(biases) if biases else None), d_head)
        ctx.save_for_backward(x, *weights)
        ctx.sizes, ctx.d_head, ctx.has_bias = [len(each) for each in weights], d_head, bool(biases)
        return torch.split_with_sizes(made, [size // d_head for size in ctx.sizes], 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, *weights = ctx.saved_tensors
        weight = torch.cat(weights)  # not kept: a copy of them all
        gradient = x.new_empty(*x.shape[:-1], len(weight))
        parts = torch.split_with_sizes(gradient, ctx.sizes, -1)
        for part, each in zip(parts, gradients, strict=True):
            split_heads(part, ctx.d_head).copy_(each)
        layers, wanted = len(ctx.sizes), ctx.needs_input_grad
        found = gradients_of(gradient, x, weight, wanted[0], any(wanted[3 : 3 + layers]), any(wanted[3 + layers :]))
        towards_x, *towards = found
        split = [[None] * layers if each is None else torch.split_with_sizes(each, ctx.sizes) for each in towards]
        return (towards_x, None, None, *split[0], *(split[1] if ctx.has_bias else ()))
