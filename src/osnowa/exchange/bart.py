"""The encoder-decoder of Lewis et al. 2020 as the class BartForConditionalGeneration."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import ClassVar

from osnowa.exchange.bert import ACTIVATION_NAMES, ACTIVATIONS
from osnowa.exchange.family import (
    MODEL_FILE,
    Entry,
    Family,
    SpecialIds,
    Values,
    encoder_decoder_ids,
    generation_ids,
)
from osnowa.exchange.keys import Keys
from osnowa.exchange.notes import Note
from osnowa.model import ModelConfig

HEAD_BIAS = "final_logits_bias"
_BASE = ("shared.", "encoder.", "decoder.")


class Bart(Family):
    """Post-norm, learned positions with two rows before the first, biases everywhere, one embedding for all."""

    model_type = "bart"
    fixed: ClassVar = {
        "topology": "encoder-decoder",
        "position": "learned",
        "position_offset": 2,
        "norm_placement": "post",
        "norm": "layernorm",
        "norm_bias": True,
        "norm_eps": 1e-5,
        "input_norm": True,
        "attention_bias": True,
        "feed_forward": "mlp",
        "feed_forward_bias": True,
        "num_segments": 0,
        "tie_embeddings": True,
        "head_transform": False,
    }
    free = frozenset(["embedding_scale", "attention_dropout", "feed_forward_dropout"])
    aliases: ClassVar = {
        "model.encoder.embed_tokens.weight": "model.shared.weight",
        "model.decoder.embed_tokens.weight": "model.shared.weight",
        "lm_head.weight": "model.shared.weight",
    }
    silent_zeros = (HEAD_BIAS,)
    vocabulary: ClassVar[int] = 50_265  # where config.json does not say

    def class_name(self, config: ModelConfig) -> str:
        return "BartForConditionalGeneration"

    def further_misfits(self, config: ModelConfig) -> list[str]:
        root = config.d_model**0.5
        if config.embedding_scale in (1.0, root):
            return []
        return [f"embedding_scale = 1 or {root} (the root of d_model) instead of {config.embedding_scale}"]

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        on_weights = config.dropout if config.attention_dropout is None else config.attention_dropout
        return {
            "vocab_size": config.vocab_size,
            "d_model": config.d_model,
            "encoder_layers": config.encoder_layers,
            "decoder_layers": config.decoder_layers,
            **{f"{stack}_attention_heads": config.num_heads for stack in ("encoder", "decoder")},
            **{f"{stack}_ffn_dim": config.d_ff for stack in ("encoder", "decoder")},
            "max_position_embeddings": config.max_positions,
            "activation_function": ACTIVATION_NAMES[config.activation],
            "dropout": config.dropout,
            "attention_dropout": on_weights,
            "activation_dropout": config.feed_forward_dropout,
            "scale_embedding": config.embedding_scale != 1.0,
            "tie_word_embeddings": True,
            **encoder_decoder_ids(ids),
        }

    def write_generation(self, ids: SpecialIds) -> Values:
        return generation_ids(ids)

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        keys.must_be("is_encoder_decoder", True)
        keys.must_be("is_decoder", False)
        for key in ("normalize_before", "add_final_layer_norm", "add_bias_logits"):
            keys.must_be(key, False)
        keys.must_be("normalize_embedding", self.fixed["input_norm"])
        keys.must_be("static_position_embeddings", self.fixed["position"] == "sinusoidal")
        layerdrop = [keys.number(f"{stack}_layerdrop", 0.0) for stack in ("encoder", "decoder")]
        width, dropout = keys.whole("d_model", 1024), keys.number("dropout", 0.1)
        on_weights = keys.number("attention_dropout", 0.0)
        values: Values = {
            "vocab_size": keys.whole("vocab_size", self.vocabulary),
            "d_model": width,
            "encoder_layers": keys.whole("encoder_layers", 12),
            "decoder_layers": keys.whole("decoder_layers", 12),
            "num_heads": _both(keys, "attention_heads", 16),
            "d_ff": _both(keys, "ffn_dim", 4096),
            "max_positions": keys.whole("max_position_embeddings", 1024),
            "activation": keys.choice("activation_function", ACTIVATIONS, "gelu"),
            "dropout": dropout,
            "attention_dropout": None if on_weights == dropout else on_weights,
            "feed_forward_dropout": keys.number("activation_dropout", 0.0),
            "embedding_scale": width**0.5 if keys.flag("scale_embedding", False) and width else 1.0,
        }
        message = f"{keys.where}: whole layers are not dropped here, in training only"
        return values, [Note("no-layerdrop", message)] if any(layerdrop) else []

    def read_heads(self, names: Iterable[tuple[str, str]], where: str) -> tuple[Values, list[Note]]:
        return {"head_bias": (MODEL_FILE, HEAD_BIAS) in set(names)}, []

    def rename(self, name: str) -> str:
        """The class without a head leaves out the prefix."""
        return f"model.{name}" if name.startswith(_BASE) else name

    def modules(self, config: ModelConfig) -> list[tuple[str, tuple[str, ...], str]]:
        pairs = [("model.shared", "embedding.token")]
        for stack, layers in (("encoder", config.encoder_layers), ("decoder", config.decoder_layers)):
            pairs += [
                (f"model.{stack}.embed_positions", f"{stack}.position.table"),
                (f"model.{stack}.layernorm_embedding", f"{stack}.input_norm"),
            ]
            for layer in range(layers):
                pairs += _block(f"model.{stack}.layers.{layer}", f"{stack}.blocks.{layer}", cross=stack == "decoder")
        return [(theirs, (ours,), MODEL_FILE) for theirs, ours in pairs]

    def further_entries(self, config: ModelConfig, present: Collection[str]) -> list[Entry]:
        """The bias of the logits is a buffer of one row there."""
        return [Entry(HEAD_BIAS, ("head.projection.bias",), row=True)] if config.head_bias else []


def _block(theirs: str, ours: str, *, cross: bool) -> list[tuple[str, str]]:
    parts = [("self_attn", "attention", "attention_residual")]
    if cross:
        parts.append(("encoder_attn", "cross_attention", "cross_residual"))
    pairs = []
    for name, attention, residual in parts:
        matrices = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "output"}
        pairs += [(f"{theirs}.{name}.{each}", f"{ours}.{attention}.{matrix}") for each, matrix in matrices.items()]
        pairs.append((f"{theirs}.{name}_layer_norm", f"{ours}.{residual}.norm_after"))
    return [
        *pairs,
        (f"{theirs}.fc1", f"{ours}.feed_forward.up"),
        (f"{theirs}.fc2", f"{ours}.feed_forward.down"),
        (f"{theirs}.final_layer_norm", f"{ours}.feed_forward_residual.norm_after"),
    ]


def _both(keys: Keys, name: str, default: int) -> int:
    """A number that encoder and decoder have in common here."""
    encoder, decoder = (keys.whole(f"{stack}_{name}", default) for stack in ("encoder", "decoder"))
    if encoder != decoder:
        keys.errors.append(f"encoder_{name} is not decoder_{name}, osnowa has one for both")
    return encoder
