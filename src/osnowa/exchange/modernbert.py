"""The rotary, pre-norm, gated encoder as the class ModernBertForMaskedLM (Warner et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from osnowa.errors import DataError
from osnowa.exchange.bert import ACTIVATION_NAMES, ACTIVATIONS, one_dropout
from osnowa.exchange.family import MODEL_FILE, Family, SpecialIds, Values
from osnowa.exchange.keys import Keys
from osnowa.exchange.layers import FULL, SLIDING, by_layer, shortest
from osnowa.exchange.notes import Note
from osnowa.model import ModelConfig

NEXT_SENTENCE_FILE = "next_sentence.safetensors"
_BASE = ("embeddings.", "layers.", "final_norm.")


class ModernBert(Family):
    """Rotary positions, norms before the sublayers but not before the first, gate and up in one matrix."""

    model_type = "modernbert"
    fixed: ClassVar = {
        "topology": "encoder",
        "position": "rotary",
        "norm_placement": "pre",
        "norm": "layernorm",
        "input_norm": True,
        "first_norm": False,
        "feed_forward": "glu",
        "num_segments": 0,
        "tie_embeddings": True,
        "head_transform": True,
    }
    aliases: ClassVar = {"decoder.weight": "model.embeddings.tok_embeddings.weight"}
    free = frozenset(["windows", "next_sentence"])
    # The class has no next-sentence head, and tensors it does not know would make its loader complain.
    extra_file = NEXT_SENTENCE_FILE

    def class_name(self, config: ModelConfig) -> str:
        return "ModernBertForMaskedLM"

    def further_misfits(self, config: ModelConfig) -> list[str]:
        windows, bases = by_layer(config.windows, config), by_layer(config.rotary_bases, config)
        wrong = []
        if len({each for each in windows if each is not None}) > 1:
            wrong.append(f"one window instead of {config.windows}")
        if period(windows) is None:
            wrong.append(f"windows that leave out layers 0, n, 2n ... instead of {config.windows}")
        for kind in (True, False):
            if len({base for base, each in zip(bases, windows, strict=True) if (each is None) is kind}) > 1:
                wrong.append(f"one rotary base for layers {'without' if kind else 'with'} a window")
        return wrong

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        """transformers 5 reads layer_types and rope_parameters, 4 the keys that come after them."""
        windows, bases = by_layer(config.windows, config), by_layer(config.rotary_bases, config)
        full_base = bases[0]
        window = next((each for each in windows if each is not None), None)
        sliding_base = full_base if window is None else bases[windows.index(window)]
        rope = {FULL: full_base, SLIDING: sliding_base}
        # A window of w tokens to each side, the token itself counted, is their width of 2 (w - 1); 128 is their default.
        width = 128 if window is None else 2 * (window - 1)
        return {
            "vocab_size": config.vocab_size,
            "hidden_size": config.d_model,
            "num_hidden_layers": config.encoder_layers,
            "num_attention_heads": config.num_heads,
            "intermediate_size": config.d_ff,
            "hidden_activation": ACTIVATION_NAMES[config.activation],
            "classifier_activation": ACTIVATION_NAMES[config.activation],
            "max_position_embeddings": config.max_positions,
            "norm_eps": config.norm_eps,
            "norm_bias": config.norm_bias,
            "attention_bias": config.attention_bias,
            "mlp_bias": config.feed_forward_bias,
            "classifier_bias": config.head_transform_bias,
            "decoder_bias": config.head_bias,
            "attention_dropout": config.dropout,
            "mlp_dropout": config.dropout,
            "embedding_dropout": config.dropout,
            "layer_types": [FULL if each is None else SLIDING for each in windows],
            "rope_parameters": {kind: {"rope_type": "default", "rope_theta": base} for kind, base in rope.items()},
            "global_attn_every_n_layers": period(windows),
            "local_attention": width,
            "global_rope_theta": full_base,
            "local_rope_theta": sliding_base,
            "tie_word_embeddings": True,
            "pad_token_id": ids.pad,
            "bos_token_id": ids.cls,
            "eos_token_id": ids.sep,
            "cls_token_id": ids.cls,
            "sep_token_id": ids.sep,
        }

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        activation = keys.choice("hidden_activation", ACTIVATIONS, "gelu")
        if keys.choice("classifier_activation", ACTIVATIONS, "gelu") != activation:
            keys.errors.append("classifier_activation is not hidden_activation, osnowa has one for both")
        dropouts = [keys.number(f"{place}_dropout", 0.0) for place in ("mlp", "attention", "embedding")]
        values: Values = {
            "vocab_size": keys.whole("vocab_size", 50_368),
            "d_model": keys.whole("hidden_size", 768),
            "encoder_layers": keys.whole("num_hidden_layers", 22),
            "num_heads": keys.whole("num_attention_heads", 12),
            "d_ff": keys.whole("intermediate_size", 1152),
            "activation": activation,
            "max_positions": keys.whole("max_position_embeddings", 8192),
            "norm_eps": keys.number("norm_eps", 1e-5),
            "norm_bias": keys.flag("norm_bias", False),
            "attention_bias": keys.flag("attention_bias", False),
            "feed_forward_bias": keys.flag("mlp_bias", False),
            "head_transform_bias": keys.flag("classifier_bias", False),
            "head_bias": keys.flag("decoder_bias", True),
            "dropout": dropouts[0],
        }
        values |= read_layers(keys, values["encoder_layers"])
        return values, one_dropout(keys.where, *dropouts)

    def read_heads(self, names: Iterable[tuple[str, str]], where: str) -> tuple[Values, list[Note]]:
        present = set(names)
        if (MODEL_FILE, "head.dense.weight") not in present:
            raise DataError(
                where, "holds no masked-token head", "give the folder of a ModernBertForMaskedLM, saved with its head"
            )
        next_sentence = any(file == NEXT_SENTENCE_FILE for file, _ in present)
        note = Note("no-next-sentence-head", f"{where}: there is no next-sentence head")
        return {"head_transform": True, "next_sentence": next_sentence}, [] if next_sentence else [note]

    def rename(self, name: str) -> str:
        return f"model.{name}" if name.startswith(_BASE) else name

    def modules(self, config: ModelConfig) -> list[tuple[str, tuple[str, ...], str]]:
        pairs: list[tuple[str, tuple[str, ...]]] = [
            ("model.embeddings.tok_embeddings", ("embedding.token",)),
            ("model.embeddings.norm", ("encoder.input_norm",)),
        ]
        for layer in range(config.encoder_layers):
            theirs, ours = f"model.layers.{layer}", f"encoder.blocks.{layer}"
            pairs += [
                (f"{theirs}.attn_norm", (f"{ours}.attention_residual.norm_in",)),
                (f"{theirs}.attn.Wqkv", tuple(f"{ours}.attention.{each}" for each in ("query", "key", "value"))),
                (f"{theirs}.attn.Wo", (f"{ours}.attention.output",)),
                (f"{theirs}.mlp_norm", (f"{ours}.feed_forward_residual.norm_in",)),
                (f"{theirs}.mlp.Wi", (f"{ours}.feed_forward.gate", f"{ours}.feed_forward.up")),
                (f"{theirs}.mlp.Wo", (f"{ours}.feed_forward.down",)),
            ]
        pairs += [
            ("model.final_norm", ("encoder.final_norm",)),
            ("head.dense", ("head.transform.dense",)),
            ("head.norm", ("head.transform.norm",)),
            ("decoder", ("head.projection",)),
        ]
        own = [(each, (f"next_sentence.{each}",), NEXT_SENTENCE_FILE) for each in ("pooler", "verdict")]
        return [(theirs, ours, MODEL_FILE) for theirs, ours in pairs] + own


def period(windows: Sequence[int | None]) -> int | None:
    """n where exactly the layers 0, n, 2n ... have no window; None: there is no such n."""
    for n in range(1, len(windows) + 1):
        if all((each is None) == (layer % n == 0) for layer, each in enumerate(windows)):
            return n
    return None


def read_layers(keys: Keys, num_layers: int) -> dict[str, Any]:
    """Windows and rotary bases, from the keys of transformers 5 or of 4."""
    every, width = keys.whole("global_attn_every_n_layers", 3), keys.whole("local_attention", 128)
    kinds = keys.words("layer_types", (FULL, SLIDING))
    if kinds is not None and len(kinds) != num_layers:
        keys.errors.append(f"layer_types has {len(kinds)} entries for {num_layers} layers")
    if kinds is None and not 0 < num_layers <= 1024:
        kinds = []  # an error of its own
    if kinds is None:
        kinds = [SLIDING if layer % max(every, 1) else FULL for layer in range(num_layers)]
    keys.must_be("rope_scaling", None)
    rope, bases = keys.inner("rope_parameters"), {}
    for kind, old_key, default in ((FULL, "global_rope_theta", 160_000.0), (SLIDING, "local_rope_theta", 10_000.0)):
        old, inner = keys.number(old_key, default), rope.inner(kind)
        inner.must_be("rope_type", "default")
        bases[kind] = inner.number("rope_theta", old)
        if old_key in keys.values and kind in kinds and bases[kind] != old:
            keys.errors.append(f"{old_key} = {old}, but rope_parameters says {bases[kind]}")
    return {
        "windows": shortest([None if kind == FULL else width // 2 + 1 for kind in kinds]) or (None,),
        "rotary_bases": shortest([bases[kind] for kind in kinds]) or (10_000.0,),
    }
