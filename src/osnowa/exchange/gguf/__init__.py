"""A trained model as one GGUF file that llama.cpp and its kin run."""

from __future__ import annotations

from osnowa.exchange.gguf.header import NUMBER_TYPES, NumberType
from osnowa.exchange.gguf.shapes import choose_shape
from osnowa.exchange.gguf.writer import export_gguf

__all__ = ["NUMBER_TYPES", "NumberType", "choose_shape", "export_gguf"]
