"""Rows as a type, and samples written side by side into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from osnowa.data.plan import offsets
from osnowa.data.samples import NOT_ASKED, Samples
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
    open_ends: I64  # flat places of the [SEP] behind a text that goes on in its document
    starts: I64  # [samples] where each sample's tokens A begin in the store, row by row
    numbers: I64  # [rows] the row's number in its epoch
    epochs: I64  # [rows]

    @property
    def num_tokens(self) -> int:
        """Tokens that are not padding."""
        return int((self.document_ids > 0).sum())

    @classmethod
    def join(cls, parts: Sequence[Rows]) -> Rows:
        """One after the other."""
        if len(parts) == 1:
            return parts[0]
        width = max(part.tokens.shape[1] for part in parts)
        parts = [part.widened(width) for part in parts]
        joined = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)}
        shift = np.cumsum([0] + [part.tokens.size for part in parts])
        for name in ("first", "open_ends"):
            joined[name] = np.concatenate([getattr(part, name) + by for part, by in zip(parts, shift, strict=False)])
        return cls(**joined)

    def widened(self, length: int) -> Rows:
        """The same with padding behind, up to `length` places a row; padding is token 0 here, document 0 as ever."""
        old = self.tokens.shape[1]
        if length == old:
            return self
        grown = {
            name: np.pad(getattr(self, name), ((0, 0), (0, length - old)), constant_values=value)
            for name, value in (
                ("tokens", 0),
                ("positions", 0),
                ("document_ids", 0),
                ("segments", 0),
                ("special", True),
            )
        }
        moved = {
            name: getattr(self, name) // old * length + getattr(self, name) % old for name in ("first", "open_ends")
        }
        return replace(self, **grown, **moved)


@dataclass(frozen=True)
class Specials:
    """The tokens that a tokenizer reserves for the shape of a row."""

    cls: int
    sep: int
    pad: int


def write_rows(
    split: TokenSplit,
    shown: Samples,
    counts: I64,
    row_length: int,
    specials: Specials,
    numbers: I64,
    epoch: int,
) -> Rows:
    """Row r with the next `counts[r]` samples, each as [CLS] A [SEP] or [CLS] A [SEP] B [SEP], then padding.

    No row has more samples than fit.
    """
    size = shown.length
    owner = np.repeat(np.arange(len(counts)), counts)
    first, before = offsets(counts), offsets(size)  # the first sample of each row; filled places before each sample
    filled = before[first[1:]] - before[first[:-1]]
    begin = before[:-1] - before[first[owner]] + owner * row_length  # flat place of each sample's [CLS]
    b_begin = begin + shown.a_length + 2
    b_runs = np.where(shown.b_length > 0, shown.b_length + 1, 0)

    # A row is a chain of runs: [CLS] A [SEP] and B [SEP], which may be empty, for each sample, and at its end the padding.
    at = 2 * np.arange(len(size)) + owner
    last = 2 * first[1:] + np.arange(len(counts))
    lengths = _chain(at, last, shown.a_length + 2, b_runs, row_length - filled)
    in_row = np.arange(1, len(size) + 1) - first[owner]
    documents = np.repeat(_chain(at, last, in_row, in_row, 0), lengths)
    segments = np.zeros(len(documents), dtype=np.int64)
    if b_runs.any():
        segments = np.repeat(_chain(at, last, 0, 1, 0), lengths)
    place, padding = np.arange(len(documents)), np.flatnonzero(documents == 0)
    positions = place - np.repeat(_chain(at, last, begin, begin, 0), lengths)
    positions[padding] = 0
    source = place + np.repeat(_chain(at, last, shown.a_start - begin - 1, shown.b_start - b_begin, 0), lengths)
    ids = split.tokens.take(source, mode="clip").astype(np.int64)  # clip: what stands at the special places is replaced
    ids[begin], ids[b_begin - 1], ids[b_begin + b_runs - 1] = specials.cls, specials.sep, specials.sep
    ids[padding] = specials.pad
    special = np.zeros(len(documents), dtype=bool)
    special[padding] = special[begin] = special[b_begin - 1] = special[b_begin + b_runs - 1] = True

    asked, shape = shown.label != NOT_ASKED, (len(counts), row_length)
    last_start = np.where(shown.b_length > 0, shown.b_start, shown.a_start)
    last_stop = last_start + np.where(shown.b_length > 0, shown.b_length, shown.a_length)
    goes_on = ~split.ends_in(last_stop)
    return Rows(
        ids.reshape(shape),
        positions.reshape(shape),
        documents.reshape(shape),
        segments.reshape(shape),
        special.reshape(shape),
        first=begin[asked],
        is_next=shown.label[asked],
        open_ends=(begin + size - 1)[goes_on],
        starts=shown.a_start,
        numbers=numbers,
        epochs=np.full(len(counts), epoch),
    )


def _chain(at: I64, last: I64, a_run: I64 | int, b_run: I64 | int, padding: I64 | int) -> I64:
    """One number for each run of all rows, in order."""
    runs = np.empty(2 * len(at) + len(last), dtype=np.int64)
    runs[at], runs[at + 1], runs[last] = a_run, b_run, padding
    return runs
