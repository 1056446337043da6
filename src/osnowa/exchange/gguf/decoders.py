"""Decoders of llama.cpp: with and without windows, with scaled embeddings, with learned positions."""

from __future__ import annotations

from osnowa.exchange.gguf import layers as the
from osnowa.exchange.gguf.parts import gpt2_parts, interleaved_parts, rotary_parts, rotation_divisors, untied_parts
from osnowa.exchange.gguf.shape import Shape, Value, Values
from osnowa.model import ModelConfig

_DECODER = {
    "topology": "decoder",
    "norm_placement": "pre",
    "input_norm": False,
    "num_segments": 0,
    "head_transform": False,
    "head_bias": False,
    "next_sentence": False,
    "logit_scale": 1.0,
    "attention_softcap": None,
    "logit_softcap": None,
    "qk_norm": False,
    "embedding_scale": 1.0,
}
_LLAMA = {**_DECODER, "position": "rotary", "norm": "rmsnorm", "feed_forward": "glu", "activation": "silu"}
_PLAIN = {"attention_bias": False, "feed_forward_bias": False, "num_experts": 0, "rotary_stretch": None}


def _without(table: dict[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in table.items() if name not in names}


_WINDOWED = {**_LLAMA, **_PLAIN}
_GEMMA = {**_without(_WINDOWED, "embedding_scale"), "activation": "gelu_tanh", "tie_embeddings": True}
_GEMMA2 = {**_without(_GEMMA, "attention_softcap", "logit_softcap"), "norm_placement": "sandwich"}
_GEMMA3 = {**_GEMMA, "norm_placement": "sandwich", "qk_norm": True}
_GPT2 = {
    **_DECODER,
    "position": "learned",
    "position_offset": 0,
    "norm": "layernorm",
    "norm_bias": True,
    "attention_bias": True,
    "feed_forward": "mlp",
    "feed_forward_bias": True,
    "activation": "gelu_tanh",
}


def _rotary_keys(config: ModelConfig) -> Values:
    return {
        "attention.head_count_kv": config.kv_heads,
        "attention.key_length": config.head_width,
        "attention.value_length": config.head_width,
        "attention.layer_norm_rms_epsilon": config.norm_eps,
        "rope.dimension_count": config.head_width,
        "rope.freq_base": config.rotary_bases[0],
    }


def _slowed(factor: float) -> Values:
    return {} if factor == 1 else {"rope.scaling.type": "linear", "rope.scaling.factor": factor}


def _llama_keys(config: ModelConfig) -> Values:
    experts: dict[str, Value] = {"expert_count": config.num_experts, "expert_used_count": config.experts_per_token}
    return {**_rotary_keys(config), **_slowed(config.rotary_factors[0]), **(experts if config.num_experts else {})}


def _windowed_keys(config: ModelConfig) -> Values:
    return {
        **_rotary_keys(config),
        "rope.freq_base_swa": config.rotary_bases[0],
        "attention.sliding_window": the.window(config),
        "attention.sliding_window_pattern": the.narrow_layers(config),
        "expert_feed_forward_length": config.d_ff,  # asked for, though no layer has experts
    }


def _gemma2_keys(config: ModelConfig) -> Values:
    assert config.attention_softcap is not None
    assert config.logit_softcap is not None
    return {
        **_rotary_keys(config),
        "attention.sliding_window": the.window(config),
        "attn_logit_softcapping": config.attention_softcap,
        "final_logit_softcapping": config.logit_softcap,
    }


def _gemma3_keys(config: ModelConfig) -> Values:
    near, far = the.rotations(config)
    (base, factor), (base_near, _) = min(far or near), min(near)
    every = the.open_layer_every(config, first=False)
    assert every is not None
    return {
        **_rotary_keys(config),
        **_slowed(factor),
        "rope.freq_base": base,
        "rope.freq_base_swa": base_near,
        "attention.sliding_window": the.window(config),
        "attention.sliding_window_pattern": every,
    }


def _gpt2_keys(config: ModelConfig) -> Values:
    return {"attention.head_count_kv": config.kv_heads, "attention.layer_norm_epsilon": config.norm_eps}


def _open_every_second(config: ModelConfig) -> list[str]:
    fits = the.open_layer_every(config, first=False) == 2
    return [] if fits else ["a window in every second layer, from the first on"]


def _open_every_nth(config: ModelConfig) -> list[str]:
    fits = the.open_layer_every(config, first=False) is not None
    return [] if fits else ["a window in all layers but every n-th"]


def _both_caps(config: ModelConfig) -> list[str]:
    fits = config.attention_softcap is not None and config.logit_softcap is not None
    return [] if fits else ["an attention_softcap and a logit_softcap"]


_FOR_GEMMA = (the.root_scaled_embedding,)

SHAPES = (
    Shape(
        "llama",
        "LLaMA, Mistral and Mixtral without windows",
        _LLAMA,
        (the.no_window, the.one_rotation, the.usual_scale),
        _llama_keys,
        interleaved_parts,
        rotation_divisors,
    ),
    # llama.cpp's `llama` ignores windows. Its `mimo2` (MiMo-V2, in llama.cpp since 2026) has the same mathematics where
    # no layer has experts, turns numbers half a head apart as we do, and obeys the window of each layer.
    Shape(
        "mimo2",
        "Mistral",
        _WINDOWED,
        (the.one_window, the.one_rotation, the.no_factor, the.usual_scale),
        _windowed_keys,
        untied_parts,
    ),
    Shape(
        "gemma",
        "Gemma",
        _GEMMA,
        (*_FOR_GEMMA, the.no_window, the.one_rotation, the.no_factor, the.usual_scale),
        _rotary_keys,
        rotary_parts,
    ),
    Shape(
        "gemma2",
        "Gemma 2",
        _GEMMA2,
        (
            *_FOR_GEMMA,
            the.one_window,
            _open_every_second,
            _both_caps,
            the.one_rotation,
            the.no_factor,
            the.scale_by_depth(46),
        ),
        _gemma2_keys,
        rotary_parts,
    ),
    Shape(
        "gemma3",
        "Gemma 3",
        _GEMMA3,
        (*_FOR_GEMMA, the.one_window, _open_every_nth, the.rotation_of_each_kind, the.scale_by_depth(62)),
        _gemma3_keys,
        rotary_parts,
    ),
    Shape("gpt2", "GPT-2", _GPT2, (the.no_window, the.whole_width, the.usual_scale), _gpt2_keys, gpt2_parts),
)
