"""A class of another library: the shapes it can hold, its settings, and which of its tensors is which of ours."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from osnowa.exchange.entry import MODEL_FILE, Entry, Shapes
from osnowa.exchange.keys import Keys
from osnowa.exchange.notes import Note
from osnowa.model import ModelConfig
from osnowa.model.outline import outline

__all__ = [
    "MODEL_FILE",
    "Entry",
    "Family",
    "Shapes",
    "SpecialIds",
    "Values",
    "encoder_decoder_ids",
    "generation_ids",
    "parameter_shapes",
    "shown",
]

SOURCE_WHOLE = "osnowa_source_whole"  # in config.json: the decoder saw its source in both directions
Values = dict[str, Any]
# Settings that few classes have a key for, and what all other classes do.
RARE: Mapping[str, object] = {
    "windows": (None,),
    "attention_scale": None,
    "attention_softcap": None,
    "qk_norm": False,
    "position_offset": 0,
    "rotary_factors": (1.0,),
    "rotary_stretch": None,
    "num_experts": 0,
    "norm_offset": False,
    "attention_dropout": None,
    "feed_forward_dropout": 0.0,
    "first_norm": True,
    "embedding_scale": 1.0,
    "logit_scale": 1.0,
    "logit_softcap": None,
    "next_sentence": False,
}


@dataclass(frozen=True)
class SpecialIds:
    """The ids that a config.json names; None: a model of another tool may have no such token."""

    pad: int | None
    cls: int | None
    sep: int | None
    first: int | None = None  # what the decoder beside an encoder begins with, if it is another one than `bos`

    @property
    def start(self) -> int | None:
        """What the decoder beside an encoder begins with."""
        return self.bos if self.first is None else self.first

    @property
    def bos(self) -> int | None:
        """What a decoder begins with."""
        return self.cls

    @property
    def eos(self) -> int | None:
        """What a decoder ends with."""
        return self.sep


class Family(ABC):
    """What we must know of a class to write and to read it."""

    model_type: ClassVar[str]
    # Settings that the class leaves no choice in.
    fixed: ClassVar[Mapping[str, object]]
    # Settings that the class has a key for: of the rare ones, and of d_head and num_kv_heads.
    free: ClassVar[frozenset[str]] = frozenset()
    # Second names of tensors that are stored once, e.g. the tied vocabulary projection.
    aliases: ClassVar[Mapping[str, str]]
    # Ends of the names of tensors that are no weights: they follow from the settings.
    derived: ClassVar[tuple[str, ...]] = ()
    # Tensors that a class always writes and that say nothing where they are zero.
    silent_zeros: ClassVar[tuple[str, ...]] = ()
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

    def write_generation(self, ids: SpecialIds) -> Values:
        """The keys of generation_config.json; none: there is no such file."""
        return {}

    def second_names(self, settings: Values) -> Mapping[str, str]:
        """`aliases`, for a model with these settings."""
        return self.aliases

    def unused(self, config: ModelConfig) -> tuple[str, ...]:
        """Beginnings of the names of tensors that the class may have and our model has no place for."""
        return ()

    def further_misfits(self, config: ModelConfig) -> list[str]:
        """Misfits that a table of values can't say."""
        return []

    def id_misfits(self, config: ModelConfig, pad: int | None) -> list[str]:
        """Misfits that come from the id of the padding token."""
        return []

    def misfits(self, config: ModelConfig) -> list[str]:
        """Every setting that the class can't hold, in words; empty: it fits."""
        rare = {name: value for name, value in RARE.items() if name not in self.free}
        wrong = [
            f"{name} = {shown(wanted)} instead of {shown(getattr(config, name))}"
            for name, wanted in {**rare, **self.fixed}.items()
            if plain(config, name) != wanted
        ]
        if "num_kv_heads" not in self.free and config.kv_heads != config.num_heads:
            wrong.append(f"num_kv_heads = {config.num_heads} instead of {config.kv_heads}")
        if "d_head" not in self.free and config.head_width * config.num_heads != config.d_model:
            wrong.append(f"d_head = d_model / num_heads instead of {config.head_width}")
        return wrong + self.further_misfits(config)

    def unkept(self, config: ModelConfig) -> list[str]:
        """Settings of training alone that the class has no key for, in words; what the model computes is the same."""
        return []

    def further_entries(self, config: ModelConfig, present: Collection[str]) -> list[Entry]:
        """Tensors that are no weight or bias of a module; `present`: the names in a folder that is read."""
        return []

    def entries(self, config: ModelConfig, shapes: Shapes, present: Collection[str] = ()) -> list[Entry]:
        """All tensors of a model of this shape; as they are written, or as a folder with the names `present` has them."""
        found = [
            Entry(f"{theirs}.{kind}", tuple(f"{name}.{kind}" for name in ours), file)
            for theirs, ours, file in self.modules(config)
            for kind in ("weight", "bias")
            if f"{ours[0]}.{kind}" in shapes
        ]
        found += self.further_entries(config, present)
        covered = {name for entry in found for name in entry.ours}
        assert covered == shapes.keys(), f"{self.model_type} has no place for {sorted(shapes.keys() ^ covered)}"
        return found


def generation_ids(ids: SpecialIds) -> Values:
    """What an encoder-decoder's generation_config.json says."""
    named = {
        "pad_token_id": ids.pad,
        "bos_token_id": ids.bos,
        "eos_token_id": ids.eos,
        "decoder_start_token_id": ids.start,
    }
    return {key: value for key, value in named.items() if value is not None}


def encoder_decoder_ids(ids: SpecialIds) -> Values:
    """The same in config.json, where a class has ids of its own, and forces tokens, unless it is told not to."""
    nothing = {f"{name}_token_id": None for name in ("pad", "bos", "eos", "forced_bos", "forced_eos")}
    return {"is_encoder_decoder": True, **nothing, **generation_ids(ids)}


def parameter_shapes(config: ModelConfig) -> Shapes:
    """The shape of each of our parameters by name, without making a single number."""
    return {name: tuple(each.shape) for name, each in outline(config).named_parameters()}


def plain(config: ModelConfig, name: str) -> object:
    """A setting's value, the default where another way of writing it means the same."""
    value = getattr(config, name)
    if name == "attention_scale" and value == config.head_width**-0.5:
        return None
    return (None,) if name == "windows" and set(value) == {None} else value


def shown(value: object) -> str:
    """A setting as the user writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
