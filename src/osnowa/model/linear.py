"""Linear layers in training on a processor: the library's fastest way to multiply, add, and bend at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from osnowa.model.module import Module
from osnowa.processor import has_tiles, onednn_multiplies_bfloat16

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "silu": F.silu,
}
# Those that pay as a part of the product, by the library's names. Forward and back of 4,096 x 256 x 1,024 and back to 256
# on two cores with AMX: relu 11.7 ms and 10.1, gelu_tanh 17.5 and 15.8; gelu 12.2 and 12.4. Without tiles the product
# that is made again for gelu_tanh takes 5.3 ms and the part of it 1.3, gelu_tanh by itself 4.2 (two Zen 4 cores).
_WITHIN = {"relu": ("relu", ""), "gelu_tanh": ("gelu", "tanh")}
# Of two threads oneDNN's tiles give a product of this size to one alone: x of so many rows and at least so many columns,
# to so many. 1,024 x 3,072 to 768: 4.4 ms whole, 2.7 in two parts (1.2 to 1.9 times as fast within these borders; beyond
# them up to twice as slow). Other numbers of threads and other processors are not measured.
_ROWS, _INPUTS, _OUTPUTS = range(768, 1280), 768, range(640, 769)
_PART = 512
# oneDNN turns the left side of a product while it multiplies, at half the speed. It pays to do that beforehand where the
# right side is much wider: 4,096 rows of 512 against 2,048 7.7 ms and 6.0, 1,024 of 768 against 3,072 3.7 and 2.8, 4,096
# of 256 against 1,024 1.8 and 1.9 (two cores with AMX).
_NARROW = 384


class Linear(Module, nn.Linear):
    """x W^T + b (nn.Linear); in training on a processor in bfloat16 with gradients of its own making."""

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        if not torch.is_grad_enabled() or not fast(x):
            return F.linear(x, self.weight, self.bias)
        found: Tensor = _Product.apply(x, self.weight, self.bias, "none")  # type: ignore[no-untyped-call]
        return found


def activate(x: Float[Tensor, "*batch inputs"], layer: nn.Module, activation: str) -> Float[Tensor, "*batch outputs"]:
    """The activation of that name of what a linear layer makes of x."""
    plain = trained(x, [layer]) if fast(x) and _pays_within(activation) else []
    if plain:
        found: Tensor = _Product.apply(x, plain[0].weight, plain[0].bias, activation)  # type: ignore[no-untyped-call]
        return found
    return ACTIVATIONS[activation](layer(x))


def _pays_within(activation: str) -> bool:
    return activation in _WITHIN and (activation == "relu" or has_tiles())


def trained(x: Tensor, layers: Sequence[nn.Module]) -> list[Linear]:
    """`layers`, where all are plain ones in training on a processor and nobody looks at what they are given or give."""
    if x.device.type != "cpu" or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return []
    plain = [each for each in layers if type(each) is Linear and not each.watched]
    return plain if len(plain) == len(layers) else []


class _Product(torch.autograd.Function):
    """A layer, and what bends its result. What gelu bends is not kept but multiplied again, which costs less."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, activation: str) -> Tensor:
        found = linear(x, weight, bias, activation)
        ctx.activation = activation
        ctx.save_for_backward(x, weight, found if activation == "relu" else bias)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, other = ctx.saved_tensors
        (gradient,) = gradients
        if ctx.activation == "relu":
            gradient = torch.ops.aten.threshold_backward(gradient, other, 0)
        elif ctx.activation == "gelu_tanh":
            gradient = torch.ops.aten.gelu_backward(gradient, linear(x, weight, other), approximate="tanh")
        to_x, to_weight, to_bias, _ = ctx.needs_input_grad
        return (*gradients_of(gradient, x, weight, to_x, to_weight, to_bias), None)


def linear(
    x: Float[Tensor, "*batch inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None,
    activation: str = "none",
) -> Float[Tensor, "*batch outputs"]:
    """x W^T + b, for who makes the gradients himself. In bfloat16 on a CPU b is added before anything is rounded.

    The library's other way copies the bias to each row first. 4,096 x 256 x 1,024: 0.95 ms and 0.73 on two cores with
    AMX, 608 x 256 x 11,264 in a training step: 5.7 and 2.4. An `activation` is for `fast` ones.
    """
    if activation == "none" and (bias is None or not fast(x)):
        return _in_parts(x, weight.t(), lambda rows: F.linear(rows, weight, bias))
    name, kind = _WITHIN.get(activation, ("none", ""))
    return _in_parts(x, weight.t(), lambda rows: torch.ops.mkldnn._linear_pointwise(rows, weight, bias, name, [], kind))


def gradients_of(
    gradient: Float[Tensor, "*batch outputs"],
    x: Float[Tensor, "*batch inputs"],
    weight: Float[Tensor, "outputs inputs"],
    to_x: bool,
    to_weight: bool,
    to_bias: bool,
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """What the gradient of x W^T + b means for x, W and b."""
    rows = gradient.reshape(-1, len(weight))
    towards_x = _in_parts(gradient, weight, lambda part: part @ weight) if to_x else None
    towards_weight = _turned(rows, weight.size(1)) @ x.reshape(-1, weight.size(1)) if to_weight else None
    return towards_x, towards_weight, rows.sum(0) if to_bias else None


def _turned(rows: Float[Tensor, "rows outputs"], inputs: int) -> Float[Tensor, "outputs rows"]:
    """The transpose, for a product with as many rows of `inputs`; laid out anew where the product gains more by it."""
    outputs = rows.size(1)
    if outputs < _NARROW or inputs < 2 * outputs or not fast(rows) or not has_tiles():
        return rows.t()
    found: Tensor = torch._mkldnn_transpose(rows.to_mkldnn(), 0, 1).to_dense()
    return found


def _in_parts(
    x: Float[Tensor, "*batch inputs"], matrix: Float[Tensor, "inputs outputs"], product: Callable[[Tensor], Tensor]
) -> Float[Tensor, "*batch outputs"]:
    """`product` of x with the matrix; of some of its rows after the others where only so both threads are busy."""
    inputs, outputs = matrix.shape
    number = x.numel() // inputs
    small = number in _ROWS and outputs in _OUTPUTS and inputs >= _INPUTS
    if not small or not fast(x) or not has_tiles() or torch.get_num_threads() != 2:
        return product(x)
    parts = [product(rows) for rows in torch.split(x.reshape(number, inputs), _PART)]
    return torch.cat(parts).view(*x.shape[:-1], outputs)


def fast(x: Tensor) -> bool:
    """Whether oneDNN multiplies these: where it does not know their numbers, the library has other ways."""
    return (
        x.dtype == torch.bfloat16
        and x.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and onednn_multiplies_bfloat16()
    )
