"""The encoder of Devlin et al. 2019 as the classes BertForPreTraining and BertForMaskedLM."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from osnowa.exchange.family import MODEL_FILE, Family, SpecialIds, Values
from osnowa.exchange.keys import Keys
from osnowa.exchange.notes import Note
from osnowa.model import ModelConfig

ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
ACTIVATION_NAMES = {"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "relu": "relu", "silu": "silu"}
_BASE = ("embeddings.", "encoder.", "pooler.")


def write_shape(config: ModelConfig) -> Values:
    """The keys that this class and its heir have in common."""
    return {
        "vocab_size": config.vocab_size,
        "hidden_size": config.d_model,
        "num_hidden_layers": config.encoder_layers,
        "num_attention_heads": config.num_heads,
        "intermediate_size": config.d_ff,
        "hidden_act": ACTIVATION_NAMES[config.activation],
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
        "type_vocab_size": config.num_segments,
        "layer_norm_eps": config.norm_eps,
        "position_embedding_type": "absolute",
        "tie_word_embeddings": True,
    }


def read_shape(keys: Keys, vocabulary: int) -> tuple[Values, list[Note]]:
    """Our settings from the keys of `write_shape`; `vocabulary` where they do not say."""
    keys.must_be("position_embedding_type", "absolute")
    for key in ("is_decoder", "add_cross_attention"):
        keys.must_be(key, False)
    dropout, on_weights = keys.number("hidden_dropout_prob", 0.1), keys.number("attention_probs_dropout_prob", 0.1)
    values = {
        "vocab_size": keys.whole("vocab_size", vocabulary),
        "d_model": keys.whole("hidden_size", 768),
        "encoder_layers": keys.whole("num_hidden_layers", 12),
        "num_heads": keys.whole("num_attention_heads", 12),
        "d_ff": keys.whole("intermediate_size", 3072),
        "activation": keys.choice("hidden_act", ACTIVATIONS, "gelu"),
        "dropout": dropout,
        "num_segments": keys.whole("type_vocab_size", 2),
        "norm_eps": keys.number("layer_norm_eps", 1e-12),
    }
    return values, one_dropout(keys.where, dropout, on_weights)


class Bert(Family):
    """Post-norm, learned positions, segments, biases everywhere."""

    model_type = "bert"
    fixed: ClassVar = {
        "topology": "encoder",
        "position": "learned",
        "norm_placement": "post",
        "norm": "layernorm",
        "norm_bias": True,
        "input_norm": True,
        "attention_bias": True,
        "feed_forward": "mlp",
        "feed_forward_bias": True,
        "tie_embeddings": True,
        "head_transform": True,
        "head_transform_bias": True,
        "head_bias": True,
    }
    aliases: ClassVar = {
        "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    }
    derived: ClassVar[tuple[str, ...]] = ("bert.embeddings.position_ids",)
    free = frozenset(["next_sentence"])
    prefix: ClassVar[str] = "bert."  # of all tensors but the heads'

    def class_name(self, config: ModelConfig) -> str:
        return "BertForPreTraining" if config.next_sentence else "BertForMaskedLM"

    def unused(self, config: ModelConfig) -> tuple[str, ...]:
        """A pooler that no next-sentence head listens to."""
        return () if config.next_sentence else (f"{self.prefix}pooler.",)

    def further_misfits(self, config: ModelConfig) -> list[str]:
        return [] if config.num_segments else ["num_segments = 1 or more instead of 0"]

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        return {**write_shape(config), "max_position_embeddings": config.max_positions, "pad_token_id": ids.pad}

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        values, notes = read_shape(keys, 30_522)
        return {**values, "max_positions": keys.whole("max_position_embeddings", 512)}, notes

    def read_heads(self, names: Iterable[tuple[str, str]], where: str) -> tuple[Values, list[Note]]:
        present = {name for _, name in names}
        masked = any(name.startswith("cls.predictions.") for name in present)
        next_sentence = any(name.startswith("cls.seq_relationship.") for name in present)
        notes = []
        if not masked:
            message = f"{where}: there is no masked-token head; what the model says about [MASK] means nothing"
            notes.append(Note("no-masked-head", message))
        if not next_sentence:
            notes.append(Note("no-next-sentence-head", f"{where}: there is no next-sentence head"))
        return {"head_transform": masked, "head_bias": masked, "next_sentence": next_sentence}, notes

    def rename(self, name: str) -> str:
        """LayerNorm's first spelling was gamma and beta; a class without heads leaves out the prefix."""
        for old, new in ((".gamma", ".weight"), (".beta", ".bias")):
            name = name.removesuffix(old) + new if name.endswith(f"LayerNorm{old}") else name
        return f"{self.prefix}{name}" if name.startswith(_BASE) else name

    def modules(self, config: ModelConfig) -> list[tuple[str, tuple[str, ...], str]]:
        base = self.prefix
        pairs = [
            (f"{base}embeddings.word_embeddings", "embedding.token"),
            (f"{base}embeddings.position_embeddings", "encoder.position.table"),
            (f"{base}embeddings.token_type_embeddings", "embedding.segment"),
            (f"{base}embeddings.LayerNorm", "encoder.input_norm"),
        ]
        for layer in range(config.encoder_layers):
            theirs, ours = f"{base}encoder.layer.{layer}", f"encoder.blocks.{layer}"
            pairs += [
                (f"{theirs}.attention.self.{each}", f"{ours}.attention.{each}") for each in ("query", "key", "value")
            ]
            pairs += [
                (f"{theirs}.attention.output.dense", f"{ours}.attention.output"),
                (f"{theirs}.attention.output.LayerNorm", f"{ours}.attention_residual.norm_after"),
                (f"{theirs}.intermediate.dense", f"{ours}.feed_forward.up"),
                (f"{theirs}.output.dense", f"{ours}.feed_forward.down"),
                (f"{theirs}.output.LayerNorm", f"{ours}.feed_forward_residual.norm_after"),
            ]
        pairs += self.head_modules()
        return [(theirs, (ours,), MODEL_FILE) for theirs, ours in pairs]

    def head_modules(self) -> list[tuple[str, str]]:
        """The heads' part of `modules`."""
        return [
            ("cls.predictions.transform.dense", "head.transform.dense"),
            ("cls.predictions.transform.LayerNorm", "head.transform.norm"),
            ("cls.predictions", "head.projection"),
            ("bert.pooler.dense", "next_sentence.pooler"),
            ("cls.seq_relationship", "next_sentence.verdict"),
        ]


def one_dropout(where: str, chosen: float, *others: float) -> list[Note]:
    """Our models have one dropout for all places; a note where theirs differ."""
    if all(each == chosen for each in others):
        return []
    given = ", ".join(str(each) for each in (chosen, *others))
    return [Note("one-dropout", f"{where}: of the dropouts {given} the first serves everywhere, in training only")]
