"""Every named architecture and size: a preset is a diff of its ancestor, with its parameters beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from osnowa.errors import SettingsError
from osnowa.settings import nearest

Sections = dict[str, dict[str, Any]]
DEFAULT = "encoder-mini"


@dataclass(frozen=True)
class Preset:
    """`changes` are settings by section on top of `ancestor`; `parameters` counts them with `vocab_size` as given."""

    name: str
    ancestor: str | None
    changes: Sections
    parameters: int | None = None
    note: str = ""
    sections: Sections = field(default_factory=dict)


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

_ALL = (
    Preset("bert-base", None, _BERT, 110_106_428, "the original, post-norm, learned positions, segments"),
    Preset("bert-tiny", "bert-base", _small(2, 128, 1e-3), 4_433_468),
    Preset("bert-mini", "bert-base", _small(4, 256, 1e-3), 11_267_900),
    Preset("bert-small", "bert-base", _small(4, 512, 5e-4), 29_058_876),
    Preset("bert-medium", "bert-base", _small(8, 512, 5e-4), 41_668_412),
    Preset("bert-large", "bert-base", _size(24, 1024, 4096), 336_226_108),
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
)
PRESETS = {preset.name: preset for preset in _ALL}


def resolve(name: str, size: str | None = None) -> Preset:
    """The preset `FAMILY-SIZE`, or FAMILY with `size`, with all of its ancestors' settings in `sections`.

    Raises:
        SettingsError: no such preset; names the nearest.
    """
    family = name.rsplit("-", 1)[0] if name in PRESETS else name
    full = f"{family}-{size}" if size else name
    if full not in PRESETS and not size and f"{name}-base" in PRESETS:
        full = f"{name}-base"  # a family without a size: the one it was published in
    if full not in PRESETS:
        raise SettingsError(f"--preset {full}", "no such preset", nearest("", full, PRESETS))
    chain: list[Preset] = []
    at: str | None = full
    while at is not None:
        chain.append(PRESETS[at])
        at = PRESETS[at].ancestor
    merged: Sections = {}
    for preset in reversed(chain):
        for section, values in preset.changes.items():
            merged.setdefault(section, {}).update(values)
    own = PRESETS[full]
    return Preset(own.name, own.ancestor, own.changes, own.parameters, own.note, merged)
