"""Rows to try the objectives on, without a corpus."""

from __future__ import annotations

import numpy as np

from osnowa.data import Rows, RowSequence, TokenSplit
from osnowa.data.batch import Place
from osnowa.data.plan import NOT_ASKED, Samples, Shape
from osnowa.data.rows import Specials, write_rows

VOCAB_SIZE, SPECIAL_IDS, MASK = 200, frozenset(range(5)), 3


def sequence(
    num_tokens: int = 40_000, shape: Shape = "pair", row_length: int = 64, vocab_size: int = VOCAB_SIZE, seed: int = 1
) -> RowSequence:
    """Random tokens in sentences of 1 to 20 and documents of 1 to 11 sentences."""
    random = np.random.default_rng(seed)
    tokens = random.integers(len(SPECIAL_IDS), vocab_size, num_tokens).astype(np.uint16)
    ends = np.cumsum(random.integers(1, 21, num_tokens))
    sentences = np.concatenate(([0], ends[ends < num_tokens], [num_tokens]))
    ends = np.cumsum(random.integers(1, 12, num_tokens))
    documents = np.concatenate(([0], ends[ends < len(sentences) - 1], [len(sentences) - 1]))
    split = TokenSplit(tokens, sentences, documents, num_tokens)
    return RowSequence(split, shape, row_length, seed, cls=1, sep=2, pad=0)


def take(num_rows: int, **options: object) -> Rows:
    """The first rows of such a sequence."""
    rows, _ = sequence(**options).take(Place(), num_rows)  # type: ignore[arg-type]
    return rows


def rows_of(tokens: list[list[int]], special: list[list[int]], numbers: list[int], epoch: int = 0) -> Rows:
    """Rows written out: where `special` is 1 stands a special token."""
    ids = np.array(tokens, dtype=np.int64)
    marked = np.array(special, dtype=bool)
    document = np.where(ids != 0, 1, 0)
    positions = np.broadcast_to(np.arange(ids.shape[1]), ids.shape) * document
    none = np.zeros(0, dtype=np.int64)
    return Rows(
        ids,
        positions,
        document,
        np.zeros_like(ids),
        marked,
        first=none,
        is_next=none,
        open_ends=none,
        starts=np.arange(len(ids)),
        numbers=np.array(numbers, dtype=np.int64),
        epochs=np.full(len(ids), epoch),
    )


def uneven_rows(first: int, stop: int) -> Rows:
    """Rows `first` to `stop` of twelve that hold ever more tokens; two in three are pairs."""
    number = np.arange(first, stop)
    a_length, b_length = 2 + 3 * number, np.where(number % 3, 1 + 2 * number, 0)
    label = np.where(number % 3, number % 2, NOT_ASKED)
    tokens = np.random.default_rng(0).integers(len(SPECIAL_IDS), VOCAB_SIZE, 1000).astype(np.uint16)
    samples = Samples(40 * number, a_length, 40 * number + a_length, b_length, label)
    split = TokenSplit(tokens, np.array([0, len(tokens)]), np.array([0, 1]), 0)
    return write_rows(split, samples, np.ones_like(number), 64, Specials(1, 2, 0), number, 0)
