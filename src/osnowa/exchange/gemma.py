"""Decoders with scaled embeddings and norms of 1 + weight as the classes GemmaForCausalLM, Gemma2- and Gemma3ForCausalLM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from osnowa.exchange.bert import ACTIVATION_NAMES
from osnowa.exchange.family import SpecialIds, Values
from osnowa.exchange.keys import Keys
from osnowa.exchange.layers import FULL, SLIDING, by_layer, layer_kinds, one_window, read_kinds, shortest
from osnowa.exchange.llama import GATED, Gated
from osnowa.exchange.notes import Note
from osnowa.exchange.rope import Rotation, read_rotation, rotation_of, write_old_rope, write_rotation
from osnowa.model import ModelConfig

_SANDWICH: Mapping[str, str] = {
    "input_layernorm": "attention_residual.norm_in",
    "post_attention_layernorm": "attention_residual.norm_out",
    "pre_feedforward_layernorm": "feed_forward_residual.norm_in",
    "post_feedforward_layernorm": "feed_forward_residual.norm_out",
}
# Both names of the approximation by tanh mean it here: the first releases called it gelu.
_GELUS = {
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
}
_SIZES = {"vocab_size": 256_000, "head_dim": 256, "max_position_embeddings": 8192, "rms_norm_eps": 1e-6}
_LOCAL_BASE = 10_000.0


class Gemma(Gated):
    """Token vectors are multiplied by the square root of their width."""

    model_type = "gemma"
    fixed: ClassVar = {**GATED, "norm_offset": True}
    free = Gated.free | {"embedding_scale"}
    activation = "gelu_pytorch_tanh"
    tied = True
    defaults: ClassVar = {
        **_SIZES,
        "hidden_size": 3072,
        "intermediate_size": 24_576,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
    }

    def class_name(self, config: ModelConfig) -> str:
        return "GemmaForCausalLM"

    def further_misfits(self, config: ModelConfig) -> list[str]:
        wrong, scale = super().further_misfits(config), config.d_model**0.5
        if config.embedding_scale != scale:
            wrong.append(f"embedding_scale = {scale} instead of {config.embedding_scale}")
        return wrong + self.activation_misfits(config)

    def activation_misfits(self, config: ModelConfig) -> list[str]:
        """The class takes the exact function for the approximation."""
        return ["activation = gelu_tanh instead of gelu"] if config.activation == "gelu" else []

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        values = {**super().write_settings(config, ids), "attention_bias": config.attention_bias}
        return {**values, "hidden_activation": ACTIVATION_NAMES[config.activation]}

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        values, notes = super().read_settings(keys)
        keys.must_be("use_bidirectional_attention", False)
        bias, scale = keys.flag("attention_bias", False), values["d_model"] ** 0.5
        return {**values, "attention_bias": bias, "embedding_scale": scale}, notes

    def read_activation(self, keys: Keys) -> str:
        """The older key is overruled by the newer one where both are there."""
        older = keys.choice("hidden_act", _GELUS, self.activation)
        newer = (
            keys.choice("hidden_activation", _GELUS, self.activation) if keys.values.get("hidden_activation") else older
        )
        keys.asked.add("hidden_activation")
        if newer != older:
            keys.errors.append("hidden_activation is not hidden_act")
        return newer


class Gemma2(Gemma):
    """Norms before and after each sublayer, windows in some layers, capped scores and logits."""

    model_type = "gemma2"
    fixed: ClassVar = {**GATED, "norm_offset": True, "norm_placement": "sandwich"}
    free = Gemma.free | {"windows", "attention_scale", "attention_softcap", "logit_softcap"}
    norms = _SANDWICH
    activation_key = "hidden_activation"
    whole_heads = True
    every: ClassVar[int] = 2  # of so many layers the last has no window, where layer_types is missing
    default_caps: ClassVar[tuple[float | None, float | None]] = (50.0, 30.0)
    defaults: ClassVar = {
        **_SIZES,
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
    }

    def class_name(self, config: ModelConfig) -> str:
        return "Gemma2ForCausalLM"

    def activation_misfits(self, config: ModelConfig) -> list[str]:
        return []

    def further_misfits(self, config: ModelConfig) -> list[str]:
        wrong = super().further_misfits(config)
        if len({each for each in by_layer(config.windows, config) if each is not None}) > 1:
            wrong.append(f"one window instead of {config.windows}")
        if abs(_scalar(config) - round(_scalar(config))) > 1e-6 * _scalar(config):
            wrong.append("attention_scale = 1 / sqrt(a whole number)")
        return wrong

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        return {
            **super().write_settings(config, ids),
            "query_pre_attn_scalar": round(_scalar(config)),
            "sliding_window": one_window(config) or 4096,
            "layer_types": layer_kinds(config),
            "attn_logit_softcapping": config.attention_softcap,
            "final_logit_softcapping": config.logit_softcap,
        }

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        values, notes = super().read_settings(keys)
        scalar = keys.number("query_pre_attn_scalar", 256)
        if scalar <= 0:
            keys.errors.append(f"query_pre_attn_scalar = {scalar}, not above 0")
        window, kinds = keys.whole_or_none("sliding_window", 4096), self.kinds(keys, values)
        if window is None and SLIDING in kinds:
            keys.errors.append("sliding_window = null, but layer_types has windows")
        scores, logits = self.default_caps
        further = {
            "attention_scale": scalar**-0.5 if scalar > 0 else None,
            "windows": shortest([None if kind == FULL else window for kind in kinds]) or (None,),
            "attention_softcap": keys.number_or_none("attn_logit_softcapping", scores),
            "logit_softcap": keys.number_or_none("final_logit_softcapping", logits),
        }
        return {**values, **further}, notes

    def kinds(self, keys: Keys, values: Values) -> list[str]:
        """Which layers have a window."""
        return read_kinds(keys, values["decoder_layers"], self.every)

    def read_activation(self, keys: Keys) -> str:
        return Gated.read_activation(self, keys)


class Gemma3(Gemma2):
    """Normalised queries and keys; a rotation for layers with a window and another for those without."""

    model_type = "gemma3_text"
    fixed: ClassVar = {**Gemma2.fixed, "qk_norm": True, "attention_softcap": None, "rotary_stretch": None}
    free = Gemma2.free | {"qk_norm"}
    every = 6
    default_caps = (None, None)
    rope_base = 1e6
    defaults: ClassVar = {**Gemma2.defaults, "vocab_size": 262_208, "max_position_embeddings": 131_072}

    def class_name(self, config: ModelConfig) -> str:
        return "Gemma3ForCausalLM"

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        """The class has a key for capped scores, and does not cap them."""
        values, notes = super().read_settings(keys)
        keys.must_be("attn_logit_softcapping", None)
        return {**values, "attention_softcap": None}, notes

    def rotations(self, config: ModelConfig) -> dict[str, set[Rotation]]:
        """Those of the layers of each kind."""
        found: dict[str, set[Rotation]] = {FULL: set(), SLIDING: set()}
        for layer, kind in enumerate(layer_kinds(config)):
            found[kind].add(rotation_of(config, layer))
        return found

    def rotation_misfits(self, config: ModelConfig) -> list[str]:
        found = self.rotations(config)
        wrong = [f"one rotation for layers with {kind}" for kind, each in found.items() if len(each) > 1]
        if any(each.factor != 1.0 for each in found[SLIDING]):
            wrong.append("rotary_factors = 1 in layers with a window")
        return wrong

    def write_rotations(self, config: ModelConfig) -> Values:
        found = self.rotations(config)
        full = next(iter(found[FULL]), Rotation(self.rope_base))
        local = next(iter(found[SLIDING]), Rotation(_LOCAL_BASE))
        nested = {FULL: write_rotation(full), SLIDING: write_rotation(local)}
        return {"rope_parameters": nested, **write_old_rope(full), "rope_local_base_freq": local.base}

    def read_rotations(self, keys: Keys, values: Values) -> Values:
        rope = keys.inner("rope_parameters")
        full = read_rotation(keys, rope.inner(FULL), self.rope_base)
        local = read_rotation(keys, rope.inner(SLIDING), _LOCAL_BASE, "rope_local_base_freq", scaled=False)
        if full.stretch or local.stretch:
            keys.errors.append('rope_type = "llama3", osnowa has it for one rotation only')
        each = [full if kind == FULL else local for kind in self.kinds(keys, values)]
        return {
            "rotary_bases": shortest([rotation.base for rotation in each]) or (self.rope_base,),
            "rotary_factors": shortest([rotation.factor for rotation in each]) or (1.0,),
        }

    def kinds(self, keys: Keys, values: Values) -> list[str]:
        return read_kinds(keys, values["decoder_layers"], keys.whole("sliding_window_pattern", self.every))


def _scalar(config: ModelConfig) -> float:
    """What their attention scale is one by the square root of."""
    return config.head_width if config.attention_scale is None else config.attention_scale**-2
