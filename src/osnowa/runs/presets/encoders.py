"""Encoders: the original of 2018, its heir without next sentence, the modern shape, and the default family."""

from __future__ import annotations

from osnowa.runs.presets.preset import Family, Preset, Sections, gated_width, small_presets


def _size(layers: int, d_model: int, d_ff: int) -> Sections:
    return {"model": {"encoder_layers": layers, "d_model": d_model, "d_ff": d_ff, "num_heads": d_model // 64}}


def _small(layers: int, d_model: int, rate: float) -> Sections:
    """A size below the published recipe's: batch and rate that suit one machine; blocks and objective stay."""
    training = {"batch_rows": 32, "learning_rate": rate, "warmup_share": 0.05}
    return {**_size(layers, d_model, 4 * d_model), "training": training}


# Devlin et al. 2019 for base and large, Turc et al. 2019 ("Well-Read Students Learn Better") for the smaller ones.
_BERT: Sections = {
    "model": {
        "vocab_size": 30_522,
        "encoder_layers": 12,
        "d_model": 768,
        "d_ff": 3072,
        "num_heads": 12,
        "max_positions": 512,
        "position": "learned",
        "activation": "gelu",
        "norm_placement": "post",
        "norm_eps": 1e-12,
        "input_norm": True,
        "num_segments": 2,
        "dropout": 0.1,
        "head_transform": True,
        "head_bias": True,
        "next_sentence": True,
    },
    "tokenizer": {"kind": "wordpiece"},
    "objective": {"name": "masked-next-sentence", "mask_share": 0.15},
    "training": {
        "optimiser": "adamw",
        "learning_rate": 1e-4,
        "beta2": 0.999,
        "epsilon": 1e-6,
        "weight_decay": 0.01,
        "batch_rows": 256,
        "schedule": "linear",
        "warmup_share": 0.01,
    },
}

# Rotary positions, norms before the sublayers, a gated feed-forward network without biases and Muon on the matrices:
# chosen by measuring (LOG.md, "Which class for the default encoder").
_ENCODER: Sections = {
    "model": {
        "vocab_size": 32_768,
        "position": "rotary",
        "rotary_bases": [10_000.0],
        "feed_forward": "glu",
        "norm_placement": "pre",
        "first_norm": False,
        "norm_eps": 1e-5,
        "norm_bias": False,
        "attention_bias": False,
        "feed_forward_bias": False,
        "head_transform_bias": False,
        "num_segments": 0,
        "dropout": 0.0,
    },
    "objective": {"mask_share": 0.3},
    "training": {
        "optimiser": "muon",
        "learning_rate": 3e-3,
        "matrix_learning_rate": 6e-3,
        "beta2": 0.98,
        "epsilon": 1e-8,
        "weight_decay": 0.1,
        "batch_rows": 16,
        "schedule": "wsd",
        "warmup_share": 0.05,
        "decay_share": 0.4,
    },
}

_ROBERTA: Sections = {  # Liu et al. 2019: no segments, no next sentence, bytes, more text a step
    "model": {
        "vocab_size": 50_265,
        "position_offset": 1,  # the class begins after the padding token's row, which is 0 here; as published it is 1
        "num_segments": 1,
        "norm_eps": 1e-5,
        "next_sentence": False,
    },
    "tokenizer": {"kind": "bpe", "specials": "angles", "split": "gpt-2"},
    "objective": {"name": "masked", "mask_share": 0.15},
    "data": {"row_length": 512},
    "training": {
        "learning_rate": 6e-4,
        "beta2": 0.98,
        "batch_rows": 8192,
        "warmup_share": 0.048,
    },
}

_MODERNBERT: Sections = {  # Warner et al. 2024: every third layer sees all, the others 64 tokens to each side
    "model": {
        "vocab_size": 50_368,
        "encoder_layers": 22,
        "d_ff": 1152,
        "max_positions": 8192,
        "windows": [None, 65, 65],
        "rotary_bases": [160_000.0, 10_000.0, 10_000.0],
        "next_sentence": False,
    },
    "tokenizer": {"kind": "bpe", "split": "gpt-2"},
    "objective": {"name": "masked", "mask_share": 0.3},
    "data": {"row_length": 1024},
    "training": {
        "optimiser": "adamw",
        "learning_rate": 8e-4,
        "epsilon": 1e-6,
        "weight_decay": 1e-5,
        "batch_rows": 4096,
        "schedule": "wsd",
    },
}


def _plain(layers: int, d_model: int) -> dict[str, object]:
    return {"encoder_layers": layers, "d_ff": 4 * d_model}


def _narrow(layers: int, d_model: int) -> dict[str, object]:
    return {"encoder_layers": layers, "d_ff": gated_width(d_model), "windows": [None, 17, 17]}


FAMILIES = (
    Family(
        "bert",
        "base",
        (
            Preset(
                "bert-base", None, _BERT, 110_106_428, "the original of 2018: post-norm, learned positions, segments"
            ),
            Preset("bert-tiny", "bert-base", _small(2, 128, 1e-3), 4_433_468),
            Preset("bert-mini", "bert-base", _small(4, 256, 1e-3), 11_267_900),
            Preset("bert-small", "bert-base", _small(4, 512, 5e-4), 29_058_876),
            Preset("bert-medium", "bert-base", _small(8, 512, 5e-4), 41_668_412),
            Preset("bert-large", "bert-base", _size(24, 1024, 4096), 336_226_108),
        ),
    ),
    Family(
        "encoder",
        "base",
        (
            Preset(
                "encoder-base",
                "bert-base",
                {**_ENCODER, "model": {**_ENCODER["model"], "d_ff": 2048}},
                111_335_170,
                "the default family: rotary positions, pre-norm, gated, Muon",
            ),
            Preset("encoder-tiny", "encoder-base", _size(2, 128, 384), 4_686_978),
            Preset("encoder-mini", "encoder-base", _size(4, 256, 704), 11_767_042),
            Preset("encoder-small", "encoder-base", _size(4, 512, 1408), 30_185_986),
            Preset("encoder-medium", "encoder-base", _size(8, 512, 1408), 43_035_138),
            Preset("encoder-large", "encoder-base", _size(24, 1024, 2752), 339_301_378),
        ),
    ),
    Family(
        "roberta",
        "base",
        (
            Preset("roberta-base", "bert-base", _ROBERTA, 124_696_665, "no next sentence, bytes (Liu et al. 2019)"),
            Preset(
                "roberta-large",
                "roberta-base",
                {**_size(24, 1024, 4096), "training": {"learning_rate": 4e-4}},
                355_411_033,
            ),
            *small_presets(
                "roberta",
                "roberta-base",
                _plain,
                {"tiny": 4_706_432, "mini": 11_778_816, "small": 29_947_392, "medium": 42_556_928},
                row_length=128,
            ),
        ),
    ),
    Family(
        "modernbert",
        "base",
        (
            Preset(
                "modernbert-base",
                "encoder-base",
                _MODERNBERT,
                149_655_232,
                "rotary, pre-norm, gated, local and global windows (Warner et al. 2024)",
            ),
            Preset(
                "modernbert-large",
                "modernbert-base",
                {
                    "model": {"encoder_layers": 28, "d_model": 1024, "d_ff": 2624, "num_heads": 16},
                    "training": {"learning_rate": 5e-4},
                },
                395_881_664,
            ),
            *small_presets(
                "modernbert",
                "modernbert-base",
                _narrow,
                {"tiny": 4_621_056, "mini": 11_700_736, "small": 29_529_088, "medium": 41_985_024},
                row_length=128,
            ),
        ),
    ),
)
