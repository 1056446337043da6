"""Update rules: how some parameters move by their gradients, and what is remembered of them between steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# Numbers that move together where they are converted. 95 million by 2^17, 2^18, 2^19, 2^20, 2^21 and all at once: 85, 69,
# 62, 56, 57, 58 ms; 7 million: 6.7, 5.9, 5.5, 5.9, 6.7, 7.3 (two Zen 4 cores).
NUMBERS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Weight:
    """A parameter, or a part of one, that moves: as it is kept, and as the model computes with it; its raw gradient."""

    master: Tensor
    working: Tensor  # may be the same tensor
    raw: Tensor
    remembered: dict[str, Tensor]

    @property
    def twofold(self) -> bool:
        """Whether there are two tensors."""
        return self.working is not self.master

    def gradient(self) -> Tensor:
        """In the master's numbers."""
        return self.raw.to(self.master.dtype)

    def parts(self, most: int) -> Iterator[Weight]:
        """Itself, or flat views of so many numbers one behind the other; what is one number for all stays it."""
        if self.master.numel() <= most:
            yield self
            return
        flat = self.master.view(-1), self.working.view(-1), self.raw.reshape(-1)
        master, working, raw = (torch.split(each, most) for each in flat)
        pieces = {key: torch.split(each.view(-1), most) for key, each in self.remembered.items() if each.ndim}
        for number in range(len(master)):
            remembered = {**self.remembered, **{key: each[number] for key, each in pieces.items()}}
            yield Weight(master[number], working[number], raw[number], remembered)


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
        weights = []
        for name, master in self.parameters.items():
            raw = self.working[name].grad
            if raw is not None:
                if name not in self.state:
                    self.state[name] = self.begin(master)
                weights.append(Weight(master, self.working[name], raw, self.state[name]))
        if not weights:
            return
        self.count(weights)
        for some in self.groups(weights):
            self.move(some, self.rate * factor, shorten)
            if some[0].twofold:
                torch._foreach_copy_([each.working for each in some], [each.master for each in some])

    @abstractmethod
    def begin(self, parameter: Tensor) -> dict[str, Tensor]:
        """What is remembered of a parameter before its first update."""

    @abstractmethod
    def count(self, weights: Sequence[Weight]) -> None:
        """What is done once a step with those that move, one at least, in however many parts each does."""

    @abstractmethod
    def groups(self, weights: Sequence[Weight]) -> Iterable[Sequence[Weight]]:
        """Those that move together, in parts or whole; none is empty."""

    @abstractmethod
    def move(self, weights: Sequence[Weight], rate: float, shorten: Tensor | None) -> None:
        """Move a group of masters."""


class AdamW(Rule):
    """AdamW (Loshchilov & Hutter 2019) by torch's fused kernel.

    Where gradients are in other numbers than the weights, on a processor, a few numbers after the others: their
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

    def count(self, weights: Sequence[Weight]) -> None:
        """One update more."""
        torch._foreach_add_([each.remembered["step"] for each in weights], 1)

    def groups(self, weights: Sequence[Weight]) -> Iterable[Sequence[Weight]]:
        """All at once, or few numbers."""
        if not weights[0].twofold or weights[0].master.device.type != "cpu":
            yield weights
            return
        group: list[Weight] = []
        held = 0
        for each in (part for weight in weights for part in weight.parts(NUMBERS_AT_ONCE)):
            held += each.master.numel()
            if group and held > NUMBERS_AT_ONCE:
                yield group
                group, held = [], each.master.numel()
            group.append(each)
        yield group

    def move(self, weights: Sequence[Weight], rate: float, shorten: Tensor | None) -> None:
        steps, first, second = ([each.remembered[key] for each in weights] for key in ("step", "exp_avg", "exp_avg_sq"))
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
