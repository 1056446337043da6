"""Asking a trained model: texts that go on from a prompt, fill-mask, next-sentence, sentence vectors."""

from __future__ import annotations

from osnowa.generate.embed import embed
from osnowa.generate.fill import FillResult, Guess, NextSentenceResult, fill, next_sentence
from osnowa.generate.frame import Frame
from osnowa.generate.settings import GenerationConfig
from osnowa.generate.text import GenerateResult, generate, stream
from osnowa.generate.weights import Weights, make_ready

__all__ = [
    "FillResult",
    "Frame",
    "GenerateResult",
    "GenerationConfig",
    "Guess",
    "NextSentenceResult",
    "Weights",
    "embed",
    "fill",
    "generate",
    "make_ready",
    "next_sentence",
    "stream",
]
