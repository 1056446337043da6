"""Muon: each matrix moves by its momentum with all singular values brought to about one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from osnowa.train.precision import has_fast_bfloat16
from osnowa.train.rules import Rule, Weight

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # steep at zero; singular values end between 0.7 and 1.2
_STEPS = 5
_SMALLEST_NORM = 1e-7


class Muon(Rule):
    """Muon (Jordan et al. 2024) on matrices, its step scaled to the size of AdamW's (Liu et al. 2025, section 2.2).

    The rule is that of `torch.optim.Muon(adjust_lr_fn="match_rms_adamw")`. Two things differ: matrices of one shape are
    worked on together, and the iteration is done in bfloat16 only where the machine multiplies it natively. (torch's
    always uses bfloat16: on a processor with AVX2 alone a step took 26 s instead of 0.75.)
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        working: Mapping[str, Tensor] | None = None,
        *,
        rate: float,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(parameters, working, rate=rate, weight_decay=weight_decay)
        assert all(parameter.ndim == 2 for parameter in parameters.values()), "matrices only"
        self.momentum = momentum

    def begin(self, parameter: Tensor) -> dict[str, Tensor]:
        """Its momentum."""
        return {"momentum_buffer": torch.zeros_like(parameter)}

    def count(self, weights: Sequence[Weight]) -> None:
        """Nothing: no step of it depends on how many there were."""

    def groups(self, weights: Sequence[Weight]) -> Iterable[Sequence[Weight]]:
        """Matrices of one shape."""
        shapes: dict[tuple[int, ...], list[Weight]] = {}
        for each in weights:
            shapes.setdefault(tuple(each.master.shape), []).append(each)
        return shapes.values()

    def move(self, weights: Sequence[Weight], rate: float, shorten: Tensor | None) -> None:
        """Nesterov momentum, orthogonalised, on matrices of one shape."""
        parameters, gradients = [each.master for each in weights], [each.gradient() for each in weights]
        buffers = [each.remembered["momentum_buffer"] for each in weights]
        if shorten is not None:
            torch._foreach_mul_(gradients, shorten)
        torch._foreach_lerp_(buffers, gradients, 1 - self.momentum)
        directions = torch.stack(torch._foreach_lerp(gradients, buffers, self.momentum))
        moves = orthogonalise(directions).to(parameters[0].dtype).unbind()
        rows, columns = parameters[0].shape
        torch._foreach_mul_(parameters, 1 - rate * self.weight_decay)
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
