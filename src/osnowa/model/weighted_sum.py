"""softmax(q k^T x scale + mask) v in training on a CPU, as one operation: nothing is computed twice or kept for nobody."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from osnowa.model.mask import Added
from osnowa.model.parts import even_part

# Queries at once where nobody sees a later place: the keys behind them are left out. Forward and backward, 16 rows of 256
# in 4 heads of 64, all at once, 128, 86, 64 queries at once: 101, 77, 69, 73 ms in float32 on one AVX2 core, 42, 40, 41,
# 40 on two; 10.7, 10.9, 13.3, 14.1 in bfloat16 on two cores with AMX. 8 rows of 512, all at once, 256, 128, 64 (AMX: 96):
# 152, 127, 122, 134 (8 heads, float32) and 21.9, 19.4, 19.1, 23.2 (4 heads, bfloat16).
QUERIES_AT_ONCE = 128


def weighted_sum(
    q: Float[Tensor, "batch head query d_head"],
    k: Float[Tensor, "batch head key d_head"],
    v: Float[Tensor, "batch head key d_head"],
    mask: Added,
    scale: float,
) -> Float[Tensor, "batch head query d_head"]:
    """The values weighted by softmax(q k^T x scale + mask). Of the mask its bias alone is trained; no second derivatives."""
    found: Tensor = _WeightedSum.apply(q, k, v, mask.bias, mask.mask.detach(), scale, mask.earlier)  # type: ignore[no-untyped-call]
    return found


class _WeightedSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, mask: Tensor, scale: float, earlier: bool
    ) -> Tensor:
        heads, queries = q.shape[:2], q.size(2)
        scaled = q if scale == 1.0 else torch.mul(q, scale, out=q.new_empty(q.shape))  # a copy is made in any case
        q, k, v = (each.flatten(0, 1).contiguous() for each in (scaled, k, v))
        contexts, weights = [], []
        size = even_part(queries, QUERIES_AT_ONCE) if earlier else queries
        for first in range(0, queries, size):
            stop = min(first + size, queries)
            seen = stop if earlier else k.size(1)
            scores = torch.bmm(q[:, first:stop], k[:, :seen].transpose(1, 2)).view(*heads, stop - first, seen)
            torch.add(mask[:, :, first:stop, :seen], scores, out=scores)
            weights.append(scores.softmax(-1).flatten(0, 1))
            contexts.append(torch.bmm(weights[-1], v[:, :seen]))
        ctx.save_for_backward(q, k, v, *weights)
        ctx.heads, ctx.scale, ctx.bias = heads, scale, None if bias is None else (bias.shape, bias.dtype)
        return _whole(contexts).view(*heads, *q.shape[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, *weights = ctx.saved_tensors
        towards = gradients[0].flatten(0, 1)
        towards_q: list[Tensor] = []
        sums: list[Tensor] = []  # towards keys and values; the last queries have seen all of them, so these begin it
        towards_bias = None
        if ctx.needs_input_grad[3]:
            shape, dtype = ctx.bias
            towards_bias = q.new_zeros(shape, dtype=dtype)
        stop = q.size(1)
        for weight in reversed(weights):
            first, seen = stop - weight.size(1), weight.size(2)
            change = torch.bmm(towards[:, first:stop], v[:, :seen].transpose(1, 2))
            change = torch._softmax_backward_data(change, weight, -1, weight.dtype)
            if towards_bias is not None:  # equal for all rows of the batch
                summed = change.view(*ctx.heads, *change.shape[1:]).sum(0, keepdim=True)
                towards_bias[:, :, first:stop, :seen] = summed
            towards_q.append(torch.bmm(change, k[:, :seen]))
            to_keys = torch.bmm(change.transpose(1, 2), q[:, first:stop])
            to_values = torch.bmm(weight.transpose(1, 2), towards[:, first:stop])
            if sums:
                sums[0][:, :seen] += to_keys
                sums[1][:, :seen] += to_values
            else:
                sums = [to_keys, to_values]
            stop = first
        to_queries = _whole(towards_q[::-1])
        if ctx.scale != 1.0:
            to_queries *= ctx.scale
        found = (each.view(*ctx.heads, *each.shape[1:]) for each in (to_queries, *sums))
        return (*found, towards_bias, None, None, None)


def _whole(parts: list[Tensor]) -> Float[Tensor, "rows queries d_head"]:
    """The parts of the queries one behind the other. (A product writes into a part of a tensor by single rows: slowly.)"""
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)
