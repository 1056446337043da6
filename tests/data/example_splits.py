"""Splits to try the data room on: every token is its own offset, so that each one can be traced."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from osnowa.data import Plan, TokenSplit

FIRST_ID = 5  # the ids before it are special tokens


def split_of(documents: Sequence[Sequence[int]]) -> TokenSplit:
    """A split from the lengths of each document's sentences; token i of the store is FIRST_ID + i."""
    sentences = np.cumsum([0, *(length for document in documents for length in document)], dtype=np.int64)
    borders = np.cumsum([0, *(len(document) for document in documents)], dtype=np.int64)
    return TokenSplit(np.arange(FIRST_ID, FIRST_ID + sentences[-1], dtype=np.uint32), sentences, borders, 0)


# Few and many documents, of one sentence and of many, of one token and longer than several rows.
corpora = st.lists(
    st.lists(st.integers(1, 30) | st.sampled_from([1, 2, 150, 700]), min_size=1, max_size=14), max_size=14
).map(split_of)


@functools.cache
def realistic(num_tokens: int = 300_000, seed: int = 0) -> TokenSplit:
    """Documents of 400 tokens and sentences of 18 on average, both log-normal."""
    random = np.random.default_rng(seed)
    documents = []
    while num_tokens > 0:
        left = int(random.lognormal(np.log(400) - 0.5, 1.0)) + 3
        document = []
        while left > 0:
            document.append(int(np.clip(random.lognormal(np.log(18) - 0.18, 0.6), 1, 400)))
            left -= document[-1]
        documents.append(document)
        num_tokens -= sum(document)
    return split_of(documents)


def document_starts(split: TokenSplit) -> NDArray[np.int64]:
    """The first token of each document, and the end of the last."""
    return split.sentences[split.documents]


def document_of(split: TokenSplit, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which document each token stands in."""
    return np.searchsorted(document_starts(split), places, side="right") - 1


def all_places(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every token of the spans, in their order."""
    return np.concatenate(
        [np.arange(0), *(np.arange(s, s + n) for s, n in zip(starts.tolist(), lengths.tolist(), strict=True))]
    )


def shown_places(plan: Plan) -> NDArray[np.int64]:
    """Every token that a plan shows, sorted."""
    samples = plan.samples
    places = [all_places(samples.a_start, samples.a_length), all_places(samples.b_start, samples.b_length)]
    return np.sort(np.concatenate(places))
