"""Which parameter is moved by which rule: AdamW with decay groups, and Muon on the blocks' matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from osnowa.train.muon import Muon

OptimiserName = Literal["adamw", "muon"]


class Optimiser:
    """The optimizers of a run as one: a step at a learning-rate factor, and state as plain tensors.

    `adamw`: AdamW (Loshchilov & Hutter 2019) everywhere, weight decay on matrices only.
    `muon`: Muon (Jordan et al. 2024, scaled to AdamW's step as in Liu et al. 2025) on the matrices inside blocks, AdamW on embeddings, heads, norms and biases.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        *,
        name: OptimiserName,
        learning_rate: float,
        matrix_learning_rate: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
    ) -> None:
        self.parameters = parameters
        groups = group_names(parameters, name)
        self.names = groups
        self.parts: dict[str, torch.optim.Optimizer] = {}
        self.rates: dict[str, float] = {}
        for label, decay in (("decayed", weight_decay), ("plain", 0.0)):
            if groups[label]:
                chosen = [parameters[each] for each in groups[label]]
                self.parts[label] = torch.optim.AdamW(
                    chosen, lr=learning_rate, betas=betas, eps=eps, weight_decay=decay, fused=True
                )
                self.rates[label] = learning_rate
        if groups["matrices"]:
            self.parts["matrices"] = Muon(
                [parameters[each] for each in groups["matrices"]], lr=matrix_learning_rate, weight_decay=weight_decay
            )
            self.rates["matrices"] = matrix_learning_rate

    def step(self, factor: float) -> None:
        """One update with every learning rate times `factor`."""
        for label, part in self.parts.items():
            for group in part.param_groups:
                group["lr"] = self.rates[label] * factor
            part.step()

    def has_moved(self, name: str) -> bool:
        """Whether a parameter has ever received a gradient."""
        return any(
            name in self.names[label] and self.parameters[name] in part.state for label, part in self.parts.items()
        )

    def state(self) -> dict[str, Tensor]:
        """Everything remembered between steps: `part/parameter/key` -> tensor."""
        found: dict[str, Tensor] = {}
        for label, part in self.parts.items():
            for index, values in part.state_dict()["state"].items():
                for key, value in values.items():
                    found[f"{label}/{self.names[label][index]}/{key}"] = torch.as_tensor(value)
        return found

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave; nothing else of the file can change a setting (OPT's lesson of restored betas)."""
        for label, part in self.parts.items():
            state: dict[int, dict[str, Any]] = {}
            for index, name in enumerate(self.names[label]):
                prefix = f"{label}/{name}/"
                values = {
                    key.removeprefix(prefix): value.clone() for key, value in tensors.items() if key.startswith(prefix)
                }
                if values:
                    state[index] = values
            part.load_state_dict({"state": state, "param_groups": part.state_dict()["param_groups"]})


def group_names(parameters: Mapping[str, Tensor], name: OptimiserName) -> dict[str, Sequence[str]]:
    """`matrices`: the blocks' weights when the rule is Muon; `decayed`: other matrices; `plain`: norms and biases."""
    matrices = [
        each for each, tensor in parameters.items() if name == "muon" and ".blocks." in each and tensor.ndim == 2
    ]
    decayed = [each for each, tensor in parameters.items() if tensor.ndim >= 2 and each not in set(matrices)]
    plain = [each for each, tensor in parameters.items() if tensor.ndim < 2]
    return {"matrices": matrices, "decayed": decayed, "plain": plain}
