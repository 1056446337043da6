"""Asking a trained model: fill-mask and next-sentence now, text generation to come."""

from __future__ import annotations

from osnowa.generate.fill import FillResult, Guess, NextSentenceResult, fill, next_sentence

__all__ = ["FillResult", "Guess", "NextSentenceResult", "fill", "next_sentence"]
