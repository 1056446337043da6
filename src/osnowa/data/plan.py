"""What an epoch shows: spans of sentences, true and random pairs of them, packed into rows of fixed length.

Every token of the corpus is in exactly one span of an epoch. All choices come from `order`, so a plan is a pure
function of (seed, epoch) and the token store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from osnowa.data.order import below, draw, permutation
from osnowa.data.store import TokenSplit

I64 = NDArray[np.int64]
NOT_ASKED, IS_NEXT, NOT_NEXT = -100, 0, 1
_EXACT_ROUNDS, _NEAR_ROUNDS = 6, 4

Shape = Literal["single", "pair"]
SPECIALS = {"single": 2, "pair": 3}  # [CLS] A [SEP], [CLS] A [SEP] B [SEP]


@dataclass(frozen=True)
class Units:
    """Sentences, the long ones cut: `offsets[i] .. offsets[i + 1]` are the tokens of unit i; `documents` cuts units."""

    offsets: I64
    documents: I64

    @classmethod
    def of(cls, split: TokenSplit, longest: int) -> Units:
        """Units of at most `longest` tokens."""
        starts = np.asarray(split.sentences[:-1])
        lengths = np.diff(split.sentences)
        pieces = np.maximum(1, -(-lengths // longest))
        before = np.concatenate(([0], np.cumsum(pieces)))
        within = np.arange(before[-1]) - np.repeat(before[:-1], pieces)
        offsets = np.repeat(starts, pieces) + within * longest
        return cls(np.append(offsets, split.sentences[-1]), before[split.documents])


@dataclass(frozen=True)
class Samples:
    """What is shown together: tokens A, maybe tokens B (as offsets into the store), and whether B follows A."""

    a_start: I64
    a_length: I64
    b_start: I64
    b_length: I64  # 0: no B
    label: I64  # IS_NEXT, NOT_NEXT, or NOT_ASKED

    def __len__(self) -> int:
        return len(self.a_start)

    @property
    def length(self) -> I64:
        """Tokens with the special ones."""
        return np.asarray(self.a_length + 2 + np.where(self.b_length > 0, self.b_length + 1, 0))


@dataclass(frozen=True)
class Plan:
    """The rows of one epoch, in their order: row r shows samples `members[rows[r] : rows[r + 1]]`."""

    samples: Samples
    members: I64
    rows: I64

    def __len__(self) -> int:
        return len(self.rows) - 1


def make_plan(split: TokenSplit, shape: Shape, row_length: int, seed: int, epoch: int) -> Plan:
    """The plan of one epoch."""
    budget = row_length - SPECIALS[shape]
    # a unit fills at most half a pair, so that every full span can be parted into A and B
    units = Units.of(split, budget // 2 if shape == "pair" else budget)
    first, last, document = spans(units, budget, seed, epoch)
    samples = (
        pairs(units, first, last, document, budget, seed, epoch) if shape == "pair" else singles(units, first, last)
    )
    members, rows = pack(samples.length, row_length)
    order = permutation(len(rows) - 1, seed, "row order", epoch)
    counts = np.diff(rows)[order]
    starts = np.concatenate(([0], np.cumsum(counts)))
    within = np.arange(len(members)) - np.repeat(starts[:-1], counts)
    return Plan(samples, members[np.repeat(rows[:-1][order], counts) + within], starts)


def spans(units: Units, budget: int, seed: int, epoch: int) -> tuple[I64, I64, I64]:
    """Consecutive units of one document, as many as fit `budget` tokens: first unit, last unit + 1, document.

    The first span of each document has a random smaller budget, so that epochs cut at different places.
    """
    cursor, end = units.documents[:-1].copy(), units.documents[1:]
    document = np.flatnonzero(cursor < end)
    offset, _, _, _ = draw(seed, "first span", epoch, document)
    room = budget // 2 + 1 + below(offset, budget - budget // 2)
    found: list[tuple[I64, I64, I64]] = []
    while len(document):
        start = cursor[document]
        limit = units.offsets[start] + room
        stop = np.searchsorted(units.offsets, limit, side="right") - 1
        stop = np.clip(stop, start + 1, end[document])
        found.append((start, stop, document))
        cursor[document] = stop
        document = document[stop < end[document]]
        room = np.full(len(document), budget)
    if not found:
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty, empty
    first, last, owner = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(first, kind="stable")
    return first[order], last[order], owner[order]


def singles(units: Units, first: I64, last: I64) -> Samples:
    """Each span on its own."""
    start = units.offsets[first]
    none = np.zeros(len(first), dtype=np.int64)
    return Samples(start, units.offsets[last] - start, none, none, np.full(len(first), NOT_ASKED))


def pairs(units: Units, first: I64, last: I64, document: I64, budget: int, seed: int, epoch: int) -> Samples:
    """Spans parted into A and B; half keep their true B, half get the B of another document's span.

    The random Bs are a permutation of the true ones, so each token is still shown once, and as far as possible of
    equal length, so that length tells nothing. Where no other document can give a B, nothing is asked.
    """
    index = np.arange(len(first))
    cut_draw, order_draw, tie, _ = draw(seed, "pairs", epoch, index)
    parted = index[last - first >= 2]
    cut = first + 1 + below(cut_draw, np.maximum(last - first - 1, 1))
    cut = np.where(last - first >= 2, cut, last)
    a_start, b_start, stop = units.offsets[first], units.offsets[cut], units.offsets[last]
    a_length, b_length = b_start - a_start, stop - b_start
    label = np.full(len(first), NOT_ASKED)
    shuffled = parted[np.lexsort((tie[parted], order_draw[parted]))]
    negative, positive = shuffled[: len(parted) // 2], shuffled[len(parted) // 2 : 2 * (len(parted) // 2)]
    taker, giver, left_taker, left_giver = exchange(
        negative, document, b_length, budget - a_length, lambda r: draw(seed, f"exchange {r}", epoch, index)[:2]
    )
    label[taker] = NOT_NEXT
    label[positive[: len(taker)]] = IS_NEXT
    source = index.copy()
    source[taker] = giver
    source[left_taker] = -1
    new_b_start = np.where(source >= 0, b_start[source], 0)
    new_b_length = np.where(source >= 0, b_length[source], 0)
    return Samples(
        np.concatenate((a_start, b_start[left_giver])),
        np.concatenate((a_length, b_length[left_giver])),
        np.concatenate((new_b_start, np.zeros(len(left_giver), np.int64))),
        np.concatenate((new_b_length, np.zeros(len(left_giver), np.int64))),
        np.concatenate((label, np.full(len(left_giver), NOT_ASKED))),
    )


def exchange(negative: I64, document: I64, b_length: I64, room: I64, keys) -> tuple[I64, I64, I64, I64]:  # type: ignore[no-untyped-def]
    """Match each negative's A with a B of another document; returns (takers, givers, takers left, givers left).

    First among Bs of exactly the taker's own length, then among near ones that fit.
    """
    takers, givers = negative, negative
    matched_takers, matched_givers = [negative[:0]], [negative[:0]]
    for attempt in range(_EXACT_ROUNDS + _NEAR_ROUNDS):
        if not len(takers):
            break
        taker_key, giver_key = keys(attempt)
        takers = takers[np.lexsort((taker_key[takers], b_length[takers]))]
        givers = givers[np.lexsort((giver_key[givers], b_length[givers]))]
        if attempt >= _EXACT_ROUNDS:
            givers = np.roll(givers, attempt - _EXACT_ROUNDS)
        fits = (document[takers] != document[givers]) & (b_length[givers] <= room[takers])
        if attempt < _EXACT_ROUNDS:
            fits &= b_length[takers] == b_length[givers]
        matched_takers.append(takers[fits])
        matched_givers.append(givers[fits])
        takers, givers = takers[~fits], givers[~fits]
    return np.concatenate(matched_takers), np.concatenate(matched_givers), takers, givers


def pack(lengths: I64, row_length: int) -> tuple[I64, I64]:
    """Best-fit decreasing: samples into as few rows as it finds; returns members and where each row starts."""
    assert len(lengths) == 0 or int(lengths.max()) <= row_length, (int(lengths.max()), row_length)
    row_of = np.empty(len(lengths), dtype=np.int64)
    open_rows: list[list[int]] = [[] for _ in range(row_length + 1)]  # by room left
    rooms = 0  # bit r is set while a row with room r is open
    num_rows = 0
    for sample in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[sample])
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            row = open_rows[room].pop()
            if not open_rows[room]:
                rooms &= ~(1 << room)
        else:
            room, row, num_rows = row_length, num_rows, num_rows + 1
        row_of[sample] = row
        if room - length > 3:  # less room can't hold [CLS] x [SEP] and a token to learn from
            open_rows[room - length].append(row)
            rooms |= 1 << (room - length)
    members = np.argsort(row_of, kind="stable")
    return members, np.searchsorted(row_of[members], np.arange(num_rows + 1))
