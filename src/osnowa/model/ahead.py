"""Masks and rotations of the tokens to come, computed once for all places: a step then only takes its slice."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from osnowa.model.mask import Layout, additive
from osnowa.model.position import Position, Rotation


class Ahead:
    """What single tokens of a decoder need, at each place of `layout`.

    Each row of `layout` is one document whose padding, if any, stands at its beginning. So a mask depends on two things
    alone: how far a key is from the query (`near`, read from its end), and whether the key is padding (`real`, from its
    beginning).
    """

    def __init__(self, layout: Layout, position: Position, windows: tuple[int | None, ...], dtype: torch.dtype) -> None:
        self.capacity = layout.positions.size(1)
        self.turns = position.rotations(layout.positions, dtype)
        places = torch.arange(self.capacity, device=layout.positions.device)[None]
        self.bias = position.bias(places[:, -1:], places)
        distance = (places[:, -1:, None] - places[:, None, :])[:, None]
        self.near = {window: self._near(distance, window, dtype) for window in set(windows)}
        real = layout.document_ids != 0
        self.real = None if bool(real.all()) else additive(real[:, None, None, :], dtype)

    def _near(self, distance: Tensor, window: int | None, dtype: torch.dtype) -> Tensor | None:
        if window is None or window >= self.capacity:
            return None if self.bias is None else self.bias.to(dtype)
        return additive(distance < window, dtype, self.bias)

    def mask(self, window: int | None, stop: int) -> Float[Tensor, "row head 1 stop"] | None:
        """For a query at place stop - 1 over the keys before `stop`; None where it sees all of them alike."""
        near = self.near[window]
        if self.bias is None and window is not None and stop <= window:
            near = None
        if near is not None:
            near = near[..., self.capacity - stop :]
        if self.real is None:
            return near
        real = self.real[..., :stop]
        return real if near is None else near + real

    def rotations(self, place: int) -> list[Rotation]:
        """How the layers turn the token at `place`."""
        return [turn.at(place) for turn in self.turns]
