"""The normalisations, and the identity where a placement has none."""

from __future__ import annotations

from torch import nn

from osnowa.model.config import ModelConfig


def build_norm(config: ModelConfig, used: bool = True) -> nn.Module:
    """LayerNorm (Ba et al. 2016) or RMSNorm (Zhang & Sennrich 2019) over d_model; the identity when not `used`."""
    if not used:
        return nn.Identity()
    if config.norm == "rmsnorm":
        return nn.RMSNorm(config.d_model, eps=config.norm_eps)
    return nn.LayerNorm(config.d_model, eps=config.norm_eps, bias=config.norm_bias)
