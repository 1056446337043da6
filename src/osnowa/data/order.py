"""Randomness as a pure function: a counter-based generator, so that nothing has to be remembered or replayed.

A number depends on (seed, purpose, epoch, index, lane) alone. Batch size, workers, restarts and earlier draws can't
move it. The generator is Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

U32 = NDArray[np.uint32]
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def philox(counter: tuple[NDArray[np.uint64], ...], key: tuple[int, int]) -> tuple[NDArray[np.uint64], ...]:
    """Four 32-bit numbers (held in uint64) for each 4 x 32-bit counter; the four counters broadcast together."""
    c0, c1, c2, c3 = np.broadcast_arrays(*counter)
    k0, k1 = key
    for _ in range(_ROUNDS):
        left, right = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            (right >> _HALF) ^ c1 ^ np.uint64(k0),
            right & _LOW,
            (left >> _HALF) ^ c3 ^ np.uint64(k1),
            left & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return c0, c1, c2, c3


def key_of(seed: int, purpose: str) -> tuple[int, int]:
    """The 64-bit key of one use of randomness: different purposes share nothing."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")


def draw(
    seed: int, purpose: str, epoch: int, index: NDArray[np.int64] | int, lane: NDArray[np.int64] | int = 0
) -> tuple[NDArray[np.uint64], ...]:
    """Four independent 32-bit numbers at each (index, lane) of an epoch; index may use 64 bits."""
    where = np.asarray(index, dtype=np.uint64)
    counter = (
        np.asarray(lane, dtype=np.uint64) & _LOW,
        where & _LOW,
        where >> _HALF,
        np.asarray(epoch & 0xFFFFFFFF, dtype=np.uint64),
    )
    return philox(counter, key_of(seed, purpose))


def below(numbers: NDArray[np.uint64], bound: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """32-bit numbers scaled to 0 .. bound-1 (multiply and shift; the bias is under bound / 2^32)."""
    return ((numbers * np.asarray(bound, dtype=np.uint64)) >> _HALF).astype(np.int64)


def permutation(size: int, seed: int, purpose: str, epoch: int) -> NDArray[np.int64]:
    """A shuffled 0 .. size-1."""
    first, second, _, _ = draw(seed, purpose, epoch, np.arange(size))
    return np.argsort((first << _HALF) | second, kind="stable")
