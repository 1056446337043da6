"""The classes that we can write and read, by model type, and which of them fits a model."""

from __future__ import annotations

from osnowa.errors import SettingsError
from osnowa.exchange.bart import Bart
from osnowa.exchange.bert import Bert
from osnowa.exchange.family import Family
from osnowa.exchange.marian import Marian
from osnowa.exchange.modernbert import ModernBert
from osnowa.exchange.roberta import Roberta
from osnowa.exchange.t5 import T5
from osnowa.model import ModelConfig

FAMILIES: dict[str, Family] = {
    family.model_type: family for family in (Bert(), Roberta(), ModernBert(), T5(), Bart(), Marian())
}


def choose_family(config: ModelConfig, pad: int = 0) -> Family:
    """The class that holds a model of this shape; ask before training. `pad`: the padding's id, 0 if trained here.

    Raises:
        SettingsError: none does; lists what would have to be otherwise for the nearest.
    """
    misfits = {family: family.misfits(config) + family.id_misfits(config, pad) for family in FAMILIES.values()}
    nearest = min(misfits, key=lambda family: len(misfits[family]))
    if misfits[nearest]:
        needs = f"the nearest, {nearest.class_name(config)}, needs {', '.join(misfits[nearest])}"
        raise SettingsError("model", "no class of Hugging Face transformers has this shape", needs)
    return nearest
