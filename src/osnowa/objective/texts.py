"""Texts of several lengths end to end, so that many are changed and written into rows by a few calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from osnowa.data.plan import offsets, ranges
from osnowa.model import Layout

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Texts:
    """`tokens` of all texts, and how many each has."""

    tokens: I64  # [all tokens]
    lengths: I64  # [texts]

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def begins(self) -> I64:
        """Where each text begins in `tokens`."""
        return offsets(self.lengths)[:-1]

    @classmethod
    def join(cls, parts: Sequence[Texts]) -> Texts:
        """One after the other."""
        return cls(np.concatenate([part.tokens for part in parts]), np.concatenate([part.lengths for part in parts]))

    def each(self) -> list[I64]:
        """Every text for itself."""
        return np.split(self.tokens, self.begins[1:]) if len(self) else []

    def take(self, index: I64) -> Texts:
        """The texts at `index`."""
        lengths = self.lengths[index]
        return Texts(self.tokens[ranges(self.begins[index], lengths)], lengths)

    def framed(self, lead: Sequence[int], end: int) -> Texts:
        """`lead` before and `end` behind each."""
        lengths = self.lengths + len(lead) + 1
        found = Texts(np.full(int(lengths.sum()), end), lengths)
        begins = found.begins
        found.tokens[begins[:, None] + np.arange(len(lead))] = lead
        found.tokens[self.places(begins + len(lead))] = self.tokens
        return found

    def shifted(self, first: int) -> Texts:
        """`first`, then each text but its last token."""
        tokens = np.empty_like(self.tokens)
        tokens[1:], tokens[self.begins] = self.tokens[:-1], first
        return Texts(tokens, self.lengths)

    def places(self, begins: I64) -> I64:
        """Where the tokens stand when text i begins at begins[i]."""
        return np.repeat(begins - self.begins, self.lengths) + np.arange(len(self.tokens))


def write(texts: Texts, runs: I64, begins: I64, marks: Sequence[int], counts: I64, out: I64, *, before: bool) -> None:
    """Write the tokens of texts, in runs, into `out`, with a mark before or behind each run.

    runs [texts, most]: tokens of each run, which end to end are the text. Text i goes to begins[i]; it has counts[i]
    marks, the first ones of `marks`.
    """
    column = np.arange(runs.shape[1])
    first = begins[:, None] + column + np.cumsum(runs, axis=1) - runs  # of each run, with a mark for each before it
    source = offsets(runs.ravel())[:-1].reshape(runs.shape)
    out[np.repeat((first + before - source).ravel(), runs.ravel()) + np.arange(len(texts.tokens))] = texts.tokens
    real = column < counts[:, None]
    mark = first if before else first + runs
    out[mark[real]] = np.broadcast_to(np.asarray(marks, dtype=np.int64)[: runs.shape[1]], runs.shape)[real]


class Packed:
    """Where texts of `lengths` stand: row r has the next counts[r] side by side, in `length` places."""

    def __init__(self, lengths: I64, counts: I64, length: int) -> None:
        first, before = offsets(counts), offsets(lengths)
        filled = before[first[1:]] - before[first[:-1]]
        assert int(filled.max(initial=0)) <= length, f"{filled.max()} tokens in a row of {length}"
        row = np.repeat(np.arange(len(counts)), counts)
        begins = row * length + before[:-1] - before[first[row]]
        self.shape = len(counts), length
        self.places = np.repeat(begins - before[:-1], lengths) + np.arange(before[-1])  # of each token, flat
        positions = self.written(self.places - np.repeat(begins, lengths), 0)
        self.layout = Layout(positions, self.written(np.repeat(np.arange(len(lengths)) - first[row] + 1, lengths), 0))

    def written(self, tokens: I64, padding: int) -> Tensor:
        """Rows that hold `tokens`, one for each token of the texts, and `padding`."""
        found = np.full(self.shape, padding, dtype=np.int64)
        found.ravel()[self.places] = tokens
        return torch.from_numpy(found)
