"""The Transformer of Vaswani et al. 2017 as the class MarianMTModel, which computes exactly that."""

from __future__ import annotations

from typing import ClassVar

from osnowa.exchange.bart import Bart
from osnowa.exchange.family import SpecialIds, Values
from osnowa.exchange.keys import Keys
from osnowa.exchange.notes import Note
from osnowa.model import ModelConfig


class Marian(Bart):
    """As its heir, but with sinusoids, whose tables nobody stores, and no norm before the first block."""

    model_type = "marian"
    fixed: ClassVar = {**Bart.fixed, "position": "sinusoidal", "position_offset": 0, "input_norm": False}
    derived = ("model.encoder.embed_positions.weight", "model.decoder.embed_positions.weight")
    vocabulary = 58_101

    def class_name(self, config: ModelConfig) -> str:
        return "MarianMTModel"

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        return {
            **super().write_settings(config, ids),
            "decoder_vocab_size": config.vocab_size,
            "share_encoder_decoder_embeddings": True,
        }

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        values, notes = super().read_settings(keys)
        keys.must_be("decoder_vocab_size", values["vocab_size"])
        keys.must_be("share_encoder_decoder_embeddings", True)
        return values, notes
