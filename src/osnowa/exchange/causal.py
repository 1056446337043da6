"""What the classes of decoders have in common: a stack, a vocabulary projection, and how a text begins and ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from osnowa.exchange.family import Family, SpecialIds, Values
from osnowa.exchange.keys import Keys
from osnowa.exchange.notes import Note
from osnowa.model import ModelConfig

# Settings that change nothing about what a trained model computes: a class without a key for one holds the model.
DROPOUTS = frozenset(["attention_dropout", "feed_forward_dropout"])
DECODER: Mapping[str, object] = {
    "topology": "decoder",
    "num_segments": 0,
    "input_norm": False,
    "head_transform": False,
    "head_bias": False,
}


class Causal(Family):
    """A decoder alone. The projection may be the token embedding."""

    aliases: ClassVar = {}
    embedding: ClassVar[str]  # their module with the token vectors
    base: ClassVar[str]  # what stands before the names in the class with the projection
    inner: ClassVar[tuple[str, ...]]  # how names begin in the class without it

    def second_names(self, settings: Values) -> Mapping[str, str]:
        return {"lm_head.weight": f"{self.embedding}.weight"} if settings["tie_embeddings"] else {}

    def read_heads(self, names: Iterable[tuple[str, str]], where: str) -> tuple[Values, list[Note]]:
        return {}, []

    def rename(self, name: str) -> str:
        """The class without the projection leaves out the prefix."""
        return f"{self.base}{name}" if name.startswith(self.inner) else name

    def write_generation(self, ids: SpecialIds) -> Values:
        return {key: value for key, value in write_ids(ids).items() if value is not None}


def write_ids(ids: SpecialIds) -> Values:
    """What a text begins with, what it ends with, and what fills a row."""
    return {"bos_token_id": ids.bos, "eos_token_id": ids.eos, "pad_token_id": ids.pad}


def attention_dropout(config: ModelConfig) -> float:
    """Derived from dropout where it is not given."""
    return config.dropout if config.attention_dropout is None else config.attention_dropout


def read_dropouts(keys: Keys, dropout: float, on_weights: float) -> Values:
    """The two dropouts that most classes have."""
    return {"dropout": dropout, "attention_dropout": None if on_weights == dropout else on_weights}


def unkept_dropouts(config: ModelConfig, *names: str) -> list[str]:
    """Those of `names` that a class without a key for them does not keep, in words."""
    return [f"{name} = {getattr(config, name)}" for name in names if getattr(config, name)]
