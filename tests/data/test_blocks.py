"""Blocks deal a corpus out to parts of an epoch: everything once, bounded, anew in each epoch."""

from __future__ import annotations

import numpy as np
from example_splits import all_places, corpora, document_of, document_starts, realistic, split_of
from hypothesis import given, settings
from hypothesis import strategies as st

from osnowa.data import TokenSplit
from osnowa.data.blocks import BLOCK_TOKENS, Blocks


def test_a_small_corpus_is_one_block_of_whole_documents() -> None:
    split = realistic()
    blocks = Blocks(split)
    runs = blocks.runs(seed=1, epoch=0, block=0)
    assert len(blocks) == 1
    assert split.num_tokens < BLOCK_TOKENS
    assert np.array_equal(runs.start, document_starts(split)[:-1])
    assert np.array_equal(runs.stop, document_starts(split)[1:])
    assert np.array_equal(runs.document, np.arange(split.num_documents))


@settings(max_examples=60, deadline=None)
@given(split=corpora, block_tokens=st.integers(64, 2000), epoch=st.integers(0, 3))
def test_the_blocks_of_an_epoch_show_each_token_once(split: TokenSplit, block_tokens: int, epoch: int) -> None:
    blocks = Blocks(split, block_tokens)
    found = [blocks.runs(1, epoch, block) for block in range(len(blocks))]
    for runs in found:
        assert (runs.stop > runs.start).all()
        assert np.array_equal(document_of(split, runs.start), runs.document)
        assert np.array_equal(document_of(split, runs.stop - 1), runs.document)
        assert (np.diff(runs.start) > 0).all()
    places = np.concatenate([all_places(runs.start, runs.stop - runs.start) for runs in found])
    assert np.array_equal(np.sort(places), np.arange(split.num_tokens))


def test_blocks_are_about_equally_large_and_each_epoch_deals_them_anew() -> None:
    split = realistic()
    blocks = Blocks(split, split.num_tokens // 4)
    sizes, dealt = [], []
    for epoch in (0, 1):
        for block in range(len(blocks)):
            runs = blocks.runs(1, epoch, block)
            sizes.append(int((runs.stop - runs.start).sum()))
            dealt.append(set(runs.start.tolist()))
    assert len(blocks) == 5
    assert max(sizes) < 1.3 * split.num_tokens / 5
    assert min(sizes) > 0.7 * split.num_tokens / 5
    shared = len(dealt[0] & dealt[5]) / len(dealt[0])
    assert 0.05 < shared < 0.4  # 1/5 by chance


def test_chunks_end_with_documents_else_with_sentences_else_anywhere() -> None:
    short = split_of([[1, 20]] * 2000)
    assert set(Blocks(short, 6400).edges) <= set(document_starts(short).tolist())
    one_document = split_of([[9] * 4000])
    assert set(Blocks(one_document, 6400).edges) <= set(one_document.sentences.tolist())
    one_sentence = split_of([[40_000]])
    edges = Blocks(one_sentence, 6400).edges
    assert set(np.diff(edges)[:-1].tolist()) == {40_000 // 7 // 64}
    assert (edges[0], edges[-1]) == (0, 40_000)


def test_chunks_are_at_least_half_full() -> None:
    edges = Blocks(split_of([[10], [95]] * 200), 6400).edges
    assert min(np.diff(edges)[:-1]) > max(np.diff(edges)) / 2
    assert max(np.diff(edges)) <= 100


def test_many_tiny_documents_are_dealt_out_to_several_blocks() -> None:
    blocks = Blocks(split_of([[3]] * 1000), 3200)
    assert len(blocks) == 10
    assert max(len(blocks.runs(1, 0, block)) for block in range(10)) < 130


def test_one_document_larger_than_a_block_is_shown_in_bounded_pieces() -> None:
    split = split_of([[7] * 5, [9] * 3000, [7] * 5])
    blocks = Blocks(split, 5000)
    for block in range(len(blocks)):
        runs = blocks.runs(1, 0, block)
        assert (runs.stop - runs.start).sum() <= 5000


def test_an_empty_split_is_one_empty_block() -> None:
    blocks = Blocks(split_of([]))
    assert len(blocks) == 1
    assert len(blocks.runs(1, 0, 0)) == 0
