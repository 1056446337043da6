"""RMSNorm in training: gradients of any number of rows are as exact as the numbers that they are made of."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from osnowa.model.norm import RMSNorm


def made(dtype: torch.dtype, offset: bool, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """What comes out, and the gradients of the input and the weight; from the same numbers in any dtype."""
    generator = torch.Generator().manual_seed(4)
    given, towards = ((torch.randn(rows, 96, generator=generator) * 3 + 0.5).bfloat16() for _ in range(2))
    norm = RMSNorm(96, 1e-6, offset).to(dtype)
    with torch.no_grad():
        norm.weight.add_(torch.rand(96, generator=generator).bfloat16().to(dtype))
    x = given.to(dtype).view(rows // 4, 4, 96).requires_grad_()
    y = norm(x)
    y.backward(towards.to(dtype).view(y.shape))
    assert x.grad is not None
    assert norm.weight.grad is not None
    return y.detach().double(), x.grad.double(), norm.weight.grad.double()


@pytest.mark.parametrize("offset", [False, True])
@pytest.mark.parametrize(("dtype", "share"), [(torch.float32, 1e-6), (torch.bfloat16, 2**-7)])
def test_in_fewer_bits_it_is_what_it_is_in_float64_but_for_their_rounding(
    dtype: torch.dtype, share: float, offset: bool
) -> None:
    for name, found, expected in zip(
        ("output", "input", "weight"), made(dtype, offset, 4096), made(torch.float64, offset, 4096), strict=True
    ):
        assert float((found - expected).norm() / expected.norm()) < share, name


def test_second_derivatives_are_refused() -> None:
    x = torch.randn(3, 8, requires_grad=True)
    (first,) = torch.autograd.grad(RMSNorm(8, 1e-6, False)(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()
