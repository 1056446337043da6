"""Rotary, RMSNorm, gated decoders as the classes LlamaForCausalLM and MistralForCausalLM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from osnowa.exchange.bert import ACTIVATION_NAMES, ACTIVATIONS
from osnowa.exchange.causal import DECODER, DROPOUTS, Causal, attention_dropout, unkept_dropouts, write_ids
from osnowa.exchange.entry import MODEL_FILE
from osnowa.exchange.family import SpecialIds, Values
from osnowa.exchange.keys import Keys
from osnowa.exchange.layers import by_layer
from osnowa.exchange.notes import Note
from osnowa.exchange.rope import read_rope, rotation_misfits, rotation_of, write_rope
from osnowa.model import ModelConfig

GATED: Mapping[str, object] = {
    **DECODER,
    "position": "rotary",
    "norm": "rmsnorm",
    "norm_placement": "pre",
    "feed_forward": "glu",
    "feed_forward_bias": False,
}
PRE_NORMS: Mapping[str, str] = {
    "input_layernorm": "attention_residual.norm_in",
    "post_attention_layernorm": "feed_forward_residual.norm_in",
}


class Gated(Causal):
    """Rotary positions, grouped keys, RMSNorm, a gated network: the common part of many classes."""

    free = frozenset([*DROPOUTS, "num_kv_heads", "d_head", "rotary_factors", "rotary_stretch"])
    embedding, base = "model.embed_tokens", "model."
    inner = ("embed_tokens.", "layers.", "norm.")
    derived = ("rotary_emb.inv_freq",)
    norms: ClassVar[Mapping[str, str]] = PRE_NORMS
    activation_key: ClassVar[str] = "hidden_act"
    activation: ClassVar[str] = "silu"
    tied: ClassVar[bool] = False
    rope_base: ClassVar[float] = 10_000.0
    whole_heads: ClassVar[bool] = False  # the class refuses a width that the heads do not divide
    # What the class has where a key is missing: vocabulary, width, inner width, layers, heads, kv heads, positions, eps.
    defaults: ClassVar[Mapping[str, Any]]

    def further_misfits(self, config: ModelConfig) -> list[str]:
        wrong = self.rotation_misfits(config)
        if self.whole_heads and config.d_model % config.num_heads:
            wrong.append(f"num_heads that divides d_model instead of {config.num_heads}")
        return wrong

    def rotation_misfits(self, config: ModelConfig) -> list[str]:
        """What the class can't say about the rotary positions."""
        return rotation_misfits(config)

    def unkept(self, config: ModelConfig) -> list[str]:
        return unkept_dropouts(config, "dropout", "feed_forward_dropout")

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        return {
            "vocab_size": config.vocab_size,
            "hidden_size": config.d_model,
            "intermediate_size": config.d_ff,
            "num_hidden_layers": config.decoder_layers,
            "num_attention_heads": config.num_heads,
            "num_key_value_heads": config.kv_heads,
            "head_dim": config.head_width,
            self.activation_key: ACTIVATION_NAMES[config.activation],
            "max_position_embeddings": config.max_positions,
            "rms_norm_eps": config.norm_eps,
            "attention_dropout": attention_dropout(config),
            "tie_word_embeddings": config.tie_embeddings,
            **write_ids(ids),
            **self.write_rotations(config),
        }

    def write_rotations(self, config: ModelConfig) -> Values:
        """The keys of the rotary positions."""
        return write_rope(rotation_of(config))

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        missing, on_weights = self.defaults, keys.number("attention_dropout", 0.0)
        d_model, heads = (keys.whole(key, missing[key]) for key in ("hidden_size", "num_attention_heads"))
        kv_heads = keys.whole_or_none("num_key_value_heads", missing["num_key_value_heads"])
        d_head = keys.whole_or_none("head_dim", missing.get("head_dim"))
        values = {
            "vocab_size": keys.whole("vocab_size", missing["vocab_size"]),
            "d_model": d_model,
            "d_ff": keys.whole("intermediate_size", missing["intermediate_size"]),
            "decoder_layers": keys.whole("num_hidden_layers", missing["num_hidden_layers"]),
            "num_heads": heads,
            "num_kv_heads": None if kv_heads == heads else kv_heads,
            "d_head": None if d_head is not None and d_head * heads == d_model else d_head,
            "activation": self.read_activation(keys),
            "max_positions": keys.whole("max_position_embeddings", missing["max_position_embeddings"]),
            "norm_eps": keys.number("rms_norm_eps", missing["rms_norm_eps"]),
            "dropout": 0.0,
            "attention_dropout": on_weights or None,
            "tie_embeddings": keys.flag("tie_word_embeddings", self.tied),
        }
        return {**values, **self.read_rotations(keys, values)}, []

    def read_activation(self, keys: Keys) -> str:
        """The non-linearity of the gate."""
        return keys.choice(self.activation_key, ACTIVATIONS, self.activation)

    def read_rotations(self, keys: Keys, values: Values) -> Values:
        """The settings of the rotary positions; `values` are the others."""
        return read_rope(keys, self.rope_base)

    def feed_forward(self, theirs: str, ours: str) -> list[tuple[str, str]]:
        """(their module, ours) of the network in a layer."""
        return [(f"{theirs}.mlp.{each}_proj", f"{ours}.feed_forward.{each}") for each in ("gate", "up", "down")]

    def modules(self, config: ModelConfig) -> list[tuple[str, tuple[str, ...], str]]:
        attention = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "o_proj": "output"}
        attention |= {"q_norm": "query_norm", "k_norm": "key_norm"}
        pairs = [("model.embed_tokens", "embedding.token")]
        for layer in range(config.decoder_layers):
            theirs, ours = f"model.layers.{layer}", f"decoder.blocks.{layer}"
            pairs += [(f"{theirs}.self_attn.{one}", f"{ours}.attention.{other}") for one, other in attention.items()]
            pairs += [(f"{theirs}.{one}", f"{ours}.{other}") for one, other in self.norms.items()]
            pairs += self.feed_forward(theirs, ours)
        pairs += [("model.norm", "decoder.final_norm"), ("lm_head", "head.projection")]
        return [(theirs, (ours,), MODEL_FILE) for theirs, ours in pairs]


