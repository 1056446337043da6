"""Muon: each matrix moves by its momentum with all singular values brought to about one."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from osnowa.train.precision import has_fast_bfloat16

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # steep at zero; singular values end between 0.7 and 1.2
_STEPS = 5
_SMALLEST_NORM = 1e-7


class Muon(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024) on matrices, its step scaled to the size of AdamW's (Liu et al. 2025, section 2.2).

    The rule is that of `torch.optim.Muon(adjust_lr_fn="match_rms_adamw")`. Two things differ: matrices of one shape are
    worked on together, and the iteration is done in bfloat16 only where the machine multiplies it natively. (torch's
    always uses bfloat16: on a processor with AVX2 alone a step took 26 s instead of 0.75.)
    """

    def __init__(
        self, parameters: Iterable[Tensor], *, lr: float, weight_decay: float = 0.1, momentum: float = 0.95
    ) -> None:
        super().__init__(list(parameters), {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        for group in self.param_groups:
            assert all(parameter.ndim == 2 for parameter in group["params"]), "matrices only"

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # a closure is never given
        """One update of every matrix that has a gradient."""
        for group in self.param_groups:
            shapes: dict[tuple[int, ...], list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(tuple(parameter.shape), []).append(parameter)
            for parameters in shapes.values():
                self._move(parameters, group["lr"], group["weight_decay"], group["momentum"])

    def _move(self, parameters: list[Tensor], rate: float, weight_decay: float, momentum: float) -> None:
        """Nesterov momentum, orthogonalised, on matrices of one shape."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        for parameter in parameters:
            if "momentum_buffer" not in self.state[parameter]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        buffers = [self.state[parameter]["momentum_buffer"] for parameter in parameters]
        torch._foreach_lerp_(buffers, gradients, 1 - momentum)
        directions = torch.stack(torch._foreach_lerp(gradients, buffers, momentum))
        moves = orthogonalise(directions).to(parameters[0].dtype).unbind()
        rows, columns = parameters[0].shape
        torch._foreach_mul_(parameters, 1 - rate * weight_decay)
        torch._foreach_add_(parameters, moves, alpha=-rate * 0.2 * max(rows, columns) ** 0.5)


def orthogonalise(matrices: Float[Tensor, "number rows columns"]) -> Float[Tensor, "number rows columns"]:
    """U V^T, roughly, of each matrix U S V^T: five steps of a quintic Newton-Schulz iteration."""
    a, b, c = _COEFFICIENTS
    tall = matrices.size(1) > matrices.size(2)
    x = matrices.mT if tall else matrices
    if has_fast_bfloat16(x.device):
        x = x.bfloat16()
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=_SMALLEST_NORM)
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
