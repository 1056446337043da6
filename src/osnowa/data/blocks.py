"""Which runs of text a part of an epoch shows: bounded memory, however large the corpus is.

A corpus of up to BLOCK_TOKENS is one block. A larger one is cut into chunks, at the borders of documents where it can be,
and each epoch deals the chunks out to its blocks anew; blocks are planned one after the other.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from osnowa.data.order import permutation
from osnowa.data.store import TokenSplit

I64 = NDArray[np.int64]
# Planned at once. Rows of 64 take most: 200 MB and 3 s while a block is planned, 60 MB while it is shown (two are kept);
# 10^9 tokens as one block would take 3 GB.
BLOCK_TOKENS = 1 << 26
_LEAST_DOCUMENT = 32  # tokens that a document counts for at least: many tiny ones take memory, too
_CHUNKS_A_BLOCK = 64


@dataclass(frozen=True)
class Runs:
    """Runs of tokens, each inside one document; in the order of the store."""

    start: I64  # offsets into the store's tokens
    stop: I64
    document: I64

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def join(cls, parts: Iterable[Runs]) -> Runs:
        """One after the other."""
        columns = list(zip(*((part.start, part.stop, part.document) for part in parts), strict=True))
        return cls(*(np.concatenate(column) for column in columns))


class Blocks:
    """A split's chunks, and which of them each block of an epoch shows."""

    def __init__(self, split: TokenSplit, block_tokens: int = BLOCK_TOKENS) -> None:
        self.split = split
        size = max(split.num_tokens, _LEAST_DOCUMENT * split.num_documents)
        self.num_blocks = max(1, -(-size // block_tokens))
        self.edges = [0, split.num_tokens]
        if self.num_blocks > 1:
            self.edges = _edges(split, max(1, split.num_tokens // (self.num_blocks * _CHUNKS_A_BLOCK)))

    def __len__(self) -> int:
        return self.num_blocks

    def runs(self, seed: int, epoch: int, block: int) -> Runs:
        """The documents of a block, those cut at a chunk's border in pieces."""
        chunks = permutation(len(self.edges) - 1, seed, "chunk order", epoch)
        first, stop = (len(chunks) * b // self.num_blocks for b in (block, block + 1))
        return Runs.join(self._chunk(int(chunk)) for chunk in np.sort(chunks[first:stop]))

    def _chunk(self, chunk: int) -> Runs:
        start, stop = self.edges[chunk], self.edges[chunk + 1]
        documents, sentences = self.split.documents, self.split.sentences
        if not self.split.num_documents:
            return Runs(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
        first = bisect.bisect_right(documents, start, 0, len(documents) - 1, key=lambda s: int(sentences[s])) - 1
        last = bisect.bisect_left(documents, stop, first + 1, key=lambda s: int(sentences[s]))
        borders = np.clip(sentences[documents[first : last + 1]], start, stop)
        return Runs(borders[:-1], borders[1:], np.arange(first, last))


def _edges(split: TokenSplit, chunk: int) -> list[int]:
    """Where chunks of at most `chunk` tokens begin: at a document if one begins in the second half, else at a sentence,
    else anywhere."""
    documents, sentences = split.documents, split.sentences
    edges = [0]
    while edges[-1] + chunk < split.num_tokens:
        limit, least = edges[-1] + chunk, edges[-1] + chunk // 2
        document = bisect.bisect_right(documents, limit, key=lambda s: int(sentences[s])) - 1
        sentence = bisect.bisect_right(sentences, limit) - 1
        borders = (int(sentences[documents[document]]), int(sentences[sentence]), limit)
        edges.append(next(border for border in borders if border > least))
    return [*edges, split.num_tokens]
