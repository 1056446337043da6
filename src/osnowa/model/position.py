"""Where order enters: added to the embeddings, or turning queries and keys; each does nothing by default."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from osnowa.model.config import ModelConfig

Rotate = Callable[[Tensor], Tensor]


def stand_still(heads: Tensor) -> Tensor:
    return heads


class Position(nn.Module):
    """No order at all; the base of the others."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()

    def embed(
        self, x: Float[Tensor, "batch seq d_model"], positions: Int[Tensor, "batch seq"]
    ) -> Float[Tensor, "batch seq d_model"]:
        """What is added to the embeddings."""
        return x

    def rotations(self, positions: Int[Tensor, "batch seq"], dtype: torch.dtype) -> list[Rotate]:
        """How layer i turns queries and keys "batch head seq d_head": rotations[i % len]."""
        return [stand_still]


class Learned(Position):
    """One trained vector for each position (Devlin et al. 2019, section 3)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.table = nn.Embedding(config.max_positions, config.d_model)

    def embed(
        self, x: Float[Tensor, "batch seq d_model"], positions: Int[Tensor, "batch seq"]
    ) -> Float[Tensor, "batch seq d_model"]:
        return x + self.table(positions)


class Rotary(Position):
    """Pairs of query and key numbers turned by an angle that grows with the position (Su et al. 2021, section 3.2)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.bases, self.width = config.rotary_bases, config.head_width

    def rotations(self, positions: Int[Tensor, "batch seq"], dtype: torch.dtype) -> list[Rotate]:
        return [self._rotation(positions, dtype, base) for base in self.bases]

    def _rotation(self, positions: Tensor, dtype: torch.dtype, base: float) -> Rotate:
        # angles in float32 at least: bf16 has 8 bits, too few for position x rate
        exact = torch.promote_types(dtype, torch.float32)
        rate = base ** (-torch.arange(0, self.width, 2, device=positions.device, dtype=exact) / self.width)
        angle = (positions[:, None, :, None] * rate).repeat(1, 1, 1, 2)
        cos, sin = angle.cos().to(dtype), angle.sin().to(dtype)

        def rotate(heads: Float[Tensor, "batch head seq d_head"]) -> Float[Tensor, "batch head seq d_head"]:
            left, right = heads.chunk(2, dim=-1)
            return heads * cos + torch.cat((-right, left), -1) * sin

        return rotate


POSITIONS: dict[str, type[Position]] = {"none": Position, "learned": Learned, "rotary": Rotary}
