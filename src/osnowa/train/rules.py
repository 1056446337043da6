"""Update rules: how some parameters move by their gradients, and what is remembered of them between steps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_AT_ONCE = 1 << 20  # numbers that move together where they are converted


@dataclass(frozen=True)
class Weight:
    """A parameter that moves: as it is kept, and as the model computes with it, which may be the same tensor."""

    master: Tensor
    working: Tensor
    remembered: dict[str, Tensor]

    @property
    def twofold(self) -> bool:
        """Whether there are two tensors."""
        return self.working is not self.master

    def gradient(self) -> Tensor:
        """In the master's numbers."""
        assert self.working.grad is not None
        return self.working.grad.to(self.master.dtype)


class Rule(ABC):
    """One update of `parameters` (by name) at a time; those without a gradient stay.

    `working`: what the model computes with, where that is in other numbers; gradients are there, and what moved is
    rounded into it. Not a torch.optim.Optimizer: to make one of these imports torch's compiler, 3 s before the first step.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        working: Mapping[str, Tensor] | None = None,
        *,
        rate: float,
        weight_decay: float,
    ) -> None:
        self.parameters, self.working = parameters, parameters if working is None else working
        self.rate, self.weight_decay = rate, weight_decay
        self.state: dict[str, dict[str, Tensor]] = {}

    @torch.no_grad()
    def step(self, factor: float = 1.0, shorten: Tensor | None = None) -> None:
        """One update with the learning rate times `factor` and the gradients times `shorten`; they may be changed."""
        moving = [name for name in self.parameters if self.working[name].grad is not None]
        for name in moving:
            if name not in self.state:
                self.state[name] = self.begin(self.parameters[name])
        weights = [Weight(self.parameters[name], self.working[name], self.state[name]) for name in moving]
        for some in self.groups(weights):
            self.move(some, self.rate * factor, shorten)
            if some[0].twofold:
                torch._foreach_copy_([each.working for each in some], [each.master for each in some])

    @abstractmethod
    def begin(self, parameter: Tensor) -> dict[str, Tensor]:
        """What is remembered of a parameter before its first update."""

    @abstractmethod
    def groups(self, weights: Sequence[Weight]) -> Iterable[Sequence[Weight]]:
        """Those that move together; none is empty."""

    @abstractmethod
    def move(self, weights: Sequence[Weight], rate: float, shorten: Tensor | None) -> None:
        """Move a group of masters."""


class AdamW(Rule):
    """AdamW (Loshchilov & Hutter 2019) by torch's fused kernel.

    Where gradients are in other numbers than the weights, on a processor, a few parameters after the others: their
    gradients in float32 and their new weights are still in its cache for the next pass over them.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        working: Mapping[str, Tensor] | None = None,
        *,
        rate: float,
        weight_decay: float,
        betas: tuple[float, float],
        eps: float,
    ) -> None:
        super().__init__(parameters, working, rate=rate, weight_decay=weight_decay)
        self.betas, self.eps = betas, eps

    def begin(self, parameter: Tensor) -> dict[str, Tensor]:
        """Both moments, and how many updates there were."""
        return {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }

    def groups(self, weights: Sequence[Weight]) -> Iterable[Sequence[Weight]]:
        """All at once, or few."""
        apart = any(each.twofold and each.master.device.type == "cpu" for each in weights)
        most = _AT_ONCE if apart else math.inf
        group: list[Weight] = []
        held = 0
        for each in weights:
            held += each.master.numel()
            if group and held > most:
                yield group
                group, held = [], each.master.numel()
            group.append(each)
        if group:
            yield group

    def move(self, weights: Sequence[Weight], rate: float, shorten: Tensor | None) -> None:
        steps, first, second = ([each.remembered[key] for each in weights] for key in ("step", "exp_avg", "exp_avg_sq"))
        torch._foreach_add_(steps, 1)
        torch._fused_adamw_(
            [each.master for each in weights],
            [each.gradient() for each in weights],
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
