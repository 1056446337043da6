"""The table of presets, computed from the code: parameters, work and memory per preset, and what changed from its ancestor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from osnowa.model import ModelConfig, Transformer
from osnowa.runs.presets import PRESETS, Preset, resolve
from osnowa.runs.recipe import SECTIONS

_BYTES_PER_PARAMETER = 18  # float32 master, two AdamW moments, a gradient, and a bf16 copy


def preset_rows(names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """One mapping for each preset (all of them, or those named).

    Raises:
        SettingsError: an unknown name.
    """
    rows = []
    for name in names or PRESETS:
        preset = resolve(name)
        config = ModelConfig.read("model", preset.sections["model"])
        mask_share = float(preset.sections["objective"]["mask_share"])
        parameters = count_parameters(config)
        rows.append(
            {
                "name": preset.name,
                "ancestor": preset.ancestor,
                "topology": config.topology,
                "layers": config.encoder_layers + config.decoder_layers,
                "d_model": config.d_model,
                "heads": config.num_heads,
                "d_ff": config.d_ff,
                "vocab_size": config.vocab_size,
                "parameters": parameters,
                "flops_per_token": flops_per_token(config, mask_share),
                "training_bytes": parameters * _BYTES_PER_PARAMETER,
                "difference": preset.changes,
                "changes": changes(preset),
                "note": preset.note,
            }
        )
    return rows


def changes(preset: Preset) -> dict[str, dict[str, tuple[Any, Any]]]:
    """By section and setting: its value in the ancestor (where it names none: the default), and in the preset."""
    if preset.ancestor is None:
        return {}
    before = resolve(preset.ancestor).sections
    found: dict[str, dict[str, tuple[Any, Any]]] = {}
    for section, values in preset.changes.items():
        for key, value in values.items():
            default = SECTIONS[section].model_fields[key].default
            old = before.get(section, {}).get(key, list(default) if isinstance(default, tuple) else default)
            if old != value:
                found.setdefault(section, {})[key] = (old, value)
    return found


def count_parameters(config: ModelConfig) -> int:
    """Parameters of a model, without making it."""
    with torch.device("meta"):
        return Transformer(config).parameter_count()


def flops_per_token(config: ModelConfig, asked_share: float, row_length: int = 128) -> int:
    """Multiplications and additions of matrix products, forward and backward, per token of a row.

    6 x (weights of the blocks' matrices) + 12 x layers x d_model x row length for the scores and sums of attention, and
    the vocabulary head at the asked places only (Kaplan et al. 2020, section 2.1, with attention counted).
    """
    with torch.device("meta"):
        model = Transformer(config)
    matrices = sum(p.numel() for name, p in model.named_parameters() if ".blocks." in name and p.ndim == 2)
    layers = config.encoder_layers + config.decoder_layers
    attention = 12 * layers * config.num_heads * config.head_width * row_length
    head = 6 * asked_share * config.d_model * (config.vocab_size + config.d_model * config.head_transform)
    return round(6 * matrices + attention + head)
