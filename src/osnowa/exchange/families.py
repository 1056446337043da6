"""The classes that we can write and read, by model type, and which of them fits a model."""

from __future__ import annotations

from osnowa.exchange.bart import Bart
from osnowa.exchange.bert import Bert
from osnowa.exchange.family import Family
from osnowa.exchange.gemma import Gemma, Gemma2, Gemma3
from osnowa.exchange.gpt import Gpt2, OpenAIGpt
from osnowa.exchange.llama import Llama, Mistral
from osnowa.exchange.marian import Marian
from osnowa.exchange.mixtral import Mixtral
from osnowa.exchange.modernbert import ModernBert
from osnowa.exchange.native import Native
from osnowa.exchange.notes import Note
from osnowa.exchange.roberta import Roberta
from osnowa.exchange.t5 import T5
from osnowa.model import ModelConfig

# Where several classes hold a shape, the first is written: the plainest, which most tools read.
_ENCODERS = (Bert(), Roberta(), ModernBert())
_DECODERS = (OpenAIGpt(), Gpt2(), Llama(), Mistral(), Mixtral(), Gemma(), Gemma2(), Gemma3())
_CLASSES: tuple[Family, ...] = (*_ENCODERS, *_DECODERS, Marian(), T5(), Bart())
NATIVE = Native()
FAMILIES: dict[str, Family] = {family.model_type: family for family in (*_CLASSES, NATIVE)}


def choose_family(config: ModelConfig, pad: int | None = 0) -> Family:
    """The class that a model of this shape is written as; our own format if none holds it.

    `pad`: the padding's id, 0 if trained here.
    """
    family, misfits = nearest_class(config, pad)
    return NATIVE if misfits else family


def nearest_class(config: ModelConfig, pad: int | None = 0) -> tuple[Family, list[str]]:
    """The class of Hugging Face transformers with the fewest misfits, the first of several, and these misfits."""
    found = [(family, family.misfits(config) + family.id_misfits(config, pad)) for family in _CLASSES]
    return min(found, key=lambda each: len(each[1]))


def notes_before_training(config: ModelConfig, pad: int | None = 0) -> list[Note]:
    """What the folder of a model of this shape will lack; ask before training. Empty: nothing.

    `own-format`: only osnowa will read it, and what would have to be otherwise for the nearest class.
    `not-kept`: settings of training that the class has no key for.
    """
    family, misfits = nearest_class(config, pad)
    name = family.class_name(config)
    if misfits:
        message = (
            "no class of Hugging Face transformers has this shape, so the model will be in osnowa's own format, which "
            f"transformers can't load; the nearest, {name}, needs {', '.join(misfits)}"
        )
        return [Note("own-format", message, tuple(misfits))]
    lost = family.unkept(config)
    if not lost:
        return []
    message = f"{name} has no key for {', '.join(lost)}; the model's folder computes the same, but won't say it"
    return [Note("not-kept", message, tuple(lost))]
