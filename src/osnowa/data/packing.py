"""Short samples side by side in a row, so that little of it is padding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
_SHORTEST = 3  # [CLS] x [SEP]


def pack(lengths: I64, row_length: int, tie: NDArray[np.uint64]) -> tuple[I64, I64]:
    """Best-fit decreasing: samples into as few rows as it finds; returns members and where each row starts.

    `tie` orders samples of equal length: which of them share a row is chance.
    """
    assert len(lengths) == 0 or int(lengths.max()) <= row_length, (int(lengths.max()), row_length)
    order = np.lexsort((tie, -lengths))
    row_of = np.empty(len(lengths), dtype=np.int64)
    row_of[order], num_rows = _rows_of(lengths[order].tolist(), row_length)
    members = np.argsort(row_of, kind="stable")
    return members, np.searchsorted(row_of[members], np.arange(num_rows + 1))


def _rows_of(lengths: list[int], row_length: int) -> tuple[list[int], int]:
    """The row of each of the falling `lengths`, and how many rows there are."""
    open_rows: list[list[int]] = [[] for _ in range(row_length + 1)]  # by room left
    rooms = 0  # bit r is set while a row with room r is open
    rows: list[int] = []
    num_rows = 0
    for length in lengths:
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            row = open_rows[room].pop()
            if not open_rows[room]:
                rooms &= ~(1 << room)
        else:
            room, row, num_rows = row_length, num_rows, num_rows + 1
        rows.append(row)
        if room - length >= _SHORTEST:
            open_rows[room - length].append(row)
            rooms |= 1 << (room - length)
    return rows, num_rows
