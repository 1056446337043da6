"""An architecture of llama.cpp: the models it can hold, its keys, and which of its tensors is which of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from osnowa.exchange.family import Shapes, shown
from osnowa.model import ModelConfig

Change = Callable[[Tensor, ModelConfig], Tensor]
Check = Callable[[ModelConfig], list[str]]
Value = bool | int | float | str | Sequence[str] | Sequence[int] | Sequence[bool]
Values = dict[str, Value]


@dataclass(frozen=True)
class Part:
    """The module `theirs` holds our modules one below the other, each changed on the way."""

    theirs: str
    ours: tuple[str, ...]
    change: Change | None = None


@dataclass(frozen=True)
class Entry:
    """One tensor of the file: its name, our tensors one below the other, and what happens to each before."""

    name: str
    ours: tuple[str, ...]
    change: Change | None = None

    def build(self, weights: Mapping[str, Tensor], config: ModelConfig) -> Tensor:
        """The tensor in float32, on the CPU, its numbers in a row."""
        parts = [weights[name].detach().to("cpu", torch.float32) for name in self.ours]
        if self.change is not None:
            parts = [self.change(part, config) for part in parts]
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).contiguous()


@dataclass(frozen=True)
class Shape:
    """What we must know of an architecture to write it.

    `models` says which models have it; `fixed` are settings that it leaves no choice in; `checks` find what a table of
    values can't say; `keys` stand below its name; `computed` are tensors that follow from the settings; our tensors
    whose names begin as in `left_out` have no place in it.
    """

    arch: str
    models: str
    fixed: Mapping[str, object]
    checks: tuple[Check, ...]
    keys: Callable[[ModelConfig], Values]
    parts: Callable[[ModelConfig], list[Part]]
    computed: Callable[[ModelConfig], dict[str, Tensor]] | None = None
    left_out: tuple[str, ...] = ()

    def misfits(self, config: ModelConfig) -> list[str]:
        """Every setting that the architecture can't hold, in words; empty: it fits."""
        wrong = [
            f"{name} = {shown(wanted)} instead of {shown(getattr(config, name))}"
            for name, wanted in self.fixed.items()
            if getattr(config, name) != wanted
        ]
        return wrong + [problem for check in self.checks for problem in check(config)]

    def entries(self, config: ModelConfig, shapes: Shapes) -> list[Entry]:
        """All tensors of a model of this shape, without the computed ones."""
        found = [
            Entry(f"{part.theirs}.{kind}", tuple(f"{name}{ending}" for name in part.ours), part.change)
            for part in self.parts(config)
            for kind, ending in (("weight", ".weight"), ("bias", ".bias"), ("weight", ""))  # "": experts, stacked
            if f"{part.ours[0]}{ending}" in shapes
        ]
        missing = shapes.keys() - {name for entry in found for name in entry.ours}
        missing = {name for name in missing if not name.startswith(self.left_out)} if self.left_out else missing
        assert not missing, f"{self.arch} has no place for {sorted(missing)}"
        return found
