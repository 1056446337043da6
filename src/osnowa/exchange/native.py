"""Our own format, for architectures that no class of another library holds: our settings, our names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import ClassVar

from osnowa.exchange.entry import Entry
from osnowa.exchange.family import Family, SpecialIds, Values, parameter_shapes
from osnowa.exchange.keys import Keys
from osnowa.exchange.notes import Note
from osnowa.model import ModelConfig


class Native(Family):
    """Holds every model; only osnowa reads it."""

    model_type = "osnowa"
    fixed: ClassVar = {}
    aliases: ClassVar = {}

    def class_name(self, config: ModelConfig) -> str:
        return "osnowa.model.Transformer"

    def misfits(self, config: ModelConfig) -> list[str]:
        return []

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        roles = {"pad_token_id": ids.pad, "bos_token_id": ids.bos, "eos_token_id": ids.eos}
        return {"vocab_size": config.vocab_size, "model": config.model_dump(mode="json"), **roles}

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        """What is wrong in them, `ModelConfig.read` finds."""
        given = dict(keys.inner("model").values)
        vocabulary = keys.whole("vocab_size")
        if given.get("vocab_size") != vocabulary:
            keys.errors.append(f"vocab_size = {vocabulary}, but model.vocab_size says {given.get('vocab_size')!r:.60}")
        return given, []

    def read_heads(self, names: Iterable[tuple[str, str]], where: str) -> tuple[Values, list[Note]]:
        return {}, []

    def rename(self, name: str) -> str:
        return name

    def second_names(self, settings: Values) -> Mapping[str, str]:
        tied = settings.get("tie_embeddings", True) is True
        return {"head.projection.weight": "embedding.token.weight"} if tied else {}

    def modules(self, config: ModelConfig) -> list[tuple[str, tuple[str, ...], str]]:
        return []

    def further_entries(self, config: ModelConfig, present: Collection[str]) -> list[Entry]:
        return [Entry(name, (name,)) for name in parameter_shapes(config)]
