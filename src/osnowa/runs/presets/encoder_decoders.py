"""Encoder-decoders: the Transformer of 2017 and its heirs."""

from __future__ import annotations

from osnowa.runs.presets.preset import Family, Preset, Sections, gated_width, small_presets

# Vaswani et al. 2017. "Adam" is AdamW without decay; the rate is d_model^-0.5 x 4000^-0.5 at its peak, 4000 of 100,000
# steps warm up. The norm's epsilon is not published.
_TRANSFORMER: Sections = {
    "model": {
        "vocab_size": 37_000,
        "encoder_layers": 6,
        "decoder_layers": 6,
        "d_model": 512,
        "d_ff": 2048,
        "num_heads": 8,
        "max_positions": 1024,
        "position": "sinusoidal",
        "activation": "relu",
        "norm_placement": "post",
        "norm_eps": 1e-5,
        "embedding_scale": 512**0.5,
        "dropout": 0.1,
        "attention_dropout": 0.0,
        "next_sentence": False,
    },
    "tokenizer": {"kind": "bpe", "specials": "angles", "frame": "source"},
    "objective": {"name": "infilling", "mask_share": 0.3, "label_smoothing": 0.1},
    "data": {"row_length": 256},
    "training": {
        "optimiser": "adamw",
        "learning_rate": (512 * 4000) ** -0.5,
        "beta2": 0.98,
        "epsilon": 1e-9,
        "weight_decay": 0.0,
        "batch_rows": 100,
        "schedule": "inverse-sqrt",
        "warmup_share": 0.04,
    },
}

_T5: Sections = {  # Raffel et al. 2020; its Adafactor is AdamW here, with the same schedule
    "model": {
        "vocab_size": 32_128,
        "d_head": 64,
        "max_positions": 512,
        "position": "relative",
        "norm": "rmsnorm",
        "norm_placement": "pre",
        "norm_eps": 1e-6,
        "attention_bias": False,
        "feed_forward_bias": False,
        "attention_scale": 1.0,
        "embedding_scale": 1.0,
        "logit_scale": 512**-0.5,
        "attention_dropout": None,
        "feed_forward_dropout": 0.1,
    },
    "tokenizer": {"kind": "unigram"},
    "objective": {"name": "span-corruption", "mask_share": 0.15, "label_smoothing": 0.0},
    "data": {"row_length": 512},
    "training": {
        "learning_rate": 1e-3,
        "beta2": 0.999,
        "epsilon": 1e-8,
        "batch_rows": 128,
        "schedule": "inverse-sqrt",
        "warmup_share": 0.02,
    },
}

_SLOWER = {"matrix_learning_rate": 3e-3}  # for spans, whose loss was 0.4 to 0.5 higher with 6e-3 (LOG.md)

_T5_V11: Sections = {  # Shazeer 2020: gated, nothing shared between embedding and vocabulary projection, no dropout
    "model": {
        "encoder_layers": 8,
        "decoder_layers": 8,
        "d_ff": 1024,
        "num_heads": 6,
        "feed_forward": "glu",
        "activation": "gelu_tanh",
        "tie_embeddings": False,
        "logit_scale": 1.0,
        "dropout": 0.0,
        "feed_forward_dropout": 0.0,
    },
}

_BART: Sections = {  # Lewis et al. 2020
    "model": {
        "vocab_size": 50_265,
        "d_model": 768,
        "d_ff": 3072,
        "num_heads": 12,
        "position": "learned",
        "position_offset": 2,
        "activation": "gelu",
        "input_norm": True,
        "embedding_scale": 1.0,
        "attention_dropout": None,
    },
    "tokenizer": {"split": "gpt-2"},
    "objective": {"mask_share": 0.3},
    "data": {"row_length": 512},
    "training": {
        "learning_rate": 4e-4,
        "epsilon": 1e-6,
        "weight_decay": 0.01,
        "batch_rows": 2048,
        "schedule": "linear",
    },
}


def _both(layers: int, d_model: int, d_ff: int, heads: int, **others: object) -> Sections:
    shape = {"encoder_layers": layers, "decoder_layers": layers, "d_model": d_model, "d_ff": d_ff, "num_heads": heads}
    return {"model": {**shape, **others}}


