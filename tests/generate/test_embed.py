"""Texts become vectors of length 1, the same whatever else is in the batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import osnowa
from osnowa.errors import DataError
from osnowa.generate import embed
from osnowa.model import Layout, Transformer
from small_models import publish_model, random_model, shrink, small_tokenizer

TEXTS = ["Kot śpi.", "Babcia czyta długą książkę w ogrodzie.", "x", "The baker reads a thick book."]
ENTRIES, LONGEST = small_tokenizer().vocab_size, 40


def make(preset: str) -> Transformer:
    return random_model(shrink(preset, vocab_size=ENTRIES, max_positions=LONGEST))


@pytest.mark.parametrize("preset", ["bert-tiny", "encoder-tiny", "roberta-tiny", "t5-tiny", "gpt2-tiny"])
@torch.no_grad()
def test_a_vector_is_the_mean_over_all_real_tokens_and_has_length_one(preset: str) -> None:
    model, tokenizer = make(preset), small_tokenizer()
    begin = [] if preset == "t5-tiny" else [tokenizer.cls]
    end = [] if preset == "gpt2-tiny" else [tokenizer.sep]
    found = embed(model, tokenizer, TEXTS)
    assert found.shape == (4, model.config.d_model)
    for text, vector in zip(TEXTS, found, strict=True):
        tokens = torch.tensor([[*begin, *tokenizer.encode(text), *end]])
        whole = model.decode if preset == "gpt2-tiny" else model.encode
        mean = whole(tokens, Layout.plain(tokens))[0].mean(0)
        torch.testing.assert_close(vector, mean / mean.norm(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("batch", [1, 2, 3, 32])
def test_the_batch_changes_nothing_and_the_order_stays(batch: int) -> None:
    model, tokenizer = make("bert-tiny"), small_tokenizer()
    expected = torch.cat([embed(model, tokenizer, [text]) for text in TEXTS])
    torch.testing.assert_close(embed(model, tokenizer, TEXTS, batch), expected, rtol=1e-9, atol=1e-9)


def test_a_special_token_in_a_text_is_text() -> None:
    model, tokenizer = make("bert-tiny"), small_tokenizer()
    (found,) = embed(model, tokenizer, ["kot [MASK]"])
    inside = tokenizer.encode("kot [MASK]")
    assert tokenizer.mask not in inside
    tokens = torch.tensor([[tokenizer.cls, *inside, tokenizer.sep]])
    with torch.inference_mode():
        mean = model.encode(tokens, Layout.plain(tokens))[0].mean(0)
    torch.testing.assert_close(found, (mean / mean.norm()).to(found.dtype))


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_text_is_refused_by_its_number(empty: str) -> None:
    with pytest.raises(DataError, match="embed: text 2 of 3 is empty; leave it out"):
        embed(make("bert-tiny"), small_tokenizer(), ["kot", empty, "pies"])


def test_a_text_that_is_too_long_is_refused_and_not_cut() -> None:
    length = len(small_tokenizer().encode("kot " * 100)) + 2
    message = f"embed: text 2: the text has {length} tokens, this model takes 40; shorten the text"
    with pytest.raises(DataError, match=message):
        embed(make("bert-tiny"), small_tokenizer(), ["kot", "kot " * 100])


def test_no_texts_are_no_vectors() -> None:
    model = make("bert-tiny")
    assert embed(model, small_tokenizer(), []).shape == (0, model.config.d_model)


def test_a_loaded_model_embeds(tmp_path: Path) -> None:
    model = random_model(shrink("bert-tiny", vocab_size=ENTRIES), dtype=torch.float32)
    loaded = osnowa.load(publish_model(tmp_path / "model", model))
    assert torch.equal(loaded.embed(TEXTS[:1]), embed(model, small_tokenizer(), TEXTS[:1]))
