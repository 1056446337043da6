"""Randomness as a pure function: a counter-based generator, so that nothing has to be remembered or replayed.

A number depends on (seed, purpose, epoch, index, lane) alone. Batch size, workers, restarts and earlier draws can't
move it. The generator is Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), and where
rows want their numbers side by side NumPy's Philox4x64-10, six times as fast, whose numbers NumPy promises to keep.
"""

from __future__ import annotations

import functools
import hashlib
import itertools

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
_LOW = np.array(0xFFFFFFFF, dtype=np.uint64)
_HALF = np.array(32, dtype=np.uint64)
_MULTIPLIERS = np.array([[0xD2511F53], [0xCD9E8D57]], dtype=np.uint64)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_NUMBERS = 4  # of 64 bits, that one counter gives NumPy
_AT_ONCE = 1 << 13  # counters that stay in a core's cache together: a million take 0.04 s instead of 0.18 s


def philox(counter: tuple[U64, ...], key: tuple[int, int]) -> tuple[U64, ...]:
    """Four 32-bit numbers (held in uint64) for each 4 x 32-bit counter; the four counters broadcast together."""
    shape = np.broadcast(*counter).shape
    numbers = np.empty((2, 2, *shape), dtype=np.uint64)  # words 0 and 2, which are multiplied, then 1 and 3
    for word, part in enumerate(counter):
        numbers[word % 2, word // 2] = part
    flat = numbers.reshape(2, 2, -1)
    for start in range(0, flat.shape[2], _AT_ONCE):
        _rounds(flat[..., start : start + _AT_ONCE], _round_keys(key))
    return tuple(numbers[word % 2, word // 2, ...] for word in range(4))


def _rounds(numbers: U64, keys: tuple[U64, ...]) -> None:
    """The ten rounds, in place: two words at a time, since small batches wait for the calls; nothing is allocated."""
    multiplied, others = numbers
    product = np.empty_like(multiplied)
    crossed = product[::-1]
    for round_key in keys:
        np.multiply(multiplied, _MULTIPLIERS, out=product)
        np.bitwise_xor(others, round_key, out=others)
        np.right_shift(crossed, _HALF, out=multiplied)
        np.bitwise_xor(multiplied, others, out=multiplied)
        np.bitwise_and(crossed, _LOW, out=others)


@functools.lru_cache(maxsize=256)
def _round_keys(key: tuple[int, int]) -> tuple[U64, ...]:
    words = [
        [(start + turn * step) & 0xFFFFFFFF for start, step in zip(key, _WEYL, strict=True)] for turn in range(_ROUNDS)
    ]
    return tuple(np.array(pair, dtype=np.uint64)[:, None] for pair in words)


@functools.lru_cache(maxsize=256)
def key_of(seed: int, purpose: str) -> tuple[int, int]:
    """The 64-bit key of one use of randomness: different purposes share nothing."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")


def draw(seed: int, purpose: str, epoch: I64 | int, index: I64 | int, lane: I64 | int = 0) -> tuple[U64, ...]:
    """Four independent 32-bit numbers at each (epoch, index, lane), which broadcast; index may use 64 bits, lane 32."""
    where = np.asarray(index).astype(np.uint64)
    high, low = halves(where)
    counter = (np.asarray(lane).astype(np.uint64) & _LOW, low, high, np.asarray(epoch).astype(np.uint64) & _LOW)
    return philox(tuple(map(np.asarray, counter)), key_of(seed, purpose))


def draw_rows(seed: int, purpose: str, epochs: I64, numbers: I64, width: int) -> U64:
    """[rows, width] independent 64-bit numbers for rows `numbers` of `epochs`; rows that follow each other cost least.

    They depend on (seed, purpose, epoch, number, width) alone.
    """
    if not len(numbers):
        return np.empty((0, width), dtype=np.uint64)
    counters, (low, high) = -(-width // _NUMBERS), key_of(seed, purpose)  # a row begins at a counter of its own
    breaks = np.flatnonzero((numbers[1:] - numbers[:-1] != 1) | (epochs[1:] != epochs[:-1])) + 1
    found = []
    for start, stop in itertools.pairwise([0, *breaks.tolist(), len(numbers)]):
        counter = (int(epochs[start]) % 2**32 << 128) + int(numbers[start]) * counters
        generator = np.random.Philox(key=high << 32 | low, counter=(counter - 1) % 2**256)  # it counts before it draws
        found.append(generator.random_raw((stop - start) * counters * _NUMBERS).reshape(stop - start, -1))
    return (found[0] if len(found) == 1 else np.concatenate(found))[:, :width]


def halves(numbers: U64) -> tuple[U64, U64]:
    """The high and the low 32 bits of 64-bit numbers."""
    return numbers >> _HALF, numbers & _LOW


def below(numbers: U64, bound: I64 | int) -> I64:
    """32-bit numbers scaled to 0 .. bound-1 (multiply and shift; the bias is under bound / 2^32)."""
    return np.asarray((numbers * np.asarray(bound).astype(np.uint64)) >> _HALF).astype(np.int64)


def permutation(size: int, seed: int, purpose: str, epoch: int, first: int = 0) -> I64:
    """A shuffled 0 .. size-1; `first` is the index of its first draw, so that several don't share any."""
    high, low, _, _ = draw(seed, purpose, epoch, first + np.arange(size))
    return np.argsort((high << _HALF) | low, kind="stable")
