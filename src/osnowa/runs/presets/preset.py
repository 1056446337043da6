"""What a preset is, and the sizes that every family has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

Sections = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Preset:
    """`changes` are settings by section on top of `ancestor`; `parameters` counts them with `vocab_size` as given.

    `note` says what the shape is and where it comes from; `sections` are filled in by `resolve`.
    """

    name: str
    ancestor: str | None
    changes: Sections
    parameters: int | None = None
    note: str = ""
    sections: Sections = field(default_factory=dict)


@dataclass(frozen=True)
class Family:
    """Presets of one name; `published` is the size that the name alone means: its smallest published one."""

    name: str
    published: str
    presets: tuple[Preset, ...]


# Sizes that one machine trains, in every family: layers and width (Turc et al. 2019 for the encoder of 2018).
SMALL_SIZES: Mapping[str, tuple[int, int]] = {"tiny": (2, 128), "mini": (4, 256), "small": (4, 512), "medium": (8, 512)}
SMALL_VOCABULARY = 32_768  # for the table; a run's vocabulary follows its text

# How the small sizes are trained: many small steps, Muon on the matrices (LOG.md).
ONE_MACHINE: dict[str, Any] = {
    "optimiser": "muon",
    "learning_rate": 3e-3,
    "matrix_learning_rate": 6e-3,
    "beta1": 0.9,
    "beta2": 0.98,
    "epsilon": 1e-8,
    "weight_decay": 0.1,
    "clip_norm": 1.0,
    "batch_rows": 16,
    "schedule": "wsd",
    "warmup_share": 0.05,
    "decay_share": 0.4,
}


def small_presets(
    family: str,
    ancestor: str,
    shape: Callable[[int, int], dict[str, Any]],
    parameters: Mapping[str, int],
    *,
    row_length: int,
    sizes: Collection[str] = tuple(SMALL_SIZES),
    training: Mapping[str, Any] | None = None,
) -> tuple[Preset, ...]:
    """The small sizes of a family; `shape(layers, d_model)` gives the settings of the model that change.

    `training`: what differs from ONE_MACHINE.
    """
    return tuple(
        Preset(
            f"{family}-{size}",
            ancestor,
            {
                "model": {
                    "vocab_size": SMALL_VOCABULARY,
                    "d_model": d_model,
                    "num_heads": d_model // 64,
                    **shape(layers, d_model),
                },
                "data": {"row_length": row_length},
                "training": {**ONE_MACHINE, **(training or {})},
            },
            parameters.get(size),
        )
        for size, (layers, d_model) in SMALL_SIZES.items()
        if size in sizes
    )


def gated_width(d_model: int) -> int:
    """8/3 of the width, rounded to a multiple of 64: a gated network with as many weights as a plain one of 4."""
    return round(d_model * 8 / 3 / 64) * 64
