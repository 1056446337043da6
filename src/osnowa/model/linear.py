"""Linear layers in training on a processor: the library's fastest way to multiply, add, and bend at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "silu": F.silu,
}
# Those that pay as a part of the product, by the library's names. Forward and back of 4,096 x 256 x 1,024 and back to 256
# on two cores with AMX: relu 11.7 ms and 10.1, gelu_tanh 17.5 and 15.8; gelu 12.2 and 12.4.
_WITHIN = {"relu": ("relu", ""), "gelu_tanh": ("gelu", "tanh")}


def linear(
    x: Float[Tensor, "*batch inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None,
    within: tuple[str, str] = ("none", ""),
) -> Float[Tensor, "*batch outputs"]:
    """x W^T + b, for who makes the gradients himself. In bfloat16 on a CPU b is added before anything is rounded.

    The library's other way copies the bias to each row first. 4,096 x 256 x 1,024: 0.95 ms and 0.73 on two cores with
    AMX, 608 x 256 x 11,264 in a training step: 5.7 and 2.4. `within`, a function of the result, is for `fast` ones.
    """
    if not fast(x) or (bias is None and within[0] == "none"):
        return F.linear(x, weight, bias)
    name, kind = within
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, name, [], kind)
    return found


def fast(x: Tensor) -> bool:
    """Whether oneDNN multiplies these: where it does not know their numbers, the library has other ways."""
    return (
        x.dtype == torch.bfloat16 and x.device.type == "cpu" and not torch.compiler.is_compiling() and _knows_bfloat16()
    )


@cache
def _knows_bfloat16() -> bool:
    return torch._C._has_mkldnn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def trained(x: Tensor, layers: Sequence[nn.Module]) -> bool:
    """Whether `layers` are plain ones in training on a processor, and nobody looks at what they are given or give."""
    if x.device.type != "cpu" or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    return not any(type(each) is not nn.Linear or watched(each) for each in layers)


def watched(layer: nn.Module) -> bool:
    """Whether anything hangs on the call of a layer."""
    return bool(layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks or layer._backward_pre_hooks)


def activate(x: Float[Tensor, "*batch inputs"], layer: nn.Module, activation: str) -> Float[Tensor, "*batch outputs"]:
    """The activation of that name of what a linear layer makes of x."""
    if isinstance(layer, nn.Linear) and activation in _WITHIN and fast(x) and trained(x, [layer]):
        found: Tensor = _Activated.apply(x, layer.weight, layer.bias, activation)  # type: ignore[no-untyped-call]
        return found
    return ACTIVATIONS[activation](layer(x))


class _Activated(torch.autograd.Function):
    """One pass over memory less each way. What gelu bends is not kept but multiplied again, which costs less."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, activation: str) -> Tensor:
        found = linear(x, weight, bias, _WITHIN[activation])
        ctx.activation, ctx.has_bias = activation, bias is not None
        ctx.save_for_backward(x, weight, found if activation == "relu" else bias)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, other = ctx.saved_tensors
        if ctx.activation == "relu":
            gradient = torch.ops.aten.threshold_backward(gradients[0], other, 0)
        else:
            bent = linear(x, weight, other)
            gradient = torch.ops.aten.gelu_backward(gradients[0], bent, approximate=_WITHIN[ctx.activation][1])
        towards_x = gradient @ weight if ctx.needs_input_grad[0] else None
        rows = gradient.reshape(-1, len(weight))
        towards_weight = rows.t() @ x.reshape(len(rows), -1)
        return towards_x, towards_weight, rows.sum(0) if ctx.has_bias else None, None
