"""Short samples side by side in a row, so that little of it is padding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]


def pack(lengths: I64, row_length: int, tie: NDArray[np.uint64]) -> tuple[I64, I64]:
    """Best-fit decreasing: samples into as few rows as it finds; returns members and where each row starts.

    `tie` orders samples of equal length: which of them share a row is chance.
    """
    assert len(lengths) == 0 or int(lengths.max()) <= row_length, (int(lengths.max()), row_length)
    order = np.lexsort((tie, -lengths))
    row_of = np.empty(len(lengths), dtype=np.int64)
    row_of[order], num_rows = _rows_of(lengths[order], row_length)
    members = np.argsort(row_of, kind="stable")
    return members, np.searchsorted(row_of[members], np.arange(num_rows + 1))


def _rows_of(lengths: I64, row_length: int) -> tuple[I64, int]:
    """The row of each of the falling `lengths`, and how many rows there are."""
    if not len(lengths):
        return np.zeros(0, dtype=np.int64), 0
    shortest = int(lengths[-1])  # a row with less room than that is full
    open_rows: list[list[int]] = [[] for _ in range(row_length + 1)]  # by room left
    rooms = 0  # bit r is set while a row with room r is open
    num_rows = int(np.searchsorted(-lengths, -(row_length // 2)))  # what fills more than half of a row opens one
    first = int(np.searchsorted(-lengths[:num_rows], -(row_length - shortest)))
    for row, room in enumerate((row_length - lengths[first:num_rows]).tolist(), first):
        open_rows[room].append(row)
        rooms |= 1 << room
    rows = list(range(num_rows))
    for length in lengths[num_rows:].tolist():
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            row = open_rows[room].pop()
            if not open_rows[room]:
                rooms &= ~(1 << room)
        else:
            room, row, num_rows = row_length, num_rows, num_rows + 1
        rows.append(row)
        if room - length >= shortest:
            open_rows[room - length].append(row)
            rooms |= 1 << (room - length)
    return np.array(rows, dtype=np.int64), num_rows
