"""Norms in training: gradients of any number of rows are as exact as the numbers that they are made of."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from osnowa.model.norm import LayerNorm, RMSNorm

NORMS = {
    "rmsnorm": lambda: RMSNorm(96, 1e-6, offset=False),
    "rmsnorm with offset": lambda: RMSNorm(96, 1e-6, offset=True),
    "layernorm": lambda: LayerNorm(96, eps=1e-6),
    "layernorm without bias": lambda: LayerNorm(96, eps=1e-6, bias=False),
}


def made(kind: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """What comes out, and the gradients of the input and of each weight; from the same numbers in any dtype."""
    generator = torch.Generator().manual_seed(4)
    given, towards = ((torch.randn(4096, 96, generator=generator) * 3 + 0.5).bfloat16() for _ in range(2))
    norm = NORMS[kind]().to(dtype)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.add_(torch.rand(96, generator=generator).bfloat16().to(dtype))
    x = given.to(dtype).view(1024, 4, 96).requires_grad_()
    y = norm(x)
    y.backward(towards.to(dtype).view(y.shape))
    gradients = {name: each.grad for name, each in (("input", x), *norm.named_parameters()) if each.grad is not None}
    assert len(gradients) == 1 + len(list(norm.parameters()))
    return {"output": y.detach().double(), **{name: each.double() for name, each in gradients.items()}}


@pytest.mark.parametrize("kind", NORMS)
@pytest.mark.parametrize(("dtype", "share"), [(torch.float32, 1e-6), (torch.bfloat16, 2**-7)])
def test_in_fewer_bits_it_is_what_it_is_in_float64_but_for_their_rounding(
    dtype: torch.dtype, share: float, kind: str
) -> None:
    found = made(kind, dtype)
    for name, expected in made(kind, torch.float64).items():
        assert float((found[name] - expected).norm() / expected.norm()) < share, name


def test_second_derivatives_are_refused() -> None:
    x = torch.randn(3, 8, requires_grad=True)
    (first,) = torch.autograd.grad(RMSNorm(8, 1e-6, False)(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()
