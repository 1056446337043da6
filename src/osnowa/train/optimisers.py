"""Which parameter is moved by which rule: AdamW with decay groups, and Muon on the blocks' matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor

from osnowa.train.muon import Muon
from osnowa.train.rules import AdamW, Rule

OptimiserName = Literal["adamw", "muon"]


class Optimiser:
    """The optimizers of a run as one: a step at a learning-rate factor, and state as plain tensors.

    `adamw`: AdamW (Loshchilov & Hutter 2019) everywhere, weight decay on matrices only.
    `muon`: Muon (Jordan et al. 2024, scaled to AdamW's step as in Liu et al. 2025) on the matrices inside blocks, AdamW on embeddings, heads, norms and biases.
    `working`: what the model computes with, where that is in other numbers than `parameters` (see `Rule`).
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        working: Mapping[str, Tensor] | None = None,
        *,
        name: OptimiserName,
        learning_rate: float,
        matrix_learning_rate: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
    ) -> None:
        groups = {
            label: {each: parameters[each] for each in names} for label, names in group_names(parameters, name).items()
        }
        self.rules: dict[str, Rule] = {
            label: AdamW(groups[label], working, rate=learning_rate, weight_decay=decay, betas=betas, eps=eps)
            for label, decay in (("decayed", weight_decay), ("plain", 0.0))
        }
        self.rules["matrices"] = Muon(groups["matrices"], working, rate=matrix_learning_rate, weight_decay=weight_decay)

    def step(self, factor: float, shorten: Tensor | None = None) -> None:
        """One update with every learning rate times `factor` and the gradients times `shorten`; they may be changed."""
        for rule in self.rules.values():
            rule.step(factor, shorten)

    def has_moved(self, name: str) -> bool:
        """Whether a parameter has ever received a gradient."""
        return any(name in rule.state for rule in self.rules.values())

    def state(self) -> dict[str, Tensor]:
        """Everything remembered between steps: `rule/parameter/key` -> tensor."""
        return {
            f"{label}/{name}/{key}": value
            for label, rule in self.rules.items()
            for name, values in rule.state.items()
            for key, value in values.items()
        }

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave; nothing else of the file can change a setting (OPT's lesson of restored betas)."""
        for label, rule in self.rules.items():
            rule.state = {}
            for name, parameter in rule.parameters.items():
                prefix = f"{label}/{name}/"
                found = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
                if found:
                    rule.state[name] = {key: value.to(parameter.device, copy=True) for key, value in found.items()}


def group_names(parameters: Mapping[str, Tensor], name: OptimiserName) -> dict[str, Sequence[str]]:
    """`matrices`: the blocks' weights when the rule is Muon; `decayed`: other matrices; `plain`: norms and biases."""
    matrices = [
        each for each, tensor in parameters.items() if name == "muon" and ".blocks." in each and tensor.ndim == 2
    ]
    decayed = [each for each, tensor in parameters.items() if tensor.ndim >= 2 and each not in set(matrices)]
    plain = [each for each, tensor in parameters.items() if tensor.ndim < 2]
    return {"matrices": matrices, "decayed": decayed, "plain": plain}
