"""Attention as pictures: one byte for each weight, its square root, so that small weights are seen too."""

from __future__ import annotations

import numpy as np

from osnowa.explain.step import Array


def encode(weights: Array) -> Array:
    """Weights from 0 to 1 as bytes: (byte / 255) squared is the weight, to a quarter of a hundredth."""
    return np.rint(np.sqrt(np.clip(weights, 0, 1)) * 255).astype(np.uint8)


def pool(picture: Array, size: int) -> Array:
    """`picture` [head, query, key] with at most `size` rows and columns: of those that fall together the brightest."""
    for axis in (1, 2):
        length = picture.shape[axis]
        if length > size:
            borders = (np.arange(size) * length) // size
            picture = np.maximum.reduceat(picture, borders, axis=axis)
    return picture
