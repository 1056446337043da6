"""The encoder-decoder of Raffel et al. 2020, and its gated heir, as the class T5ForConditionalGeneration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from osnowa.exchange.family import MODEL_FILE, Family, SpecialIds, Values, encoder_decoder_ids, generation_ids
from osnowa.exchange.keys import Keys
from osnowa.exchange.notes import Note
from osnowa.model import ModelConfig

# feed_forward_proj: what our feed_forward and activation are. Their "gated-gelu" has the tanh in it, "gelu" has not.
PROJECTIONS = {
    "relu": ("mlp", "relu"),
    "gelu": ("mlp", "gelu"),
    "gelu_pytorch_tanh": ("mlp", "gelu_tanh"),
    "gelu_new": ("mlp", "gelu_tanh"),
    "silu": ("mlp", "silu"),
    "gated-gelu": ("glu", "gelu_tanh"),
    "gated-relu": ("glu", "relu"),
    "gated-silu": ("glu", "silu"),
}
PROJECTION_NAMES = {shape: name for name, shape in reversed(PROJECTIONS.items())}
OWN_HEAD = "lm_head.weight"
EMBEDDING = "shared.weight"


class T5(Family):
    """Relative positions, RMSNorm before the sublayers, no biases, scores that are not scaled."""

    model_type = "t5"
    fixed: ClassVar = {
        "topology": "encoder-decoder",
        "position": "relative",
        "norm_placement": "pre",
        "norm": "rmsnorm",
        "input_norm": False,
        "attention_bias": False,
        "attention_scale": 1.0,
        "feed_forward_bias": False,
        "num_segments": 0,
        "head_transform": False,
        "head_bias": False,
    }
    free = frozenset(["d_head", "logit_scale", "attention_dropout", "feed_forward_dropout"])
    aliases: ClassVar = {f"{stack}.embed_tokens.weight": EMBEDDING for stack in ("encoder", "decoder")}
    # Of an early version of the class, which never used it.
    derived = ("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",)

    def class_name(self, config: ModelConfig) -> str:
        return "T5ForConditionalGeneration"

    def further_misfits(self, config: ModelConfig) -> list[str]:
        """The projection either is the embedding, and the logits are scaled, or it is not, and they are not."""
        wrong = []
        scale = config.d_model**-0.5 if config.tie_embeddings else 1.0
        if config.logit_scale != scale:
            tied = str(config.tie_embeddings).lower()
            wrong.append(f"logit_scale = {scale} (tie_embeddings = {tied}) instead of {config.logit_scale}")
        if (config.feed_forward, config.activation) not in PROJECTION_NAMES:
            wrong.append(f"activation = gelu_tanh (feed_forward = glu) instead of {config.activation}")
        return wrong

    def unkept(self, config: ModelConfig) -> list[str]:
        """The class has one dropout for all places."""
        others = {name: getattr(config, name) for name in ("attention_dropout", "feed_forward_dropout")}
        return [f"{name} = {value}" for name, value in others.items() if value not in (None, config.dropout)]

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        """transformers 4 scales the logits where the embedding is tied; 5 does as it is told, and ties equal ones."""
        return {
            "vocab_size": config.vocab_size,
            "d_model": config.d_model,
            "d_kv": config.head_width,
            "d_ff": config.d_ff,
            "num_heads": config.num_heads,
            "num_layers": config.encoder_layers,
            "num_decoder_layers": config.decoder_layers,
            "n_positions": config.max_positions,
            "relative_attention_num_buckets": config.relative_buckets,
            "relative_attention_max_distance": config.relative_furthest,
            "feed_forward_proj": PROJECTION_NAMES[config.feed_forward, config.activation],
            "dropout_rate": config.dropout,
            "layer_norm_epsilon": config.norm_eps,
            "tie_word_embeddings": config.tie_embeddings,
            "scale_decoder_outputs": config.tie_embeddings,
            **encoder_decoder_ids(ids),
        }

    def write_generation(self, ids: SpecialIds) -> Values:
        return generation_ids(ids)

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        keys.must_be("is_encoder_decoder", True)
        keys.must_be("is_decoder", False)
        dropout, layers = keys.number("dropout_rate", 0.1), keys.whole("num_layers", 6)
        feed_forward, activation = keys.choice("feed_forward_proj", PROJECTIONS, "relu")
        keys.must_be("is_gated_act", feed_forward == "glu")
        names = [name for name, shape in PROJECTIONS.items() if shape[1] == activation and "-" not in name]
        keys.must_be("dense_act_fn", *names)
        scaled = keys.flag("scale_decoder_outputs", keys.flag("tie_word_embeddings", True))
        width = keys.whole("d_model", 512)
        values: Values = {
            "vocab_size": keys.whole("vocab_size", 32_128),
            "d_model": width,
            "d_head": keys.whole("d_kv", 64),
            "d_ff": keys.whole("d_ff", 2048),
            "num_heads": keys.whole("num_heads", 8),
            "encoder_layers": layers,
            "decoder_layers": keys.whole("num_decoder_layers", layers),
            "max_positions": keys.whole("n_positions", 512),
            "relative_buckets": keys.whole("relative_attention_num_buckets", 32),
            "relative_furthest": keys.whole("relative_attention_max_distance", 128),
            "feed_forward": feed_forward,
            "activation": activation,
            "dropout": dropout,
            "feed_forward_dropout": dropout,
            "norm_eps": keys.number("layer_norm_epsilon", 1e-6),
            "tie_embeddings": scaled,
            "logit_scale": width**-0.5 if scaled and width else 1.0,
        }
        return values, []

    def second_names(self, settings: Values) -> Mapping[str, str]:
        return {**self.aliases, OWN_HEAD: EMBEDDING} if settings["tie_embeddings"] else self.aliases

    def read_heads(self, names: Iterable[tuple[str, str]], where: str) -> tuple[Values, list[Note]]:
        """Where the logits are not scaled, transformers 5 ties what has no projection of its own in the file."""
        return {} if (MODEL_FILE, OWN_HEAD) in set(names) else {"tie_embeddings": True}, []

    def rename(self, name: str) -> str:
        return name

    def modules(self, config: ModelConfig) -> list[tuple[str, tuple[str, ...], str]]:
        pairs = [("shared", "embedding.token"), ("lm_head", "head.projection")]
        for stack, layers in (("encoder", config.encoder_layers), ("decoder", config.decoder_layers)):
            first = f"{stack}.block.0.layer.0.SelfAttention"
            pairs += [
                (f"{first}.relative_attention_bias", f"{stack}.position.table"),
                (f"{stack}.final_layer_norm", f"{stack}.final_norm"),
            ]
            for layer in range(layers):
                pairs += _block(
                    f"{stack}.block.{layer}.layer", f"{stack}.blocks.{layer}", config, cross=stack == "decoder"
                )
        return [(theirs, (ours,), MODEL_FILE) for theirs, ours in pairs]


def _block(theirs: str, ours: str, config: ModelConfig, *, cross: bool) -> list[tuple[str, str]]:
    parts = [("SelfAttention", "attention", "attention_residual")]
    if cross:
        parts.append(("EncDecAttention", "cross_attention", "cross_residual"))
    pairs = []
    for place, (name, attention, residual) in enumerate(parts):
        pairs += [
            (f"{theirs}.{place}.{name}.{each[0]}", f"{ours}.{attention}.{each}")
            for each in ("query", "key", "value", "output")
        ]
        pairs.append((f"{theirs}.{place}.layer_norm", f"{ours}.{residual}.norm_in"))
    last = f"{theirs}.{len(parts)}"
    widening = {"wi_0": "gate", "wi_1": "up"} if config.feed_forward == "glu" else {"wi": "up"}
    pairs += [
        (f"{last}.DenseReluDense.{name}", f"{ours}.feed_forward.{each}")
        for name, each in {**widening, "wo": "down"}.items()
    ]
    return [*pairs, (f"{last}.layer_norm", f"{ours}.feed_forward_residual.norm_in")]
