"""What an epoch shows: spans or pairs of sentences, packed into rows, the rows in random order.

Every token of the corpus is in exactly one span of an epoch. All choices come from `order`, so a plan is a pure
function of (seed, epoch, block) and the token store.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from osnowa.data.blocks import Blocks
from osnowa.data.order import draw, permutation
from osnowa.data.packing import pack
from osnowa.data.pairs import orders, pairs
from osnowa.data.samples import (
    IS_NEXT,
    NOT_ASKED,
    NOT_NEXT,
    SPECIALS,
    Room,
    Samples,
    Shape,
    couples_of,
    singles,
)
from osnowa.data.spans import cut
from osnowa.data.store import TokenSplit

__all__ = [
    "IS_NEXT",
    "NOT_ASKED",
    "NOT_NEXT",
    "SPECIALS",
    "Accounting",
    "Plan",
    "Room",
    "Samples",
    "Shape",
    "make_plan",
]

I64 = NDArray[np.int64]
SHORTEST_ROW = 8
BLOCK_SHIFT = 32  # a row's number in its epoch: block << BLOCK_SHIFT | row in the block


@dataclass(frozen=True)
class Accounting:
    """Where the places of all rows go: those filled with text or special tokens, and padding.

    trained + special + padded = rows x row_length where each token is shown once, as in rows of [CLS] A [SEP].
    """

    rows: int
    trained: int  # tokens of the corpus
    special: int  # places filled with anything else: [CLS], [SEP], and the marks of what is hidden
    padded: int
    is_next: int  # pairs by what is asked
    not_next: int
    not_asked: int  # pairs and single spans without a question

    def __add__(self, other: Accounting) -> Accounting:
        return Accounting(*map(sum, zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Plan:
    """The rows of one block of an epoch, in their order: row r shows samples `rows[r] .. rows[r + 1]`."""

    samples: Samples
    rows: I64
    row_length: int
    room: Room | None = None
    epoch: int = 0

    def __len__(self) -> int:
        return len(self.rows) - 1

    def accounting(self) -> Accounting:
        """Every place of every row, counted."""
        trained = int(self.samples.a_length.sum() + self.samples.b_length.sum())
        filled = int((self.samples.length if self.room is None else self.room.filled(self.samples, self.epoch)).sum())
        places = len(self) * (self.row_length if self.room is None else self.room.places)
        asked = [int((self.samples.label == label).sum()) for label in (IS_NEXT, NOT_NEXT, NOT_ASKED)]
        return Accounting(len(self), trained, filled - trained, places - filled, *asked)


def make_plan(
    split: TokenSplit,
    shape: Shape,
    row_length: int,
    seed: int,
    epoch: int,
    block: int = 0,
    *,
    blocks: Blocks | None = None,
    room: Room | None = None,
) -> Plan:
    """The plan of one block of an epoch; a corpus of up to BLOCK_TOKENS is one block.

    `room`: what a row holds, where that is not [CLS] A [SEP] or [CLS] A [SEP] B [SEP].
    """
    budget = row_length - SPECIALS[shape] if room is None else room.budget
    assert row_length >= SHORTEST_ROW, f"a row of {row_length} can't be parted"
    runs = (blocks or Blocks(split)).runs(seed, epoch, block)
    first = block << BLOCK_SHIFT
    if shape == "couple":
        samples = couples_of(split, runs, budget)
    else:
        spans = cut(split.sentences, runs, budget, seed, epoch)
        makers = {"pair": pairs, "order": orders}
        make = makers.get(shape)
        samples = singles(spans) if make is None else make(split.sentences, spans, budget, seed, epoch, first)
    tie = draw(seed, "packing", epoch, first + np.arange(len(samples)))[0]
    members, rows = pack(samples.length if room is None else room.cost(samples, epoch), row_length, tie)
    order = permutation(len(rows) - 1, seed, "row order", epoch, first)
    counts = np.diff(rows)[order]
    return Plan(samples.take(members[ranges(rows[:-1][order], counts)]), offsets(counts), row_length, room, epoch)


def ranges(starts: I64, counts: I64) -> I64:
    """start .. start + count - 1 for each, end to end."""
    return np.repeat(starts - offsets(counts)[:-1], counts) + np.arange(int(counts.sum()))


def offsets(counts: I64) -> I64:
    """0 and the running sum: where each of several runs begins, and where the last ends."""
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts)))
