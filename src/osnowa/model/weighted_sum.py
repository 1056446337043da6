"""softmax(q k^T x scale + mask) v in training on a CPU, as one operation: nothing is computed twice or kept for nobody."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from osnowa.model.parts import even_part

# Queries at once where nobody sees a later place: the keys behind them are left out. Forward and backward in float32 on
# one AVX2 core, 16 rows of 256 in 4 heads of 64: all at once 101 ms, 128 queries at once 77, 86 queries 69, 64 queries
# 73, one operation after the other 90; on two cores 42, 40, 41, 40, 44. 8 rows of 512 in 8 heads on two cores: 152, 127
# (256), 128 (171), 122 (128), 134 (64), 153.
QUERIES_AT_ONCE = 128


def weighted_sum(
    q: Float[Tensor, "batch head query d_head"],
    k: Float[Tensor, "batch head key d_head"],
    v: Float[Tensor, "batch head key d_head"],
    mask: Float[Tensor, "#batch #head query key"],
    scale: float,
    *,
    earlier: bool,
) -> Float[Tensor, "batch head query d_head"]:
    """The values weighted by softmax(q k^T x scale + mask). `earlier`: query i sees no key behind place i.

    No gradient for the mask, and no second derivatives.
    """
    found: Tensor = _WeightedSum.apply(q, k, v, mask, scale, earlier)  # type: ignore[no-untyped-call]
    return found


class _WeightedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scale: float, earlier: bool) -> Tensor:
        heads, queries = q.shape[:2], q.size(2)
        scaled = (
            torch.mul(q, scale, out=q.new_empty(q.shape)) if scale != 1.0 else q
        )  # the copy that would be made anyway
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
        ctx.heads, ctx.scale = heads, scale
        return _whole(contexts).view(*heads, *q.shape[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, *weights = ctx.saved_tensors
        towards = gradients[0].flatten(0, 1)
        towards_q: list[Tensor] = []
        sums: list[Tensor] = []  # towards keys and values; the last queries have seen all of them, so these begin it
        stop = q.size(1)
        for weight in reversed(weights):
            first, seen = stop - weight.size(1), weight.size(2)
            change = torch.bmm(towards[:, first:stop], v[:, :seen].transpose(1, 2))
            change = torch._softmax_backward_data(change, weight, -1, weight.dtype)
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
        return (*found, None, None, None)


def _whole(parts: list[Tensor]) -> Float[Tensor, "rows queries d_head"]:
    """The parts of the queries one behind the other. (A product writes into a part of a tensor by single rows: slowly.)"""
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)
