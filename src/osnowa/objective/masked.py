"""Dynamic masking: which tokens are hidden, what stands in their place, what should come out (Devlin et al. 2019, 3.1)."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from osnowa.data.batch import Rows
from osnowa.data.order import below, draw, draw_rows, halves
from osnowa.errors import SettingsError
from osnowa.settings import Settings

I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]
_LARGEST = np.uint32(0xFFFFFFFF)  # for what can't be hidden


class MaskingConfig(Settings):
    """How tokens are hidden. The shares of the three replacements add up with the rest left unchanged."""

    share: float = Field(default=0.15, description="share of the tokens that are not special", gt=0, le=0.9)
    mask_share: float = Field(default=0.8, description="of these, replaced by [MASK]", ge=0, le=1)
    random_share: float = Field(default=0.1, description="of these, replaced by a random token", ge=0, le=1)
    whole_words: bool = Field(default=False, description="hide all pieces of a word together")

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.mask_share + self.random_share > 1 + 1e-9:
            raise SettingsError(
                f"objective.random_share = {self.random_share:g}",
                f"and mask_share = {self.mask_share:g} are more than 1 together",
                f"use at most {1 - self.mask_share:g}",
            )
        return self


def choose(
    rows: Rows, config: MaskingConfig, seed: int, continues_word: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], I64]:
    """Which tokens are hidden [rows, row_length], and the place whose random numbers decide each one's replacement.

    In each row exactly round(share x tokens that are not special) are hidden, one at least; whole words: so many on
    average, since a word that would be one too many is hidden as often as its share fits, and one word at least.
    A row's choice depends on (seed, epoch, row number) alone.
    """
    length = rows.tokens.shape[1]
    halves = draw_rows(seed, "mask choice", rows.epochs, rows.numbers, -(-length // 2)).astype("<u8", copy=False)
    keys = halves.view("<u4")[:, :length]
    ordinary = length - rows.special.view(np.uint8).sum(axis=1, dtype=np.int64)
    wanted = _wanted(ordinary, config.share)
    if config.whole_words:
        return _choose_words(rows, keys, wanted, seed, continues_word)
    return smallest(keys, rows.special, wanted), np.broadcast_to(np.arange(length), keys.shape)


def smallest(keys: U32, never: NDArray[np.bool_], wanted: I64) -> NDArray[np.bool_]:
    """In each row the places of the `wanted` smallest keys that may be chosen; of two alike the first is the smaller.

    The keys that are `never` chosen are overwritten.
    """
    out = np.divmod(np.flatnonzero(never), never.shape[1])  # few places: masks take ten times as long to write through
    keys[out] = _LARGEST
    rising = np.sort(keys, axis=1)  # a partition for each count takes longer
    limit = rising[np.arange(len(keys)), wanted - 1][:, None]
    chosen = keys <= limit
    chosen[out] = False
    if np.count_nonzero(chosen) > wanted.sum():  # once in millions of rows
        for row in np.flatnonzero(np.count_nonzero(chosen, axis=1) > wanted):
            alike = np.flatnonzero(chosen[row] & (keys[row] == limit[row]))
            chosen[row, alike[wanted[row] - np.count_nonzero(chosen[row]) :]] = False
    return chosen


def _choose_words(
    rows: Rows, keys: U32, wanted: I64, seed: int, continues_word: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], I64]:
    """The same by words: in each row words in random order, until there are `wanted` tokens."""
    num_rows, length = rows.tokens.shape
    column, row_begin = np.arange(length), np.arange(num_rows)[:, None] * length
    ordinary = ~rows.special
    starts = ordinary & ~continues_word[rows.tokens]
    starts[:, 1:] |= ordinary[:, 1:] & rows.special[:, :-1]  # what goes on from another span is a word here
    leader = np.maximum.accumulate(np.where(starts, column, 0), axis=1)
    word = row_begin + leader
    size = np.bincount(word[ordinary], minlength=word.size)  # at the place of each word's first token

    keys[~starts] = _LARGEST
    order = row_begin + np.argsort(keys, axis=1, kind="stable")
    pieces = size[order]
    before = np.cumsum(pieces, axis=1) - pieces
    chance = draw(seed, "mask last word", rows.epochs, rows.numbers)[0][:, None] / 2.0**32
    chosen = np.zeros(word.size, dtype=bool)
    chosen[order.ravel()] = (((wanted[:, None] - before) > chance * pieces) | (before == 0)).ravel()
    return chosen[word] & ordinary, leader


def replace(
    rows: Rows,
    selected: I64,
    leader: I64,
    config: MaskingConfig,
    seed: int,
    *,
    mask: int,
    ordinary: I64,
) -> I64:
    """The tokens that the model is shown: of those at the flat places `selected` 80 % are [MASK], 10 % a random
    `ordinary` one, 10 % unchanged."""
    num_rows, length = rows.tokens.shape
    counts = np.diff(np.searchsorted(selected, np.arange(num_rows + 1) * length))
    most = length if config.whole_words else int(_wanted(length, config.share))
    assert counts.max(initial=0) <= most, f"{counts.max()} hidden in a row of {length}"
    # The n-th hidden token of a row has the row's n-th number: half of it says what happens, the other half which token.
    numbers = draw_rows(seed, "mask replacement", rows.epochs, rows.numbers, most)
    mode, pick = halves(numbers[np.arange(most) < counts[:, None]])
    if config.whole_words:  # all pieces of a word as its first one
        first = selected - selected % length + leader.ravel()[selected]
        mode = mode[np.searchsorted(selected, first)]
    masked, random = (round(share * 2**32) for share in (config.mask_share, config.mask_share + config.random_share))
    shown = np.positive(rows.tokens)  # a copy; memcpy (`rep movsb`) takes 13 times as long on Zen 3, where pages match
    flat, drawn = shown.ravel(), np.flatnonzero((mode >= masked) & (mode < random))
    flat[selected[mode < masked]] = mask
    flat[selected[drawn]] = ordinary[below(pick[drawn], len(ordinary))]
    return shown


def _wanted(ordinary: I64 | int, share: float) -> I64:
    """How many of so many tokens are hidden."""
    return np.minimum(ordinary, np.maximum(1, np.rint(np.asarray(ordinary) * share))).astype(np.int64)
