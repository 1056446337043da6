"""A class of another library: the shapes it can hold, its settings, and which of its tensors is which of ours."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from osnowa.exchange.keys import Keys
from osnowa.exchange.notes import Note
from osnowa.model import ModelConfig, Transformer

MODEL_FILE = "model.safetensors"
Values = dict[str, Any]
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class SpecialIds:
    """The ids that a config.json names."""

    pad: int
    cls: int
    sep: int


@dataclass(frozen=True)
class Entry:
    """The tensor `theirs` in `file` holds our tensors one below the other."""

    theirs: str
    ours: tuple[str, ...]
    file: str = MODEL_FILE


class Family(ABC):
    """What we must know of a class to write and to read it."""

    model_type: ClassVar[str]
    # Settings that the class leaves no choice in.
    fixed: ClassVar[Mapping[str, object]]
    # Second names of tensors that are stored once, e.g. the tied vocabulary projection.
    aliases: ClassVar[Mapping[str, str]]
    # Tensors that are no weights: they follow from the settings.
    derived: ClassVar[tuple[str, ...]] = ()
    # A file beside the model for tensors that the class has no place for.
    extra_file: ClassVar[str | None] = None

    @abstractmethod
    def class_name(self, config: ModelConfig) -> str:
        """The class as the other library names it."""

    @abstractmethod
    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        """The keys of config.json."""

    @abstractmethod
    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        """Our settings from config.json; the heads are not among them, the tensors tell which there are."""

    @abstractmethod
    def read_heads(self, names: Iterable[tuple[str, str]], where: str) -> tuple[Values, list[Note]]:
        """Which heads the (file, tensor) names hold, as settings."""

    @abstractmethod
    def rename(self, name: str) -> str:
        """A tensor's name in the class with all heads, from an old spelling or from the class without heads."""

    @abstractmethod
    def modules(self, config: ModelConfig) -> list[tuple[str, tuple[str, ...], str]]:
        """(their module, our modules, file): each with a weight, a bias or both."""

    def further_misfits(self, config: ModelConfig) -> list[str]:
        """Misfits that a table of values can't say."""
        return []

    def misfits(self, config: ModelConfig) -> list[str]:
        """Every setting that the class can't hold, in words; empty: it fits."""
        wrong = [
            f"{name} = {shown(wanted)} instead of {shown(getattr(config, name))}"
            for name, wanted in self.fixed.items()
            if getattr(config, name) != wanted
        ]
        if config.kv_heads != config.num_heads:
            wrong.append(f"num_kv_heads = {config.num_heads} instead of {config.kv_heads}")
        if config.head_width * config.num_heads != config.d_model:
            wrong.append(f"d_head = d_model / num_heads instead of {config.head_width}")
        return wrong + self.further_misfits(config)

    def entries(self, config: ModelConfig, shapes: Shapes) -> list[Entry]:
        """All tensors of a model of this shape."""
        found = [
            Entry(f"{theirs}.{kind}", tuple(f"{name}.{kind}" for name in ours), file)
            for theirs, ours, file in self.modules(config)
            for kind in ("weight", "bias")
            if f"{ours[0]}.{kind}" in shapes
        ]
        covered = {name for entry in found for name in entry.ours}
        assert covered == shapes.keys(), f"{self.model_type} has no place for {sorted(shapes.keys() ^ covered)}"
        return found


def parameter_shapes(config: ModelConfig) -> Shapes:
    """The shape of each of our parameters by name, without making a single number."""
    with torch.device("meta"):
        return {name: tuple(each.shape) for name, each in Transformer(config).named_parameters()}


def shown(value: object) -> str:
    """A setting as the user writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
