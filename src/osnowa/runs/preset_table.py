"""The table of presets, computed from the code: parameters, work and memory per preset, and what changed from its ancestor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from osnowa.data.config import DataConfig
from osnowa.exchange import choose_family, notes_before_training
from osnowa.model import ModelConfig
from osnowa.objective import ObjectiveConfig
from osnowa.runs.presets import FAMILIES, Preset, resolve
from osnowa.runs.recipe import SECTIONS
from osnowa.runs.work import count_parameters, flops_per_token

_BYTES_PER_PARAMETER = 18  # float32 master, two AdamW moments, a gradient, and a bf16 copy


def preset_rows(names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """One mapping for each preset: all of them, or those named; the name of a family stands for all of its sizes.

    Raises:
        SettingsError: an unknown name.
    """
    return [preset_row(resolve(name)) for each in names or FAMILIES for name in members(each)]


def members(name: str) -> list[str]:
    """The presets of a family, or the one preset of that name."""
    return [preset.name for preset in FAMILIES[name].presets] if name in FAMILIES else [name]


def family_of(preset: str) -> str:
    """The family that a preset is a size of."""
    return next(name for name, family in FAMILIES.items() if any(each.name == preset for each in family.presets))


def preset_row(preset: Preset) -> dict[str, Any]:
    """What there is to say of a preset."""
    sections = preset.sections
    config = ModelConfig.read("model", sections["model"])
    objective = ObjectiveConfig.read("objective", sections["objective"])
    row_length = DataConfig.read("data", sections.get("data", {})).row_length
    parameters = count_parameters(config)
    return {
        "name": preset.name,
        "family": family_of(preset.name),
        "ancestor": preset.ancestor,
        "topology": config.topology,
        "objective": objective.name,
        "layers": config.encoder_layers + config.decoder_layers,
        "d_model": config.d_model,
        "heads": config.num_heads,
        "d_ff": config.d_ff,
        "vocab_size": config.vocab_size,
        "row_length": row_length,
        "parameters": parameters,
        "flops_per_token": flops_per_token(config, objective, row_length),
        "training_bytes": parameters * _BYTES_PER_PARAMETER,
        "class": choose_family(config).class_name(config),
        "own_format": any(note.code == "own-format" for note in notes_before_training(config)),
        "difference": preset.changes,
        "changes": changes(preset),
        "note": preset.note,
    }


def family_rows() -> list[dict[str, Any]]:
    """One mapping for each family: its sizes, and what its smallest published one is."""
    found = []
    for family in FAMILIES.values():
        row = preset_row(resolve(family.name))
        sizes = [each.name.removeprefix(f"{family.name}-") for each in family.presets]
        found.append({**row, "name": family.name, "sizes": sizes, "published": family.published})
    return found


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
