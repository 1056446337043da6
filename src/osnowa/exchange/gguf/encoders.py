"""Encoders of llama.cpp, which gives their vectors; it has no masked-token head and no next-sentence head."""

from __future__ import annotations

from osnowa.exchange.gguf import layers as the
from osnowa.exchange.gguf.parts import bert_parts, modernbert_parts
from osnowa.exchange.gguf.shape import Shape, Values
from osnowa.model import ModelConfig

_MEAN = 1  # pooling: the mean over all tokens, [CLS] and [SEP] included; llama.cpp's --pooling chooses another
_HEADS = ("head.", "next_sentence.")
_ENCODER = {
    "topology": "encoder",
    "norm": "layernorm",
    "input_norm": True,
    "attention_softcap": None,
    "qk_norm": False,
    "embedding_scale": 1.0,
}
_BERT = {
    **_ENCODER,
    "position": "learned",
    "norm_placement": "post",
    "norm_bias": True,
    "windows": (None,),
    "attention_bias": True,
    "feed_forward": "mlp",
    "feed_forward_bias": True,
}
_MODERN = {
    **_ENCODER,
    "position": "rotary",
    "rotary_stretch": None,
    "norm_placement": "pre",
    "first_norm": False,
    "norm_bias": False,
    "attention_bias": False,
    "feed_forward": "glu",
    "activation": "gelu",
    "feed_forward_bias": False,
    "num_experts": 0,
    "num_segments": 0,
}


def _encoder_keys(config: ModelConfig) -> Values:
    return {
        "attention.causal": False,
        "attention.head_count_kv": config.kv_heads,
        "attention.layer_norm_epsilon": config.norm_eps,
        "pooling_type": _MEAN,
    }


def _modern_keys(config: ModelConfig) -> Values:
    near, far = the.rotations(config)
    keys = {**_encoder_keys(config), "rope.dimension_count": config.head_width}
    if not near:
        return {**keys, "rope.freq_base": min(far)[0]}
    every = the.open_layer_every(config, first=True)
    assert every is not None
    return {
        **keys,
        "rope.freq_base": min(far)[0],
        "rope.freq_base_swa": min(near)[0],
        "attention.sliding_window": 2 * (the.window(config) - 1),  # both sides together, without the token itself
        "attention.sliding_window_pattern": every,
    }


def _gelu(config: ModelConfig) -> list[str]:
    """llama.cpp computes the tanh form in half precision for both: vectors of a trained MiniLM differ by 2e-4."""
    fits = config.activation in ("gelu", "gelu_tanh")
    return [] if fits else [f"activation = gelu instead of {config.activation}"]


def _open_every_nth(config: ModelConfig) -> list[str]:
    near, _ = the.rotations(config)
    if not near:
        return []
    wrong = [] if the.open_layer_every(config, first=True) else ["no window in layers 0, n, 2n and so on only"]
    return the.one_window(config) + wrong


SHAPES = (
    Shape(
        "bert",
        "BERT and RoBERTa",
        _BERT,
        (_gelu, the.whole_width, the.usual_scale),
        _encoder_keys,
        bert_parts,
        left_out=_HEADS,
    ),
    Shape(
        "modern-bert",
        "ModernBERT and osnowa's encoder",
        _MODERN,
        (_open_every_nth, the.rotation_of_each_kind, the.no_factor, the.whole_width, the.usual_scale),
        _modern_keys,
        modernbert_parts,
        left_out=_HEADS,
    ),
)
