"""How well a vocabulary fits: counted by hand and compared."""

from __future__ import annotations

import json

from osnowa.tokenizer import Tokenizer, fertility


def test_figures_are_those_counted_by_hand(tokenizers: dict[str, Tokenizer]) -> None:
    tokenizer = tokenizers["wordpiece"]
    pairs = [("pl", "Babcia śpiewa cichą pieśń."), ("pl", "☃ Xyz!"), ("en", "The baker reads.")]
    figures = fertility(tokenizer, pairs).as_dict()
    ids = [tokenizer.encode(text) for _, text in pairs]
    assert set(figures) == {"all", "en", "pl"}
    polish = figures["pl"]
    assert (polish["texts"], polish["characters"], polish["words"]) == (2, 32, 5)
    assert polish["tokens"] == len(ids[0]) + len(ids[1])
    assert polish["tokens_per_word"] == round(polish["tokens"] / 5, 4)
    assert polish["characters_per_token"] == round(32 / polish["tokens"], 4)
    assert polish["unknown_share"] == round(1 / polish["tokens"], 6)
    whole = [word for word in ["Babcia", "śpiewa", "cichą", "pieśń", "Xyz"] if len(tokenizer.encode(word)) == 1]
    assert polish["whole_words_share"] == len(whole) / 5
    assert 0 < len(whole) < 5
    assert figures["all"]["tokens"] == polish["tokens"] + figures["en"]["tokens"]
    json.dumps(figures, allow_nan=False)


def test_one_language_has_no_row_for_all_and_no_text_no_rows(tokenizer: Tokenizer) -> None:
    assert set(fertility(tokenizer, [("pl", "Ala")]).rows) == {"pl"}
    assert fertility(tokenizer, []).rows == {}
    assert fertility(tokenizer, [("pl", "")]).rows["pl"].tokens_per_word == 0


def test_many_texts_are_all_counted(tokenizer: Tokenizer) -> None:
    row = fertility(tokenizer, (("pl", "Babcia czyta") for _ in range(2500))).rows["pl"]
    assert (row.texts, row.words) == (2500, 5000)
    assert row.tokens == 2500 * len(tokenizer.encode("Babcia czyta"))
    assert row.unknown_share == 0


def test_words_are_measured_as_they_stand_inside_a_text(tokenizers: dict[str, Tokenizer]) -> None:
    """With the space before them, which two kinds keep in the token."""
    for kind, space in (("wordpiece", ""), ("bpe", "Ġ"), ("unigram", "▁")):
        tokenizer = tokenizers[kind]
        word = next(word for word in ("the", "co", "rano") if tokenizer.token_id(space + word) is not None)
        assert fertility(tokenizer, [("pl", word)]).rows["pl"].whole_words_share == 1


def test_an_unknown_word_is_not_whole(tokenizers: dict[str, Tokenizer]) -> None:
    row = fertility(tokenizers["wordpiece"], [("und", "漢 漢")]).rows["und"]
    assert (row.words, row.unknown_share, row.whole_words_share) == (2, 1, 0)
