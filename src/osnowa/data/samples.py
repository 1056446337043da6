"""What is shown together, and what is asked of it: a span alone, or sentences A and B."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from osnowa.data.blocks import Runs
from osnowa.data.store import TokenSplit

I64 = NDArray[np.int64]
NOT_ASKED, IS_NEXT, NOT_NEXT = -1, 0, 1  # of these NOT_ASKED never reaches a loss
# A span alone; sentences A and B that follow each other or not; A and B in order or exchanged; both sides of a pair.
Shape = Literal["single", "pair", "order", "couple"]
SPECIALS: dict[Shape, int] = {"single": 2, "pair": 3, "order": 3, "couple": 2}  # [CLS] A [SEP], [CLS] A [SEP] B [SEP]


@dataclass(frozen=True)
class Samples:
    """Tokens A, maybe tokens B (as offsets into the store), and whether B follows A."""

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

    def take(self, index: I64) -> Samples:
        """The samples at `index`."""
        columns = (self.a_start, self.a_length, self.b_start, self.b_length, self.label)
        return Samples(*(column[index] for column in columns))


@dataclass(frozen=True)
class Room:
    """What a row has room for, where a sample is shown as something else than [CLS] A [SEP] or [CLS] A [SEP] B [SEP].

    `budget`: text tokens that the largest sample may have (each side of a pair); `cost`: places of a row that each
    sample takes in an epoch; `filled`: tokens that it is shown as, in all rows; `places`: of one row and those beside it.
    """

    budget: int
    cost: Callable[[Samples, int], I64]
    filled: Callable[[Samples, int], I64]
    places: int


def singles(spans: Runs) -> Samples:
    """Each span on its own."""
    none = np.zeros(len(spans), dtype=np.int64)
    return Samples(spans.start, spans.stop - spans.start, none, none, np.full(len(spans), NOT_ASKED))


def couples_of(split: TokenSplit, runs: Runs, budget: int) -> Samples:
    """Both sides of each pair: the two sentences of a document. A pair with a side of more than `budget` is left out."""
    first = split.documents[runs.document]
    a_start, b_start, stop = split.sentences[first], split.sentences[first + 1], split.sentences[first + 2]
    whole = (runs.start == a_start) & (runs.stop == stop)
    assert bool(whole.all()), "a pair is one document of two sentences, and stands in one run"
    found = Samples(a_start, b_start - a_start, b_start, stop - b_start, np.full(len(runs), NOT_ASKED))
    return found.take(np.flatnonzero((found.a_length <= budget) & (found.b_length <= budget)))
