"""One Transformer for all three topologies: the architecture is data, and no module knows a family's name."""

from __future__ import annotations

from osnowa.model.config import ModelConfig
from osnowa.model.initialise import initialise
from osnowa.model.mask import Layout, visible
from osnowa.model.tap import Tap
from osnowa.model.transformer import Transformer

__all__ = ["Layout", "ModelConfig", "Tap", "Transformer", "initialise", "visible"]
