"""The encoder of Liu et al. 2019 as the class RobertaForMaskedLM."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from osnowa.exchange.bert import Bert, read_shape, write_shape
from osnowa.exchange.family import SpecialIds, Values
from osnowa.exchange.keys import Keys
from osnowa.exchange.notes import Note
from osnowa.model import ModelConfig


class Roberta(Bert):
    """As its ancestor, without next sentence; the first position has the row after the padding token's id."""

    model_type = "roberta"
    fixed: ClassVar = {**Bert.fixed, "activation": "gelu", "next_sentence": False}  # the head has gelu whatever is said
    aliases: ClassVar = {
        "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
        "lm_head.decoder.bias": "lm_head.bias",
    }
    derived = ("roberta.embeddings.position_ids", "roberta.embeddings.token_type_ids")
    free = frozenset(["position_offset"])
    prefix = "roberta."

    def class_name(self, config: ModelConfig) -> str:
        return "RobertaForMaskedLM"

    def id_misfits(self, config: ModelConfig, pad: int | None) -> list[str]:
        if pad is None:
            return ["a padding token"]
        wanted = pad + 1
        if config.position_offset == wanted:
            return []
        return [f"position_offset = {wanted} (padding is id {pad}) instead of {config.position_offset}"]

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        return {
            **write_shape(config),
            "max_position_embeddings": config.max_positions + config.position_offset,
            "pad_token_id": ids.pad,
            "bos_token_id": ids.bos,
            "eos_token_id": ids.eos,
        }

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        keys.must_be("hidden_act", "gelu")
        values, notes = read_shape(keys, 50_265)
        offset = keys.whole("pad_token_id", 1) + 1
        positions = keys.whole("max_position_embeddings", 512)
        return {**values, "position_offset": offset, "max_positions": positions - offset}, notes

    def read_heads(self, names: Iterable[tuple[str, str]], where: str) -> tuple[Values, list[Note]]:
        if any(name.startswith("lm_head.") for _, name in names):
            return {"head_transform": True, "head_bias": True}, []
        message = f"{where}: there is no masked-token head; what the model says about <mask> means nothing"
        return {"head_transform": False, "head_bias": False}, [Note("no-masked-head", message)]

    def head_modules(self) -> list[tuple[str, str]]:
        return [
            ("lm_head.dense", "head.transform.dense"),
            ("lm_head.layer_norm", "head.transform.norm"),
            ("lm_head", "head.projection"),
        ]
