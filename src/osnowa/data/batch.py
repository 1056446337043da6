"""A mini-batch as a type, and the sequence of rows that it is cut from."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from osnowa.data.plan import NOT_ASKED, Plan, Shape, make_plan
from osnowa.data.store import TokenSplit

I64 = NDArray[np.int64]


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
    """A place in the endless sequence of rows: the next row to show."""

    epoch: int = 0
    row: int = 0


class RowSequence:
    """All epochs of a split end to end; any row is computed from its place alone."""

    def __init__(
        self, split: TokenSplit, shape: Shape, row_length: int, seed: int, *, cls: int, sep: int, pad: int
    ) -> None:
        self.split, self.shape, self.row_length, self.seed = split, shape, row_length, seed
        self.cls, self.sep, self.pad = cls, sep, pad
        self._plans: OrderedDict[int, Plan] = OrderedDict()

    def plan(self, epoch: int) -> Plan:
        """The plan of an epoch; the last two are kept."""
        if epoch not in self._plans:
            self._plans[epoch] = make_plan(self.split, self.shape, self.row_length, self.seed, epoch)
            while len(self._plans) > 2:
                self._plans.popitem(last=False)
        return self._plans[epoch]

    def advance(self, place: Place, num_rows: int) -> tuple[list[tuple[int, I64]], Place]:
        """The next `num_rows` rows as (epoch, row numbers) runs, and the place after them."""
        runs: list[tuple[int, I64]] = []
        epoch, row = place.epoch, place.row
        while num_rows:
            size = len(self.plan(epoch))
            take = min(num_rows, size - row)
            if take:
                runs.append((epoch, np.arange(row, row + take)))
            row, num_rows = row + take, num_rows - take
            if row == size:
                epoch, row = epoch + 1, 0
        return runs, Place(epoch, row)

    def take(self, place: Place, num_rows: int) -> tuple[Rows, Place]:
        """The next `num_rows` rows and the place after them."""
        runs, after = self.advance(place, num_rows)
        parts = [self.rows(epoch, numbers) for epoch, numbers in runs]
        if len(parts) == 1:
            return parts[0], after
        shift = np.cumsum([0] + [part.tokens.size for part in parts])[:-1]
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS}
        joined["first"] = np.concatenate([part.first + by for part, by in zip(parts, shift, strict=True)])
        return Rows(**joined), after

    def rows(self, epoch: int, numbers: I64) -> Rows:
        """Rows `numbers` of an epoch."""
        plan, length = self.plan(epoch), self.row_length
        counts = plan.rows[numbers + 1] - plan.rows[numbers]
        row = np.repeat(np.arange(len(numbers)), counts)
        within = _count_up(counts)
        member = plan.members[plan.rows[numbers][row] + within]
        samples = plan.samples
        size = samples.length[member]
        begin = _cumulate_by_row(size, counts) + row * length  # flat place of each sample's [CLS]
        a_length, b_length = samples.a_length[member], samples.b_length[member]
        has_b = b_length > 0

        shape = (len(numbers), length)
        tokens = np.full(len(numbers) * length, self.pad, dtype=np.int64)
        special = np.ones(tokens.shape, dtype=np.bool_)
        segments = np.zeros(tokens.shape, dtype=np.int64)
        documents, positions = np.zeros(tokens.shape, dtype=np.int64), np.zeros(tokens.shape, dtype=np.int64)
        tokens[begin] = self.cls
        tokens[begin + 1 + a_length] = self.sep
        tokens[(begin + size - 1)[has_b]] = self.sep
        for start, count, target in (
            (samples.a_start[member], a_length, begin + 1),
            (samples.b_start[member], b_length, begin + 2 + a_length),
        ):
            step = _count_up(count)
            places = np.repeat(target, count) + step
            tokens[places] = self.split.tokens[np.repeat(start, count) + step]
            special[places] = False
        everywhere = np.repeat(begin, size) + _count_up(size)
        positions[everywhere] = _count_up(size)
        documents[everywhere] = np.repeat(within + 1, size)
        second = np.repeat(begin + 2 + a_length, np.where(has_b, b_length + 1, 0))
        segments[second + _count_up(np.where(has_b, b_length + 1, 0))] = 1
        asked = samples.label[member] != NOT_ASKED
        return Rows(
            tokens.reshape(shape),
            positions.reshape(shape),
            documents.reshape(shape),
            segments.reshape(shape),
            special.reshape(shape),
            first=begin[asked],
            is_next=samples.label[member][asked],
            numbers=numbers,
            epochs=np.full(len(numbers), epoch),
        )


_FIELDS = tuple(field.name for field in fields(Rows))


def _count_up(counts: I64) -> I64:
    """0 .. c-1 for each c in `counts`, end to end."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)


def _cumulate_by_row(sizes: I64, counts: I64) -> I64:
    """Sum of the earlier sizes in the same row."""
    before = np.cumsum(sizes) - sizes
    first = np.cumsum(counts) - counts
    return before - np.repeat(before[first], counts) if len(sizes) else before
