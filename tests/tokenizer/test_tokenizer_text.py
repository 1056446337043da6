"""Text to ids and back: what is data, what is an order, what comes back unchanged, how long it takes."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osnowa.errors import DataError
from osnowa.tokenizer import Tokenizer, TokenizerConfig, train

ORDERS = ["[MASK]", "[CLS] [SEP]", "a[MASK]b", " [PAD] ", "[UNK]", "<s> </s> <mask>", "Ala [MASK] kota [SEP]."]


def test_special_tokens_in_data_are_text(tokenizer: Tokenizer) -> None:
    for text in ORDERS:
        assert not set(tokenizer.encode(text)) & {0, 1, 2, 3, 4}, text
        assert "".join(tokenizer.decode(tokenizer.encode(text)).split()) == "".join(text.split())


def test_special_tokens_in_a_prompt_are_orders(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode_prompt("Ala [MASK] kota [SEP].")
    assert [index for index in ids if index < 5] == [3, 2]
    assert tokenizer.encode_prompt("Ala ma kota.") == tokenizer.encode("Ala ma kota.")


def test_a_mask_takes_the_place_of_one_word(tokenizer: Tokenizer) -> None:
    """So that a prompt looks to the model like the masked text it was trained on."""
    text = "Babcia czyta długą książkę."
    offsets = tokenizer.encode_with_offsets(text)[1]
    whole = tokenizer.encode(text)
    start = next(i for i, (_, stop) in enumerate(offsets) if stop > 6)
    end = next(i for i, (begin, _) in enumerate(offsets) if begin >= 12)
    assert tokenizer.encode_prompt("Babcia [MASK] długą książkę.") == [*whole[:start], 3, *whole[end:]]


def test_what_follows_a_mask_without_a_space_gets_none(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode_prompt("[MASK].") == [3, tokenizer.token_id(".")]


def test_no_frame_is_added(tokenizer: Tokenizer) -> None:
    assert 1 not in tokenizer.encode("Ala") + tokenizer.encode_prompt("Ala")


@pytest.mark.parametrize("text", ["zażółć gęślą jaźń", "ZAŻÓŁĆ GĘŚLĄ JAŹŃ", "Zażółć gęślą jaźń!"])
def test_polish_letters_survive_a_round_trip(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.unk not in tokenizer.encode(text)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_folding_capitals_keeps_diacritics(kind: str, documents: list[str]) -> None:
    folded = train(documents, TokenizerConfig(kind=kind, vocab_size=400, lowercase=True))
    assert folded.decode(folded.encode("ZAŻÓŁĆ Gęślą jaźń")) == "zażółć gęślą jaźń"


@pytest.mark.parametrize("kind", ["wordpiece", "unigram"])
def test_decomposed_text_is_composed(kind: str, tokenizers: dict[str, Tokenizer]) -> None:
    assert tokenizers[kind].encode("z\u0307o\u0301łw") == tokenizers[kind].encode("żółw")


@settings(max_examples=300, deadline=None)
@given(text=st.text())
def test_bytes_bring_all_of_unicode_back(tokenizers: dict[str, Tokenizer], text: str) -> None:
    assert tokenizers["bpe"].decode(tokenizers["bpe"].encode(text)) == text


@pytest.mark.parametrize("split", ["llama-bpe", "qwen2", "gpt-2"])
def test_each_word_rule_of_bpe_loses_nothing(split: str, documents: list[str]) -> None:
    trained = train(documents, TokenizerConfig(kind="bpe", vocab_size=400, split=split))
    for text in [*documents, "a  b\n\n c\t1234567 x", "漢字😀 n't I'M", " ", "\n \n x"]:
        assert trained.decode(trained.encode(text)) == text


def test_word_rules_differ_where_they_should(documents: list[str]) -> None:
    found = {}
    for split in ("llama-bpe", "qwen2", "gpt-2"):
        trained = train(["12345 12345 12345"] * 9 + documents, TokenizerConfig(kind="bpe", vocab_size=700, split=split))
        found[split] = [trained.token(index) for index in trained.encode("12345")]
    assert found == {"llama-bpe": ["123", "45"], "qwen2": list("12345"), "gpt-2": ["12345"]}


def test_unknown_characters_are_one_unknown_each_word(tokenizers: dict[str, Tokenizer]) -> None:
    for kind in ("wordpiece", "unigram"):
        ids = tokenizers[kind].encode("Ala ☃ kota")
        assert ids.count(4) == 1
    assert 4 not in tokenizers["bpe"].encode("Ala ☃ kota")


def test_decoding_puts_punctuation_where_people_do(tokenizers: dict[str, Tokenizer]) -> None:
    text = "Kto (i gdzie) pisze: „tak”, czy „nie”? Nie wiem… 5% do not care!"
    assert tokenizers["wordpiece"].decode(tokenizers["wordpiece"].encode(text)) == text


def test_a_batch_is_each_text_alone(tokenizer: Tokenizer, sentences: list[str]) -> None:
    assert tokenizer.encode_batch(sentences) == [tokenizer.encode(text) for text in sentences]
    assert tokenizer.encode_batch([]) == []


def test_offsets_point_at_the_text_of_each_token(tokenizers: dict[str, Tokenizer]) -> None:
    text = "Żółw (mały) pływa."
    ids, offsets = tokenizers["wordpiece"].encode_with_offsets(text)
    tokens = [tokenizers["wordpiece"].token(index).removeprefix("##") for index in ids]
    assert [text[start:stop] for start, stop in offsets] == tokens
    ids, offsets = tokenizers["wordpiece"].encode_with_offsets("Ala [MASK].", orders=True)
    assert offsets[ids.index(3)] == (4, 10)


@pytest.mark.parametrize(
    "unit", ["a", "ż", "1", "!", "[", "'", " ", "\n", "\n ", "a\u0301", "aB1!", "[MASK", "▁", "##"]
)
def test_time_is_linear_in_one_long_word(tokenizer: Tokenizer, unit: str) -> None:
    started = time.process_time()
    tokenizer.encode(unit * 100_000)
    tokenizer.encode_sentences([unit * 100_000])
    assert time.process_time() - started < 10  # 0.1 to 0.5 s; quadratic would be minutes


def test_a_word_of_more_than_100_characters_is_unknown(tokenizers: dict[str, Tokenizer]) -> None:
    assert tokenizers["wordpiece"].encode("a" * 101) == [4]
    assert 4 not in tokenizers["wordpiece"].encode("a" * 100)


def test_half_a_surrogate_pair_is_refused(tokenizer: Tokenizer) -> None:
    for encode in (tokenizer.encode, tokenizer.encode_prompt, lambda text: tokenizer.encode_sentences([text])):
        with pytest.raises(DataError, match="half a surrogate pair"):
            encode("Ala \ud83d")


def test_a_tokenizer_travels_to_another_process(tokenizer: Tokenizer) -> None:
    again = pickle.loads(pickle.dumps(tokenizer))  # noqa: S301  # what multiprocessing does; no file holds a pickle
    assert again.to_bytes() == tokenizer.to_bytes()
    assert np.array_equal(again.continues_word, tokenizer.continues_word)


def test_entries_are_found_by_id_and_by_name(tokenizer: Tokenizer) -> None:
    for index in (0, 3, 100, tokenizer.vocab_size - 1):
        assert tokenizer.token_id(tokenizer.token(index)) == index
    assert tokenizer.token_id("no such entry") is None


def test_decoding_can_skip_special_tokens(tokenizer: Tokenizer) -> None:
    ids = [1, *tokenizer.encode("Ala ma kota"), 2, 0, 0]
    assert tokenizer.decode(ids, skip_special=True) == "Ala ma kota"
    assert tokenizer.decode(np.array(ids)).startswith("[CLS]")


def test_entries_are_readable_without_the_marks_of_their_file(tokenizers: dict[str, Tokenizer]) -> None:
    for kind, mark in (("bpe", "Ġ"), ("unigram", "▁"), ("wordpiece", "")):
        tokenizer = tokenizers[kind]
        words = {
            index: entry.removeprefix(mark)
            for index, entry in enumerate(tokenizer.tokens)
            if entry.startswith(mark) and entry.removeprefix(mark).isascii() and entry.removeprefix(mark).isalpha()
        }
        assert len(words) > 20
        assert {index: tokenizer.readable(index) for index in words} == words
        assert tokenizer.readable(tokenizer.mask) == tokenizer.token(tokenizer.mask)


def test_an_entry_that_is_no_text_alone_is_shown_as_it_stands_in_the_file() -> None:
    tokenizer = train(["zażółć gęślą jaźń"] * 3, TokenizerConfig(kind="bpe", vocab_size=270))
    for byte in ("Ġ", "Å", "¼"):
        index = tokenizer.token_id(byte)
        assert index is not None
        assert tokenizer.readable(index) == byte