def _tied(layers: int, d_model: int, d_ff: int, heads: int, **others: object) -> Sections:
    """The projection is the embedding, made smaller by the square root of the width."""
    return _both(layers, d_model, d_ff, heads, logit_scale=d_model**-0.5, **others)


def _small(layers: int, d_model: int) -> dict[str, object]:
    return {"encoder_layers": layers, "decoder_layers": layers, "d_ff": 4 * d_model, "dropout": 0.0}


def _small_scaled(layers: int, d_model: int) -> dict[str, object]:
    return {**_small(layers, d_model), "embedding_scale": d_model**0.5}


def _small_tied(layers: int, d_model: int) -> dict[str, object]:
    return {**_small(layers, d_model), "logit_scale": d_model**-0.5, "feed_forward_dropout": 0.0}


def _small_gated(layers: int, d_model: int) -> dict[str, object]:
    return {**_small(layers, d_model), "d_ff": gated_width(d_model)}


FAMILIES = (
    Family(
        "transformer",
        "base",
        (
            Preset(
                "transformer-base",
                None,
                _TRANSFORMER,
                63_082_496,
                "the original of 2017: sinusoids, post-norm, label smoothing; exported as MarianMTModel, which is equal",
            ),
            Preset(
                "transformer-big",
                "transformer-base",
                {
                    **_both(6, 1024, 4096, 16, embedding_scale=1024**0.5, dropout=0.3),
                    "training": {"learning_rate": (1024 * 4000) ** -0.5, "warmup_share": 4000 / 300_000},
                },
                214_245_376,
            ),
            *small_presets(
                "transformer",
                "transformer-base",
                _small_scaled,
                {"tiny": 5_120_000, "mini": 15_761_408, "small": 46_202_880, "medium": 75_628_544},
                row_length=128,
            ),
        ),
    ),
    Family(
        "t5",
        "small",
        (
            Preset("t5-small", "transformer-base", _T5, 60_506_624, "relative positions, RMSNorm (Raffel et al. 2020)"),
            Preset("t5-base", "t5-small", _tied(12, 768, 3072, 12), 222_903_552),
            Preset("t5-large", "t5-small", _tied(24, 1024, 4096, 16), 737_668_096),
            Preset("t5-3b", "t5-small", _tied(24, 1024, 16_384, 32, d_head=128), 2_851_598_336),
            Preset("t5-11b", "t5-small", _tied(24, 1024, 65_536, 128, d_head=128), 11_307_321_344),
            *small_presets(
                "t5",
                "t5-small",
                _small_tied,
                {"tiny": 5_113_472, "mini": 15_734_528, "medium": 75_519_488},
                row_length=128,
                sizes=("tiny", "mini", "medium"),
                training=_SLOWER,
            ),
        ),
    ),
    Family(
        "t5-v1.1",
        "small",
        (
            Preset(
                "t5-v1.1-small",
                "t5-small",
                _T5_V11,
                76_961_152,
                "gated, projection of its own, no dropout (Shazeer 2020)",
            ),
            Preset("t5-v1.1-base", "t5-v1.1-small", _both(12, 768, 2048, 12), 247_577_856),
            Preset("t5-v1.1-large", "t5-v1.1-small", _both(24, 1024, 2816, 16), 783_150_080),
            Preset("t5-v1.1-xl", "t5-v1.1-small", _both(24, 2048, 5120, 32), 2_849_757_184),
            Preset("t5-v1.1-xxl", "t5-v1.1-small", _both(24, 4096, 10_240, 64), 11_135_332_352),
            *small_presets(
                "t5-v1.1",
                "t5-v1.1-small",
                _small_gated,
                {"tiny": 9_275_008, "mini": 24_254_208, "medium": 91_772_416},
                row_length=128,
                sizes=("tiny", "mini", "medium"),
                training=_SLOWER,
            ),
        ),
    ),
    Family(
        "bart",
        "base",
        (
            Preset(
                "bart-base",
                "transformer-base",
                _BART,
                139_420_416,
                "learned positions, text infilling (Lewis et al. 2020)",
            ),
            Preset("bart-large", "bart-base", _both(12, 1024, 4096, 16), 406_291_456),
            *small_presets(
                "bart",
                "bart-base",
                _small,
                {"tiny": 5_383_168, "mini": 16_287_744, "small": 47_255_552, "medium": 76_681_216},
                row_length=128,
            ),
        ),
    ),
)
