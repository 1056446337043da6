"""Long documents are cut, never cut off."""

from __future__ import annotations

import numpy as np
import pytest
from example_splits import all_places, corpora, document_of, realistic, split_of
from hypothesis import given, settings
from hypothesis import strategies as st

from osnowa.data import TokenSplit
from osnowa.data import spans as span_cutting
from osnowa.data.blocks import Blocks, Runs
from osnowa.data.spans import cut, loose


def spans_of(split: TokenSplit, budget: int, epoch: int = 0, seed: int = 1) -> Runs:
    return cut(split.sentences, Blocks(split).runs(seed, epoch, 0), budget, seed, epoch)


@settings(max_examples=100, deadline=None)
@given(split=corpora, budget=st.integers(2, 200), epoch=st.integers(0, 3))
def test_each_token_is_in_one_span_and_a_span_in_one_document(split: TokenSplit, budget: int, epoch: int) -> None:
    spans = spans_of(split, budget, epoch)
    lengths = spans.stop - spans.start
    assert (lengths >= 1).all()
    assert (lengths <= budget).all()
    assert np.array_equal(all_places(spans.start, lengths), np.arange(split.num_tokens))
    assert np.array_equal(document_of(split, spans.start), spans.document)
    assert np.array_equal(document_of(split, spans.stop - 1), spans.document)


@settings(max_examples=100, deadline=None)
@given(split=corpora, budget=st.integers(2, 200), epoch=st.integers(0, 3))
def test_many_documents_are_cut_at_once_where_each_is_cut_alone(split: TokenSplit, budget: int, epoch: int) -> None:
    found = []
    for together in (1, 3, 1 << 60):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(span_cutting, "_TOGETHER", together)
            found.append(spans_of(split, budget, epoch))
    for other in found[1:]:
        assert np.array_equal(found[0].start, other.start)
        assert np.array_equal(found[0].stop, other.stop)


def test_spans_of_a_part_of_the_corpus_keep_their_documents() -> None:
    split = realistic()
    blocks = Blocks(split, split.num_tokens // 3)
    spans = cut(split.sentences, blocks.runs(1, 0, 1), 60, 1, 0)
    assert np.array_equal(document_of(split, spans.start), spans.document)
    assert np.array_equal(document_of(split, spans.stop - 1), spans.document)


def test_a_document_that_fits_stays_whole() -> None:
    split = split_of([[60, 66], [126], [1], [60, 67]])
    spans = spans_of(split, 126)
    assert spans.start[:3].tolist() == [0, 126, 252]
    assert spans.document.tolist()[:3] == [0, 1, 2]
    assert spans.document.tolist()[3:] == [3, 3]


def test_a_span_ends_with_a_sentence_when_one_ends_in_its_last_sixteenth_and_is_full_otherwise() -> None:
    split, budget = realistic(), 160
    spans = spans_of(split, budget)
    lengths = spans.stop - spans.start
    first = np.diff(spans.document, prepend=-1) != 0
    last = np.append(first[1:], True)
    inner = ~first & ~last
    ends_sentence = np.isin(spans.stop, split.sentences)
    assert inner.sum() > 500
    assert (lengths[inner] >= budget - loose(budget)).all()
    assert (lengths[inner & ~ends_sentence] == budget).all()
    near = split.sentences[np.searchsorted(split.sentences, spans.start + budget, side="right") - 1]
    assert np.array_equal(ends_sentence[inner], (near >= spans.start + budget - loose(budget))[inner])


def test_epochs_and_seeds_cut_long_documents_at_different_places() -> None:
    for split in (realistic(), split_of([[5000]] * 20)):  # also without any end of a sentence
        cuts = [set(spans_of(split, 125, *where).stop.tolist()) for where in [(0, 1), (1, 1), (0, 2)]]
        for one, other in [(0, 1), (0, 2), (1, 2)]:
            own = set(split.sentences[split.documents].tolist())  # the ends of documents are always cuts
            shared = len((cuts[one] & cuts[other]) - own) / len(cuts[one] - own)
            assert shared < 0.4
