"""osnowa: train your own language model from your own text, and see every number inside it."""

from __future__ import annotations

__version__ = "0.1.0"
