"""Asking a trained model: texts that go on from a prompt, fill-mask, next-sentence, sentence vectors."""

from __future__ import annotations

from osnowa.generate.embed import embed
from osnowa.generate.fill import FillResult, Guess, NextSentenceResult, fill, next_sentence
from osnowa.generate.frame import Frame
from osnowa.generate.int8 import to_int8
from osnowa.generate.packed import pack
from osnowa.generate.settings import GenerationConfig
from osnowa.generate.text import GenerateResult, generate, stream
from osnowa.generate.weights import lay_out

__all__ = [
    "FillResult",
    "Frame",
    "GenerateResult",
    "GenerationConfig",
    "Guess",
    "NextSentenceResult",
    "embed",
    "fill",
    "generate",
    "lay_out",
    "next_sentence",
    "pack",
    "stream",
    "to_int8",
]
