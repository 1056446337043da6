"""The normalisations, and the identity where a placement has none."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from osnowa.model.config import ModelConfig


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight (Zhang & Sennrich 2019); with `offset` the factor is 1 + weight.

    The mean is taken in float32 at least: bfloat16 has 8 bits, and a sum of squares needs more.
    """

    def __init__(self, width: int, eps: float, offset: bool) -> None:
        super().__init__()
        self.eps, self.offset = eps, offset
        self.weight = nn.Parameter(torch.zeros(width) if offset else torch.ones(width))

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        if not torch.is_grad_enabled():
            weight = 1 + self.weight if self.offset else self.weight
            if x.numel() == x.size(-1) and x.device.type == "cpu":  # one token: 11 to 15 us, the library's own call 25
                length = torch.linalg.vector_norm(x, dtype=torch.promote_types(x.dtype, torch.float32)).item()
                return x * (length * length / x.size(-1) + self.eps) ** -0.5 * weight
            return F.rms_norm(x, weight.shape, weight, self.eps)
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        scaled = (exact * torch.rsqrt(exact.square().mean(-1, keepdim=True) + self.eps)).to(x.dtype)
        return scaled * (1 + self.weight) if self.offset else scaled * self.weight


def build_norm(config: ModelConfig, used: bool = True, width: int | None = None) -> nn.Module:
    """LayerNorm (Ba et al. 2016) or RMSNorm over `width` (d_model); the identity when not `used`."""
    width = width or config.d_model
    if not used:
        return nn.Identity()
    if config.norm == "rmsnorm":
        return RMSNorm(width, config.norm_eps, config.norm_offset)
    return nn.LayerNorm(width, eps=config.norm_eps, bias=config.norm_bias)
