"""Five-word sequences of a document as numbers: what repetition and near-duplicates are measured on."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import xxhash

WORDS = 5  # in a sequence, as FineWeb and most others take
NUM_HASHES = 128
SEED = 1  # of the MinHash functions; part of the stored format

Shingles = npt.NDArray[np.uint64]

_WORD = re.compile(r"\w+")
_MOST_WORDS = 500_000  # remembered: some 60 MB
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


class _WordHashes(dict[str, int]):
    def __missing__(self, word: str) -> int:
        if len(self) >= _MOST_WORDS:
            self.clear()
        value = self[word] = xxhash.xxh3_64_intdigest(word.encode())
        return value


_HASHES = _WordHashes()


def shingles(text: str) -> Shingles:
    """Hashes of the sequences of five words in `text`, case ignored, in order; a shorter text is one sequence."""
    words = _WORD.findall(text.casefold())
    hashes = np.fromiter(map(_HASHES.__getitem__, words), np.uint64, len(words))
    length = max(len(words) - WORDS + 1, min(len(words), 1))
    mixed = hashes[:length].copy()
    for step in range(1, min(WORDS, len(words))):
        mixed *= _MULTIPLIER
        mixed ^= mixed >> _SHIFT
        mixed += hashes[step : step + length]
    mixed *= _MULTIPLIER
    return mixed ^ (mixed >> _SHIFT)


def signatures(documents: list[Shingles]) -> npt.NDArray[np.uint32]:
    """MinHash signatures [documents, 128]: two documents agree in about as many places as they share sequences."""
    from rensa import RMinHash

    if not documents:
        return np.zeros((0, NUM_HASHES), np.uint32)
    borders = np.zeros(len(documents) + 1, np.uint64)
    np.cumsum([len(document) for document in documents], out=borders[1:])
    flat = np.concatenate(documents)
    rows = RMinHash.digest_matrix_from_flat_token_hashes(flat, borders, NUM_HASHES, SEED).to_rows()
    return np.array(rows, np.uint32).reshape(len(documents), NUM_HASHES)
