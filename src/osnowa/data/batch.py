"""The endless sequence of rows that mini-batches are cut from; any row is computed from its place alone."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from osnowa.data.blocks import BLOCK_TOKENS, Blocks
from osnowa.data.plan import BLOCK_SHIFT, Accounting, Plan, Room, Shape, make_plan, ranges
from osnowa.data.rows import Rows, Specials, write_rows
from osnowa.data.store import TokenSplit
from osnowa.errors import DataError

__all__ = ["Place", "RowSequence", "Rows"]

I64 = NDArray[np.int64]
_PLANS_KEPT = 2  # the one that ends and the one that begins


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
        room: Room | None = None,
    ) -> None:
        self.split, self.shape, self.row_length, self.seed, self.room = split, shape, row_length, seed, room
        self.specials = Specials(cls, sep, pad)
        self.blocks = Blocks(split, block_tokens)
        self._plans: OrderedDict[tuple[int, int], Plan] = OrderedDict()
        self._planning = Lock()  # rows may be drawn in another thread than the one that asks for the progress

    @property
    def places(self) -> int:
        """Places of one row and of those beside it."""
        return self.row_length if self.room is None else self.room.places

    def plan(self, epoch: int, block: int = 0) -> Plan:
        """The plan of a block of an epoch; the last two used are kept."""
        key = epoch, block
        with self._planning:
            if key not in self._plans:
                while len(self._plans) >= _PLANS_KEPT:
                    self._plans.popitem(last=False)
                self._plans[key] = make_plan(
                    self.split, self.shape, self.row_length, self.seed, epoch, block, blocks=self.blocks, room=self.room
                )
            self._plans.move_to_end(key)
            return self._plans[key]

    def progress(self, place: Place) -> float:
        """Epochs shown before `place`; inside an epoch, blocks count alike."""
        share = place.row / max(1, len(self.plan(place.epoch, place.block)))
        return place.epoch + (place.block + share) / len(self.blocks)

    def accounting(self, epoch: int = 0) -> Accounting:
        """Every place of every row of an epoch, counted; plans all of its blocks (3 s for each 64 million tokens)."""
        first, *others = (self.plan(epoch, block).accounting() for block in range(len(self.blocks)))
        return sum(others, start=first)

    def advance(self, place: Place, num_rows: int) -> tuple[list[tuple[int, range]], Place]:
        """The next `num_rows` rows as (epoch, row numbers) runs inside a block, and the place after them.

        Raises:
            DataError: the split is empty.
        """
        if not self.split.num_tokens:
            raise DataError("the corpus", "holds no tokens to make rows of", "give more text")
        runs: list[tuple[int, range]] = []
        epoch, row, block = place.epoch, place.row, place.block
        while num_rows:
            size = len(self.plan(epoch, block))
            assert row < size, f"row {row} of {size} in block {block} of epoch {epoch}: a place of another corpus"
            take = min(num_rows, size - row)
            begin = (block << BLOCK_SHIFT) + row
            runs.append((epoch, range(begin, begin + take)))
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
        return Rows.join([self.rows(epoch, np.arange(run.start, run.stop)) for epoch, run in runs]), after

    def rows(self, epoch: int, numbers: I64) -> Rows:
        """Rows `numbers` of an epoch, all of one block: block << BLOCK_SHIFT | row in the block."""
        block = int(numbers[0]) >> BLOCK_SHIFT if len(numbers) else 0
        plan, row = self.plan(epoch, block), numbers - (block << BLOCK_SHIFT)
        counts = plan.rows[row + 1] - plan.rows[row]
        shown = plan.samples.take(ranges(plan.rows[row], counts))
        length = self.row_length
        if self.room is not None:  # the rows only carry samples to the objective: as long as the longest of them
            length = longest(shown.length, counts)
        return write_rows(self.split, shown, counts, length, self.specials, numbers, epoch)


def longest(lengths: I64, counts: I64) -> int:
    """Places of the row that needs most; row r holds the next counts[r] samples."""
    filled = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths)))[np.cumsum(counts)]
    return int(np.diff(filled, prepend=0).max(initial=0))
