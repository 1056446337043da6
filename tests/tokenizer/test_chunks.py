"""Encoding by chunks gives what encoding whole texts gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osnowa.tokenizer import Tokenizer, TokenizerConfig, chunks, train

TEXTS = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from(
                ["Ala", "ma", "żółw", " ", "  ", "   ", "\n", "\n\n", "\t", "\u00a0", "\u2003", "!", "...", "(", "[MASK]", "5", "'s",
                 "\u0301", "漢", "😀", "▁", "\x1c", "\x85", "\u200b", "##a", "İ", "Σ"]
            ),
            max_size=30,
        ).map("".join),
    ),
    max_size=5,
)  # fmt: skip


def check(tokenizer: Tokenizer, texts: list[str]) -> None:
    assert tokenizer._cache is not None
    whole = tokenizer.encode_batch(texts)
    ids, lengths = tokenizer.encode_sentences(texts)
    assert ids.tolist() == [index for part in whole for index in part]
    assert lengths.tolist() == [len(part) for part in whole]
    assert ids.dtype == lengths.dtype == np.int64


@settings(max_examples=400, deadline=None)
@given(texts=TEXTS)
def test_chunks_equal_whole_texts(tokenizers: dict[str, Tokenizer], texts: list[str]) -> None:
    for tokenizer in tokenizers.values():
        check(tokenizer, texts)


@pytest.mark.parametrize(
    "config",
    [
        TokenizerConfig(kind="bpe", vocab_size=450, split="gpt-2"),
        TokenizerConfig(kind="bpe", vocab_size=450, split="llama-bpe"),
        TokenizerConfig(kind="bpe", vocab_size=450, split="qwen2", lowercase=True),
        TokenizerConfig(kind="wordpiece", vocab_size=450, lowercase=True),
        TokenizerConfig(kind="unigram", vocab_size=450, lowercase=True),
    ],
)
def test_chunks_equal_whole_texts_in_other_settings(config: TokenizerConfig, documents: list[str]) -> None:
    spaced = ["x    y\n\n  z \n \n   t"] * 100  # so that runs of spaces are entries
    trained = train([*documents, *spaced], config)

    @settings(max_examples=100, deadline=None)
    @given(texts=TEXTS)
    def checked(texts: list[str]) -> None:
        check(trained, texts)

    checked()


def test_memory_is_bounded(
    tokenizers: dict[str, Tokenizer], sentences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNKS", 10)
    cache = chunks.ChunkCache("wordpiece", tokenizers["wordpiece"].encode_batch)
    for sentence in sentences:
        ids, _ = cache.encode([sentence])
        assert ids.tolist() == tokenizers["wordpiece"].encode(sentence)
        assert len(cache._known) <= 10 + len(sentence.split(" "))
