"""Dynamic masking: which tokens are hidden, what stands in their place, and what should come out (Devlin et al. 2019, 3.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from osnowa.data.batch import Rows
from osnowa.data.order import below, draw
from osnowa.settings import Settings

I64 = NDArray[np.int64]


class MaskingConfig(Settings):
    """How tokens are hidden. The shares of the three replacements add up with the rest left unchanged."""

    share: float = Field(default=0.15, description="share of the tokens that are not special", gt=0, le=0.9)
    mask_share: float = Field(default=0.8, description="of these, replaced by [MASK]", ge=0, le=1)
    random_share: float = Field(default=0.1, description="of these, replaced by a random token", ge=0, le=1)
    whole_words: bool = Field(default=False, description="hide all pieces of a word together")


def choose(
    rows: Rows, config: MaskingConfig, seed: int, continues_word: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], I64]:
    """Which tokens are hidden [rows, row_length], and the place whose random numbers decide each one's replacement.

    In each row exactly round(share x tokens that are not special) are hidden, one at least (whole words: as many as
    fit). A row's choice depends on (seed, epoch, row number) alone.
    """
    num_rows, length = rows.tokens.shape
    column = np.arange(length)
    keys = np.empty(rows.tokens.shape, dtype=np.uint64)
    for epoch in np.unique(rows.epochs):
        here = rows.epochs == epoch
        keys[here] = draw(seed, "mask choice", int(epoch), rows.numbers[here][:, None], column)[0]
    leader = np.broadcast_to(column, rows.tokens.shape)
    if config.whole_words:
        starts = ~continues_word[rows.tokens] | rows.special | (rows.positions == 0)
        starts |= np.concatenate((np.ones((num_rows, 1), bool), rows.special[:, :-1]), axis=1)
        leader = np.maximum.accumulate(np.where(starts, column, 0), axis=1)
        keys = np.take_along_axis(keys, leader, axis=1)
    # one sortable number: the key, then the place (ties and words stay together); special tokens last
    order_key = (keys << np.uint64(20)) | leader.astype(np.uint64)
    order_key[rows.special] = np.iinfo(np.uint64).max
    rank = np.argsort(np.argsort(order_key, axis=1, kind="stable"), axis=1, kind="stable")
    wanted = np.maximum(1, np.rint((~rows.special).sum(1) * config.share)).astype(np.int64)[:, None]
    hidden = (rank < wanted) & ~rows.special
    if config.whole_words:
        last = np.zeros_like(rank)
        np.maximum.at(last, (np.arange(num_rows)[:, None], leader), rank)
        first_word = np.take_along_axis(rank, leader, axis=1) == 0
        hidden = ((np.take_along_axis(last, leader, axis=1) < wanted) | first_word) & ~rows.special
    return hidden, leader


def replace(
    rows: Rows,
    hidden: NDArray[np.bool_],
    leader: I64,
    config: MaskingConfig,
    seed: int,
    *,
    mask: int,
    ordinary: I64,
) -> I64:
    """The tokens that the model is shown: of the hidden ones 80 % [MASK], 10 % a random ordinary token, 10 % as they are."""
    shown = rows.tokens.copy()
    place = np.flatnonzero(hidden.ravel())
    row, column = np.divmod(place, hidden.shape[1])
    for epoch in np.unique(rows.epochs):
        here = rows.epochs[row] == epoch
        r, c = row[here], column[here]
        mode, _, _, _ = draw(seed, "mask mode", int(epoch), rows.numbers[r], leader[r, c])
        _, pick, _, _ = draw(seed, "mask token", int(epoch), rows.numbers[r], c)
        chance = mode / 2.0**32
        current = rows.tokens[r, c]
        random = ordinary[below(pick, len(ordinary))]
        keep = np.where(chance < config.mask_share + config.random_share, random, current)
        shown[r, c] = np.where(chance < config.mask_share, mask, keep)
    return shown
