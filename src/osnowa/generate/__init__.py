"""Asking a trained model: fill-mask, next-sentence and vectors now, text generation to come."""

from __future__ import annotations

from osnowa.generate.embed import embed
from osnowa.generate.fill import FillResult, Guess, NextSentenceResult, fill, next_sentence

__all__ = ["FillResult", "Guess", "NextSentenceResult", "embed", "fill", "next_sentence"]
