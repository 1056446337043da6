"""What the model should learn, as one choice shared by all topologies."""

from __future__ import annotations

from osnowa.objective.encoder import Batch, EncoderObjective, ObjectiveConfig, Outcome
from osnowa.objective.masked import MaskingConfig

__all__ = ["Batch", "EncoderObjective", "MaskingConfig", "ObjectiveConfig", "Outcome"]
