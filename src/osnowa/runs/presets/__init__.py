"""Every named architecture and size: a preset is a diff of its ancestor, with its parameters beside it."""

from __future__ import annotations

from osnowa.errors import SettingsError
from osnowa.runs.presets import decoders, encoder_decoders, encoders, gated_decoders
from osnowa.runs.presets.preset import Family, Preset, Sections
from osnowa.settings import nearest

__all__ = ["DEFAULT", "FAMILIES", "PRESETS", "SMALLER", "Family", "Preset", "Sections", "resolve"]

DEFAULT, SMALLER = "encoder-mini", "encoder-tiny"
FAMILIES: dict[str, Family] = {
    family.name: family
    for module in (encoders, decoders, gated_decoders, encoder_decoders)
    for family in module.FAMILIES
}
PRESETS: dict[str, Preset] = {preset.name: preset for family in FAMILIES.values() for preset in family.presets}


def resolve(name: str, size: str | None = None) -> Preset:
    """The preset `FAMILY-SIZE`, or FAMILY with `size`, with all of its ancestors' settings in `sections`.

    Raises:
        SettingsError: no such preset; names the nearest.
    """
    family = name.rsplit("-", 1)[0] if name in PRESETS else name
    if family in FAMILIES and family == name and size is None:
        size = FAMILIES[family].published
    full = f"{family}-{size}" if size else name
    if full not in PRESETS:
        others = [each.name for each in FAMILIES[family].presets] if family in FAMILIES else [*FAMILIES, *PRESETS]
        raise SettingsError(f"--preset {full}", "no such preset", nearest("", full, others))
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
