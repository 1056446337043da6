"""Update rules: how some parameters move by their gradients, and what is remembered of them between steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor


class Rule(ABC):
    """One update of `parameters` (by name) at a time; those without a gradient stay.

    Not a torch.optim.Optimizer: to make one of these imports torch's compiler, 3 s before the first step.
    """

    def __init__(self, parameters: Mapping[str, Tensor], *, rate: float, weight_decay: float) -> None:
        self.parameters, self.rate, self.weight_decay = parameters, rate, weight_decay
        self.state: dict[str, dict[str, Tensor]] = {}

    def step(self, factor: float = 1.0, shorten: Tensor | None = None) -> None:
        """One update with the learning rate times `factor` and the gradients times `shorten`; they may be changed."""
        moving = {name: each for name, each in self.parameters.items() if each.grad is not None}
        for name, parameter in moving.items():
            if name not in self.state:
                self.state[name] = self.begin(parameter)
        if moving:
            with torch.no_grad():
                self.move(moving, self.rate * factor, shorten)

    @abstractmethod
    def begin(self, parameter: Tensor) -> dict[str, Tensor]:
        """What is remembered of a parameter before its first update."""

    @abstractmethod
    def move(self, moving: Mapping[str, Tensor], rate: float, shorten: Tensor | None) -> None:
        """Move parameters that have a gradient and a state."""


class AdamW(Rule):
    """AdamW (Loshchilov & Hutter 2019), all parameters in one call of torch's fused kernel."""

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        *,
        rate: float,
        weight_decay: float,
        betas: tuple[float, float],
        eps: float,
    ) -> None:
        super().__init__(parameters, rate=rate, weight_decay=weight_decay)
        self.betas, self.eps = betas, eps

    def begin(self, parameter: Tensor) -> dict[str, Tensor]:
        """Both moments, and how many updates there were."""
        return {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }

    def move(self, moving: Mapping[str, Tensor], rate: float, shorten: Tensor | None) -> None:
        steps, first, second = ([self.state[name][key] for name in moving] for key in ("step", "exp_avg", "exp_avg_sq"))
        torch._foreach_add_(steps, 1)
        torch._fused_adamw_(
            list(moving.values()),
            [each.grad for each in moving.values() if each.grad is not None],
            first,
            second,
            [],
            steps,
            amsgrad=False,
            lr=rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=self.weight_decay,
            eps=self.eps,
            maximize=False,
            grad_scale=None if shorten is None else 1.0 / shorten,  # no pass of its own over the gradients
        )
