"""Where order enters: added to the embeddings, turning queries and keys, or added to the scores; each nothing by default."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from osnowa.model.config import ModelConfig
from osnowa.model.module import Module
from osnowa.model.places import Queries


class Rotation:
    """How queries and keys "batch head seq d_head" are turned; this one leaves them as they are."""

    def __call__(self, heads: Tensor) -> Tensor:
        return heads

    def at(self, place: int) -> Rotation:
        """That of the tokens at one place of the rows alone."""
        return self

    def along(self, queries: Queries) -> Rotation:
        """That of some places of each row."""
        return self


class Turn(Rotation):
    """Pairs of numbers, half a head apart, turned; `cos` and signed `sin` of the angles are "batch 1 seq d_head"."""

    def __init__(self, cos: Tensor, sin: Tensor) -> None:
        self.cos, self.sin = cos, sin

    def __call__(self, heads: Tensor) -> Tensor:
        return torch.addcmul(heads * self.cos, heads.roll(heads.size(-1) // 2, -1), self.sin)

    def at(self, place: int) -> Rotation:
        return Turn(self.cos[:, :, place : place + 1], self.sin[:, :, place : place + 1])

    def along(self, queries: Queries) -> Rotation:
        return Turn(queries.along(self.cos), queries.along(self.sin))


class Position(Module):
    """No order at all; the base of the others."""

    def __init__(self, config: ModelConfig, causal: bool) -> None:
        super().__init__()

    def embed(
        self, x: Float[Tensor, "batch seq d_model"], positions: Int[Tensor, "batch seq"]
    ) -> Float[Tensor, "batch seq d_model"]:
        """What is added to the embeddings."""
        return x

    def rotations(self, positions: Int[Tensor, "batch seq"], dtype: torch.dtype) -> list[Rotation]:
        """How layer i turns queries and keys "batch head seq d_head": rotations[i % len]."""
        return [Rotation()]

    def bias(
        self, query: Int[Tensor, "batch query"], key: Int[Tensor, "batch key"]
    ) -> Float[Tensor, "batch head query key"] | None:
        """What is added to the scores of self-attention; equal rows may be given as one."""
        return None


class Learned(Position):
    """One trained vector for each position (Devlin et al. 2019, section 3)."""

    def __init__(self, config: ModelConfig, causal: bool) -> None:
        super().__init__(config, causal)
        self.offset = config.position_offset
        self.table = nn.Embedding(config.max_positions + self.offset, config.d_model)

    def embed(
        self, x: Float[Tensor, "batch seq d_model"], positions: Int[Tensor, "batch seq"]
    ) -> Float[Tensor, "batch seq d_model"]:
        return x + self.table(positions + self.offset)


class Sinusoidal(Position):
    """Sines and cosines of wavelengths from 2 pi to 10,000 x 2 pi (Vaswani et al. 2017, section 3.5).

    The sines fill the first half of the vector and the cosines the second, as in the authors' own code; the paper
    writes them in turn, which is the same up to the order of the columns.
    """

    def __init__(self, config: ModelConfig, causal: bool) -> None:
        super().__init__(config, causal)
        self.width = config.d_model

    def embed(
        self, x: Float[Tensor, "batch seq d_model"], positions: Int[Tensor, "batch seq"]
    ) -> Float[Tensor, "batch seq d_model"]:
        angle = angles(positions, 10_000.0, self.width, x.dtype)
        return x + torch.cat((angle.sin(), angle.cos()), -1).to(x.dtype)


class Rotary(Position):
    """Pairs of query and key numbers turned by an angle that grows with the position (Su et al. 2021, section 3.2)."""

    def __init__(self, config: ModelConfig, causal: bool) -> None:
        super().__init__(config, causal)
        self.bases, self.factors, self.width = config.rotary_bases, config.rotary_factors, config.head_width
        self.stretch = config.rotary_stretch

    def rotations(self, positions: Int[Tensor, "batch seq"], dtype: torch.dtype) -> list[Rotation]:
        kinds = [
            (self.bases[i % len(self.bases)], self.factors[i % len(self.factors)])
            for i in range(math.lcm(len(self.bases), len(self.factors)))
        ]
        made = {kind: self._rotation(positions, dtype, *kind) for kind in set(kinds)}
        return [made[kind] for kind in kinds]

    def _rotation(self, positions: Tensor, dtype: torch.dtype, base: float, factor: float) -> Rotation:
        exact = torch.promote_types(dtype, torch.float32)
        rate = rates(base, self.width, exact, positions.device) / factor
        if self.stretch is not None:
            rate = stretched(rate, *self.stretch)
        angle = positions[:, None, :, None] * rate
        cos, sin = angle.cos().to(dtype), angle.sin().to(dtype)
        return Turn(torch.cat((cos, cos), -1), torch.cat((-sin, sin), -1))


class Relative(Position):
    """A learned number for each head and each kind of distance, the same in all layers (Raffel et al. 2020, 2.1)."""

    def __init__(self, config: ModelConfig, causal: bool) -> None:
        super().__init__(config, causal)
        self.causal, self.furthest = causal, config.relative_furthest
        self.table = nn.Embedding(config.relative_buckets, config.num_heads)

    def bias(
        self, query: Int[Tensor, "batch query"], key: Int[Tensor, "batch key"]
    ) -> Float[Tensor, "batch head query key"]:
        distance = key[:, None, :] - query[:, :, None]
        kind = bucket(distance, self.causal, self.table.num_embeddings, self.furthest)
        return self.table(kind).permute(0, 3, 1, 2)


def bucket(
    distance: Int[Tensor, "batch query key"], causal: bool, buckets: int, furthest: int
) -> Int[Tensor, "batch query key"]:
    """Kinds of distance: each small one its own, larger ones by the logarithm; both sides apart unless causal."""
    side = torch.zeros_like(distance)
    if causal:
        distance = (-distance).clamp(min=0)
    else:
        buckets //= 2
        side, distance = (distance > 0) * buckets, distance.abs()
    exact = buckets // 2
    spread = torch.log(distance.clamp(min=1).float() / exact) / math.log(furthest / exact) * (buckets - exact)
    return side + torch.where(distance < exact, distance, (exact + spread.long()).clamp(max=buckets - 1))


def rates(base: float, width: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, " half"]:
    """base^(-2i / width): how far one position turns each pair."""
    return base ** (-torch.arange(0, width, 2, device=device, dtype=dtype) / width)


def angles(positions: Int[Tensor, "batch seq"], base: float, width: int, dtype: torch.dtype) -> Tensor:
    """[batch, seq, width / 2] position times rate, in float32 at least: bfloat16's 8 bits are too few for it."""
    exact = torch.promote_types(dtype, torch.float32)
    return positions[:, :, None] * rates(base, width, exact, positions.device)


def stretched(
    rate: Float[Tensor, " half"], factor: float, low: float, high: float, length: float
) -> Float[Tensor, " half"]:
    """Slow rotations divided by `factor`, fast ones as they were, a straight line between (LLaMA 3.1, section 3.4.2).

    A rotation is slow when it turns fewer than `low` times in `length` positions, fast from `high` times on.
    """
    turns = length * rate / (2 * math.pi)
    share = ((turns - low) / (high - low)).clamp(0, 1)
    return share * rate + (1 - share) * rate / factor


POSITIONS: dict[str, type[Position]] = {
    "none": Position,
    "learned": Learned,
    "sinusoidal": Sinusoidal,
    "rotary": Rotary,
    "relative": Relative,
}
