"""What is shown together, and what is asked of it: a span alone, or sentences A and B."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from osnowa.data.blocks import Runs

I64 = NDArray[np.int64]
NOT_ASKED, IS_NEXT, NOT_NEXT = -100, 0, 1
Shape = Literal["single", "pair"]
SPECIALS: dict[Shape, int] = {"single": 2, "pair": 3}  # [CLS] A [SEP], [CLS] A [SEP] B [SEP]


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


def singles(spans: Runs) -> Samples:
    """Each span on its own."""
    none = np.zeros(len(spans), dtype=np.int64)
    return Samples(spans.start, spans.stop - spans.start, none, none, np.full(len(spans), NOT_ASKED))
