"""The decoders of Radford et al. 2018 and 2019 as the classes OpenAIGPTLMHeadModel and GPT2LMHeadModel."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import ClassVar

from osnowa.exchange.bert import one_dropout
from osnowa.exchange.causal import (
    DECODER,
    DROPOUTS,
    Causal,
    attention_dropout,
    read_dropouts,
    unkept_dropouts,
    write_ids,
)
from osnowa.exchange.entry import MODEL_FILE, Entry, Shapes
from osnowa.exchange.family import SpecialIds, Values
from osnowa.exchange.keys import Keys
from osnowa.exchange.notes import Note
from osnowa.model import ModelConfig

_PLAIN = {
    **DECODER,
    "position": "learned",
    "norm": "layernorm",
    "norm_bias": True,
    "attention_bias": True,
    "feed_forward": "mlp",
    "feed_forward_bias": True,
}
# Their linear layers hold [in, out] matrices.
_TRANSPOSED = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")


class _Gpt(Causal):
    """Learned positions, one matrix for query, key and value, biases everywhere."""

    free = DROPOUTS
    base = "transformer."
    # Causal masks that older versions stored.
    derived = (".attn.bias", ".attn.masked_bias", "position_ids")
    tokens: ClassVar[str]  # their names of the two embeddings
    positions: ClassVar[str]
    norm: ClassVar[str]  # where our norm stands
    default_positions: ClassVar[int]
    default_vocabulary: ClassVar[int]

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        return {
            "vocab_size": config.vocab_size,
            "n_positions": config.max_positions,
            "n_ctx": config.max_positions,
            "n_embd": config.d_model,
            "n_layer": config.decoder_layers,
            "n_head": config.num_heads,
            "resid_pdrop": config.dropout,
            "embd_pdrop": config.dropout,
            "attn_pdrop": attention_dropout(config),
            "layer_norm_epsilon": config.norm_eps,
            "tie_word_embeddings": config.tie_embeddings,
            **write_ids(ids),
        }

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        dropout, embedded = keys.number("resid_pdrop", 0.1), keys.number("embd_pdrop", 0.1)
        values = {
            "vocab_size": keys.whole("vocab_size", self.default_vocabulary),
            "max_positions": keys.whole("n_positions", self.default_positions),
            "d_model": keys.whole("n_embd", 768),
            "decoder_layers": keys.whole("n_layer", 12),
            "num_heads": keys.whole("n_head", 12),
            "norm_eps": keys.number("layer_norm_epsilon", 1e-5),
            "tie_embeddings": keys.flag("tie_word_embeddings", True),
            **read_dropouts(keys, dropout, keys.number("attn_pdrop", 0.1)),
        }
        return values, one_dropout(keys.where, dropout, embedded)

    def unkept(self, config: ModelConfig) -> list[str]:
        return unkept_dropouts(config, "feed_forward_dropout")

    def entries(self, config: ModelConfig, shapes: Shapes, present: Collection[str] = ()) -> list[Entry]:
        found = super().entries(config, shapes, present)
        return [dataclasses.replace(each, transposed=each.theirs.endswith(_TRANSPOSED)) for each in found]

    def modules(self, config: ModelConfig) -> list[tuple[str, tuple[str, ...], str]]:
        pairs: list[tuple[str, tuple[str, ...]]] = [
            (f"transformer.{self.tokens}", ("embedding.token",)),
            (f"transformer.{self.positions}", ("decoder.position.table",)),
        ]
        for layer in range(config.decoder_layers):
            theirs, ours = f"transformer.h.{layer}", f"decoder.blocks.{layer}"
            pairs += [
                (f"{theirs}.ln_1", (f"{ours}.attention_residual.{self.norm}",)),
                (f"{theirs}.attn.c_attn", tuple(f"{ours}.attention.{each}" for each in ("query", "key", "value"))),
                (f"{theirs}.attn.c_proj", (f"{ours}.attention.output",)),
                (f"{theirs}.ln_2", (f"{ours}.feed_forward_residual.{self.norm}",)),
                (f"{theirs}.mlp.c_fc", (f"{ours}.feed_forward.up",)),
                (f"{theirs}.mlp.c_proj", (f"{ours}.feed_forward.down",)),
            ]
        pairs += [("transformer.ln_f", ("decoder.final_norm",)), ("lm_head", ("head.projection",))]
        return [(theirs, ours, MODEL_FILE) for theirs, ours in pairs]


class OpenAIGpt(_Gpt):
    """Post-norm; the network inside is four times as wide."""

    model_type = "openai-gpt"
    fixed: ClassVar = {**_PLAIN, "norm_placement": "post"}
    tokens, positions, norm = "tokens_embed", "positions_embed", "norm_after"
    embedding = "transformer.tokens_embed"
    inner = ("tokens_embed.", "positions_embed.", "h.")
    default_positions, default_vocabulary = 512, 40_478
    # The class calls the approximation by tanh "gelu" and does not have the exact one.
    activations: ClassVar = {"gelu": "gelu_tanh", "relu": "relu", "silu": "silu", "swish": "silu"}
    activation_names: ClassVar = {"gelu_tanh": "gelu", "relu": "relu", "silu": "silu"}

    def class_name(self, config: ModelConfig) -> str:
        return "OpenAIGPTLMHeadModel"

    def further_misfits(self, config: ModelConfig) -> list[str]:
        wrong = [] if config.d_ff == 4 * config.d_model else [f"d_ff = {4 * config.d_model} instead of {config.d_ff}"]
        if config.activation not in self.activation_names:
            wrong.append(f"activation = gelu_tanh instead of {config.activation}")
        return wrong

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        return {**super().write_settings(config, ids), "afn": self.activation_names[config.activation]}

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        values, notes = super().read_settings(keys)
        activation = keys.choice("afn", self.activations, "gelu")
        return {**values, "d_ff": 4 * values["d_model"], "activation": activation}, notes


class Gpt2(_Gpt):
    """Pre-norm, and a norm at the end."""

    model_type = "gpt2"
    fixed: ClassVar = {**_PLAIN, "norm_placement": "pre"}
    tokens, positions, norm = "wte", "wpe", "norm_in"
    embedding = "transformer.wte"
    inner = ("wte.", "wpe.", "h.", "ln_f.")
    default_positions, default_vocabulary = 1024, 50_257
    activations: ClassVar = {
        "gelu_new": "gelu_tanh",
        "gelu_pytorch_tanh": "gelu_tanh",
        "gelu": "gelu",
        "relu": "relu",
        "silu": "silu",
        "swish": "silu",
    }
    activation_names: ClassVar = {"gelu_tanh": "gelu_new", "gelu": "gelu", "relu": "relu", "silu": "silu"}

    def class_name(self, config: ModelConfig) -> str:
        return "GPT2LMHeadModel"

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        return {
            **super().write_settings(config, ids),
            "n_inner": config.d_ff,
            "activation_function": self.activation_names[config.activation],
            "scale_attn_weights": True,
            "scale_attn_by_inverse_layer_idx": False,
        }

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        values, notes = super().read_settings(keys)
        keys.must_be("scale_attn_weights", True)
        for key in ("scale_attn_by_inverse_layer_idx", "add_cross_attention"):
            keys.must_be(key, False)
        inner = keys.whole_or_none("n_inner")
        activation = keys.choice("activation_function", self.activations, "gelu_new")
        return {**values, "d_ff": 4 * values["d_model"] if inner is None else inner, "activation": activation}, notes
