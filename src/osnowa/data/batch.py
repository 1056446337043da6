"""A mini-batch as a type, and the sequence of rows that it is cut from."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from osnowa.data.blocks import BLOCK_TOKENS, Blocks
from osnowa.data.plan import BLOCK_SHIFT, NOT_ASKED, Plan, Shape, make_plan, offsets, ranges
from osnowa.data.store import TokenSplit
from osnowa.errors import DataError

I64 = NDArray[np.int64]
_PLANS_KEPT = 2  # the one that ends and the one that begins


@dataclass(frozen=True)
class Rows:
    """Rows before masking. Padding has token `pad`, document 0; positions start at 0 in each document of a row."""

    tokens: I64  # [rows, row_length]
    positions: I64
    document_ids: I64
    segments: I64
    special: NDArray[np.bool_]  # [CLS], [SEP] and padding: never hidden, never asked
    first: I64  # flat places of the [CLS] tokens of pairs with a label
    is_next: I64  # their labels: 0 next, 1 not
    numbers: I64  # [rows] the row's number in its epoch
    epochs: I64  # [rows]

    @property
    def num_tokens(self) -> int:
        """Tokens that are not padding."""
        return int((self.document_ids > 0).sum())


@dataclass(frozen=True)
class Place:
    """A place in the endless sequence of rows: the next row to show, in which block of which epoch."""

    epoch: int = 0
    row: int = 0
    block: int = 0


class RowSequence:
    """All epochs of a split end to end; any row is computed from its place alone."""

    def __init__(
        self,
        split: TokenSplit,
        shape: Shape,
        row_length: int,
        seed: int,
        *,
        cls: int,
        sep: int,
        pad: int,
        block_tokens: int = BLOCK_TOKENS,
    ) -> None:
        self.split, self.shape, self.row_length, self.seed = split, shape, row_length, seed
        self.cls, self.sep, self.pad = cls, sep, pad
        self.blocks = Blocks(split, block_tokens)
        self._plans: OrderedDict[tuple[int, int], Plan] = OrderedDict()

    def plan(self, epoch: int, block: int = 0) -> Plan:
        """The plan of a block of an epoch; the last two used are kept."""
        key = epoch, block
        if key not in self._plans:
            while len(self._plans) >= _PLANS_KEPT:
                self._plans.popitem(last=False)
            self._plans[key] = make_plan(
                self.split, self.shape, self.row_length, self.seed, epoch, block, blocks=self.blocks
            )
        self._plans.move_to_end(key)
        return self._plans[key]

    def progress(self, place: Place) -> float:
        """Epochs shown before `place`; inside an epoch, blocks count alike."""
        share = place.row / max(1, len(self.plan(place.epoch, place.block)))
        return place.epoch + (place.block + share) / len(self.blocks)

    def advance(self, place: Place, num_rows: int) -> tuple[list[tuple[int, I64]], Place]:
        """The next `num_rows` rows as (epoch, row numbers) runs inside a block, and the place after them.

        Raises:
            DataError: the split is empty.
        """
        if not self.split.num_tokens:
            raise DataError("the corpus", "holds no tokens to make rows of", "give more text")
        runs: list[tuple[int, I64]] = []
        epoch, row, block = place.epoch, place.row, place.block
        while num_rows:
            size = len(self.plan(epoch, block))
            take = min(num_rows, size - row)
            if take:
                runs.append((epoch, (block << BLOCK_SHIFT) + np.arange(row, row + take)))
            row, num_rows = row + take, num_rows - take
            if row == size:
                row, block = 0, block + 1
            if block == len(self.blocks):
                epoch, block = epoch + 1, 0
        return runs, Place(epoch, row, block)

    def take(self, place: Place, num_rows: int) -> tuple[Rows, Place]:
        """The next `num_rows` rows and the place after them.

        Raises:
            DataError: the split is empty.
        """
        assert num_rows > 0, num_rows
        runs, after = self.advance(place, num_rows)
        parts = [self.rows(epoch, numbers) for epoch, numbers in runs]
        if len(parts) == 1:
            return parts[0], after
        shift = np.cumsum([0] + [part.tokens.size for part in parts])[:-1]
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS}
        joined["first"] = np.concatenate([part.first + by for part, by in zip(parts, shift, strict=True)])
        return Rows(**joined), after

    def rows(self, epoch: int, numbers: I64) -> Rows:
        """Rows `numbers` of an epoch, all of one block."""
        block = int(numbers[0]) >> BLOCK_SHIFT if len(numbers) else 0
        plan, length = self.plan(epoch, block), self.row_length
        row = numbers - (block << BLOCK_SHIFT)
        counts = plan.rows[row + 1] - plan.rows[row]
        shown = plan.samples.take(ranges(plan.rows[row], counts))
        size, has_b = shown.length, shown.b_length > 0
        ends = np.cumsum(size)
        filled = np.diff(ends[np.cumsum(counts) - 1], prepend=0)  # of each row
        owner = np.repeat(np.arange(len(row)), counts)
        begin = ends - size + (owner * length - offsets(filled)[owner])  # flat place of each sample's [CLS]
        b_begin = begin + 2 + shown.a_length

        # Each row is a chain of runs: for each sample [CLS] A [SEP] and, maybe, B [SEP]; at its end the padding.
        at = 2 * np.arange(len(size)) + owner  # each row before has one run more, its padding
        last = 2 * np.cumsum(counts) + np.arange(len(row))

        def spread(a_part: I64 | int, b_part: I64 | int, padding: I64 | int) -> I64:
            runs = np.empty(2 * len(size) + len(row), dtype=np.int64)
            runs[at], runs[at + 1], runs[last] = a_part, b_part, padding
            return runs

        lengths = spread(shown.a_length + 2, np.where(has_b, shown.b_length + 1, 0), length - filled)
        number_in_row = np.arange(len(size)) - offsets(counts)[owner] + 1
        documents = np.repeat(spread(number_in_row, number_in_row, 0), lengths)
        segments = np.repeat(spread(0, 1, 0), lengths)
        place = np.arange(len(row) * length)
        real = documents > 0
        positions = (place - np.repeat(spread(begin, begin, 0), lengths)) * real
        source = place + np.repeat(spread(shown.a_start - begin - 1, shown.b_start - b_begin, 0), lengths)
        tokens = self.split.tokens.take(source, mode="clip").astype(np.int64)
        special = ~real
        for where, token in ((begin, self.cls), (b_begin - 1, self.sep), ((begin + size - 1)[has_b], self.sep)):
            tokens[where] = token
            special[where] = True
        tokens[~real] = self.pad
        asked = shown.label != NOT_ASKED
        shape = (len(row), length)
        return Rows(
            tokens.reshape(shape),
            positions.reshape(shape),
            documents.reshape(shape),
            segments.reshape(shape),
            special.reshape(shape),
            first=begin[asked],
            is_next=shown.label[asked],
            numbers=numbers,
            epochs=np.full(len(numbers), epoch),
        )


_FIELDS = tuple(field.name for field in fields(Rows))