class Llama(Gated):
    """The plainest of them, with a choice of biases."""

    model_type = "llama"
    fixed: ClassVar = {name: value for name, value in GATED.items() if name != "feed_forward_bias"}
    whole_heads = True
    defaults: ClassVar = {
        "vocab_size": 32_000,
        "hidden_size": 4096,
        "intermediate_size": 11_008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": None,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6,
    }

    def class_name(self, config: ModelConfig) -> str:
        return "LlamaForCausalLM"

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        biases = {"attention_bias": config.attention_bias, "mlp_bias": config.feed_forward_bias}
        return {**super().write_settings(config, ids), **biases}

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        values, notes = super().read_settings(keys)
        attention, network = keys.flag("attention_bias", False), keys.flag("mlp_bias", False)
        return {**values, "attention_bias": attention, "feed_forward_bias": network}, notes


class Mistral(Gated):
    """One window for all layers, or none; no biases."""

    model_type = "mistral"
    fixed: ClassVar = {**GATED, "attention_bias": False}
    free = Gated.free | {"windows"}
    window: ClassVar[int | None] = 4096
    defaults: ClassVar = {
        "vocab_size": 32_000,
        "hidden_size": 4096,
        "intermediate_size": 14_336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "max_position_embeddings": 131_072,
        "rms_norm_eps": 1e-6,
    }

    def class_name(self, config: ModelConfig) -> str:
        return "MistralForCausalLM"

    def further_misfits(self, config: ModelConfig) -> list[str]:
        several = len(set(by_layer(config.windows, config))) > 1
        return super().further_misfits(config) + (
            [f"one window for all layers instead of {config.windows}"] if several else []
        )

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        return {**super().write_settings(config, ids), "sliding_window": config.windows[0]}

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        values, notes = super().read_settings(keys)
        keys.must_be("layer_types", None)
        window = keys.whole_or_none("sliding_window", self.window)
        return {**values, "windows": (window,)}, notes
