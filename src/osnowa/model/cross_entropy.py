"""Projection onto the vocabulary and cross-entropy as one operation: logits are rewritten as their own gradient."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from osnowa.model.linear import linear
from osnowa.model.parts import even_part
from osnowa.processor import has_mkls_slower_kernels

IGNORED = -100  # the label of a place that only fills a batch up to a fixed size
# Numbers of logits at once: a gigabyte of bfloat16. On a CPU each thread passes over a megabyte several times, which
# stays in its core's cache.
BLOCK_NUMBERS = 1 << 29
SLICE_NUMBERS = 1 << 18  # for each thread of a CPU
# Products onto the vocabulary run over a multiple of so many tokens. 4,096 x 256 x 13,139 in float32 on one AVX2 core:
# 499, 320, 335 ms forward and back; with 13,152 tokens 311, 323, 320. In bfloat16 it is 10 to 25 %; a GPU was not
# asked, and stays as it is.
MULTIPLE = 32
_LOG2_E = math.log2(math.e)


def projected_cross_entropy(
    hidden: Float[Tensor, "asked d_model"],
    weight: Float[Tensor, "vocab d_model"],
    bias: Float[Tensor, " vocab"] | None,
    labels: Int[Tensor, " asked"],
    *,
    smoothing: float = 0.0,
    cap: float | None = None,
    filled: bool = False,
) -> Float[Tensor, ""]:
    """The sum of cross_entropy(softcap(hidden W^T + bias), labels), in float32 at least.

    The same numbers as one operation after the other, but each logit is held once, in the numbers of `hidden`, not three
    times in float32: the gradient is made on the way there (on a GPU a compiler must do its part for that). `filled`: labels may be IGNORED. No second derivatives.
    """
    found: Tensor = _ProjectedCrossEntropy.apply(hidden, weight, bias, labels, smoothing, cap, filled)  # type: ignore[no-untyped-call]
    return found


class _ProjectedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        labels: Tensor,
        smoothing: float,
        cap: float | None,
        filled: bool,
    ) -> Tensor:
        wide = torch.promote_types(hidden.dtype, torch.float32)
        vocab = len(weight)
        weight, bias = _rounded_up(weight), None if bias is None else _rounded_up(bias)
        block = even_part(len(hidden), max(1, BLOCK_NUMBERS // vocab))
        piece = block
        if hidden.device.type == "cpu":
            # a compiler sees neither threads nor processors
            numbers = SLICE_NUMBERS if torch.compiler.is_compiling() else slice_numbers(torch.get_num_threads())
            piece = max(1, numbers // vocab)
        total = hidden.new_zeros((), dtype=wide)
        towards_hidden, towards_weight, towards_bias = torch.empty_like(hidden), None, None
        for begin in range(0, len(hidden), block):
            rows = hidden[begin : begin + block]
            logits = linear(rows, weight, bias)
            for first in range(0, len(rows), piece):
                asked = labels[begin + first : begin + min(first + piece, block)]
                # what is behind the vocabulary is 0, which it stays
                total = total + _to_gradient(logits[first : first + piece, :vocab], asked, smoothing, cap, filled)
            torch.mm(logits, weight, out=towards_hidden[begin : begin + block])
            product = logits.t() @ rows
            towards_weight = product if towards_weight is None else towards_weight.to(wide) + product
            if bias is not None:
                summed = logits.sum(0)  # added up in float32, without a copy of them in it
                towards_bias = summed if towards_bias is None else towards_bias.to(wide) + summed
        if towards_weight is None:  # nothing was asked
            towards_weight = torch.zeros_like(weight)
        ctx.save_for_backward(
            towards_hidden,
            towards_weight[:vocab].to(weight.dtype),
            None if bias is None or towards_bias is None else towards_bias[:vocab].to(bias.dtype),
        )
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients  # in float32 at least: one over the number asked is no number of bfloat16
        if gradient.is_cuda or torch.compiler.is_compiling():
            gradient = gradient[None]  # one number alone may be rounded before; a processor takes it as it is
        towards = (None if each is None else (each * gradient).to(each.dtype) for each in ctx.saved_tensors)
        return (*towards, None, None, None, None)


def slice_numbers(threads: int) -> int:
    """Logits that are bent into their gradient at once on a CPU; twice as many where their exponentials are powers of two.

    4,000 x 13,139 by 2^17, 2^18, 2^19, 2^20, 2^21 a thread on two Zen 4 cores: 46, 34, 27, 25, 28 ms.
    """
    return SLICE_NUMBERS * threads * (2 if has_mkls_slower_kernels() else 1)


def _rounded_up(x: Tensor) -> Tensor:
    """`x` [vocab, ...] and on a processor zeros behind it, up to a multiple of MULTIPLE."""
    more = -len(x) % MULTIPLE if x.device.type == "cpu" else 0
    return torch.cat((x, x.new_zeros(more, *x.shape[1:]))) if more else x


def _to_gradient(
    logits: Float[Tensor, "asked vocab"], labels: Tensor, smoothing: float, cap: float | None, filled: bool
) -> Float[Tensor, ""]:
    """The loss of these logits, which become what the loss changes with each of them."""
    at = labels.clamp(min=0)[:, None] if filled else labels[:, None]
    if logits.device.type == "cpu" and cap is None and not smoothing and not torch.compiler.is_compiling():
        loss = _in_place(logits, at)
    else:
        loss, change = _by_logarithms(logits, at, smoothing, cap)
        logits.copy_(change)
    if filled:
        real = labels != IGNORED
        loss = loss * real[:, None]
        if torch.compiler.is_compiling() or logits.is_cuda:
            logits.mul_(real[:, None])
        elif not bool(real.all()):  # no pass over those of the many that are real
            logits.index_fill_(0, (~real).nonzero()[:, 0], 0.0)
    return loss.sum()


def _in_place(logits: Float[Tensor, "asked vocab"], at: Int[Tensor, "asked 1"]) -> Float[Tensor, "asked 1"]:
    """The losses; `logits`, which nothing bends, become the changes without a second one of their size.

    Four passes in the cache beside one exponential that Intel's library takes: 68 ms in place of 100 for a softmax and
    what follows it (4,096 x 13,139 in float32, two Ice Lake cores); as long as that in bfloat16. On AMD that library
    takes 27 ms for the exponentials, torch's own powers of two 9 (two Zen 4 cores).
    """
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))  # itself where it is wide enough
    largest = wide.amax(1, keepdim=True)
    right = wide.gather(1, at) - largest
    if has_mkls_slower_kernels():
        torch.add(largest * -_LOG2_E, wide, alpha=_LOG2_E, out=wide).exp2_()
    else:
        wide.sub_(largest).exp_()
    total = wide.sum(1, keepdim=True)
    wide.mul_(total.reciprocal()).scatter_add_(1, at, torch.full_like(right, -1.0))
    if wide is not logits:
        logits.copy_(wide)
    return total.log() - right


def _by_logarithms(
    logits: Float[Tensor, "asked vocab"], at: Int[Tensor, "asked 1"], smoothing: float, cap: float | None
) -> tuple[Tensor, Tensor]:
    """The same for smoothed labels and capped logits, without a question that a compiler can't pass by."""
    wide, vocab = torch.promote_types(logits.dtype, torch.float32), logits.size(1)
    bent = None
    if cap is not None:
        bent = torch.tanh(logits.to(wide) / cap)
        log_probabilities = torch.log_softmax(cap * bent, -1)
    else:
        log_probabilities = torch.log_softmax(logits, -1, dtype=wide)
    loss = (smoothing - 1.0) * log_probabilities.gather(1, at)
    if smoothing:
        loss = loss - smoothing / vocab * log_probabilities.sum(1, keepdim=True)
    change = log_probabilities.exp_()
    if smoothing:
        change = change.sub_(smoothing / vocab)
    if change.device.type == "cpu":
        change.scatter_add_(1, at, torch.full_like(loss, smoothing - 1.0))
    else:  # element by element, which a compiler makes one kernel of with all around it
        change = change + (torch.arange(vocab, device=change.device) == at) * (smoothing - 1.0)
    if bent is not None:
        change = change * (1 - bent * bent)
    return loss, change
