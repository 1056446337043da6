"""The classes that we can write and read, by model type, and which of them fits a model."""

from __future__ import annotations

from osnowa.errors import SettingsError
from osnowa.exchange.bert import Bert
from osnowa.exchange.family import Family
from osnowa.exchange.modernbert import ModernBert
from osnowa.model import ModelConfig

FAMILIES: dict[str, Family] = {family.model_type: family for family in (Bert(), ModernBert())}


def choose_family(config: ModelConfig) -> Family:
    """The class that holds a model of this shape; ask before training.

    Raises:
        SettingsError: none does; lists for each class what would have to be otherwise.
    """
    misfits = {family.class_name(config): family.misfits(config) for family in FAMILIES.values()}
    for family in FAMILIES.values():
        if not misfits[family.class_name(config)]:
            return family
    needs = "; ".join(f"{name} needs {', '.join(wrong)}" for name, wrong in misfits.items())
    raise SettingsError("model", "no class of Hugging Face transformers has this shape", needs)
