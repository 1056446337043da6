"""What training promises: ids in a stated order, an alphabet by rule, sizes said plainly, bounded input."""

from __future__ import annotations

import json
import unicodedata

import pytest

from osnowa.errors import DataError, SettingsError
from osnowa.tokenizer import SPECIALS, Tokenizer, TokenizerConfig, sample, train
from osnowa.tokenizer.alphabet import ALWAYS, POLISH, choose_alphabet
from osnowa.tokenizer.sample import Sample


def test_special_tokens_have_their_ids_in_every_kind(tokenizer: Tokenizer) -> None:
    assert tuple(tokenizer.tokens[:5]) == SPECIALS
    assert (tokenizer.pad, tokenizer.cls, tokenizer.sep, tokenizer.mask, tokenizer.unk) == (0, 1, 2, 3, 4)
    assert tokenizer.special_ids == {0, 1, 2, 3, 4}


def test_extra_special_tokens_follow_from_id_5(documents: list[str]) -> None:
    for kind in ("wordpiece", "bpe", "unigram"):
        config = TokenizerConfig(kind=kind, vocab_size=400, extra_specials=("<extra_id_0>", "<extra_id_1>"))
        trained = train(documents, config)
        assert trained.tokens[5:7] == ["<extra_id_0>", "<extra_id_1>"]
        assert {5, 6} <= trained.special_ids
        assert trained.encode_prompt("<extra_id_1>") == [6]
        assert not {5, 6} & set(trained.encode("Ala <extra_id_0> <extra_id_1>"))
        trained.require(["mask", "<extra_id_1>"])


def test_the_alphabet_comes_sorted_after_the_special_tokens(tokenizers: dict[str, Tokenizer]) -> None:
    for kind in ("wordpiece", "unigram"):
        tokens = tokenizers[kind].tokens[5:]
        single = [token for token in tokens if len(token) == 1]
        assert tokens[: len(single)] == single == sorted(single)
        assert set(ALWAYS) <= set(single)
    assert tokenizers["bpe"].tokens[5 : 5 + 256] == sorted(tokenizers["bpe"].tokens[5 : 5 + 256])


def test_wordpiece_entries_come_in_the_order_of_their_merging(documents: list[str]) -> None:
    small = train(documents, TokenizerConfig(vocab_size=300)).tokens
    large = train(documents, TokenizerConfig(vocab_size=500)).tokens
    assert large[:300] == small


def test_asking_for_more_entries_than_the_text_supports_says_both_numbers() -> None:
    for kind in ("wordpiece", "bpe", "unigram"):
        trained = train(["Ala ma kota. Kot ma Alę."], TokenizerConfig(kind=kind, vocab_size=30_000))
        assert trained.vocab_size < 1000
        assert len(trained.notes) == 1
        assert "30000" in trained.notes[0]
        assert str(trained.vocab_size) in trained.notes[0]


def test_a_size_that_is_reached_has_no_notes(tokenizer: Tokenizer) -> None:
    assert tokenizer.vocab_size in (256, 512)
    assert tokenizer.notes == ()


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_a_size_below_the_alphabet_is_refused_with_the_minimum(kind: str, documents: list[str]) -> None:
    with pytest.raises(SettingsError, match=r"tokenizer.vocab_size = 40: is smaller than 5 special tokens") as caught:
        train(documents, TokenizerConfig(kind=kind, vocab_size=40))
    assert caught.value.exit_code == 78
    minimum = int(caught.value.instead.split()[3])
    assert train(documents, TokenizerConfig(kind=kind, vocab_size=minimum)).vocab_size == minimum
    with pytest.raises(SettingsError):
        train(documents, TokenizerConfig(kind=kind, vocab_size=minimum - 1))


def test_the_corpus_decides_the_size_where_the_settings_do_not(documents: list[str]) -> None:
    assert train(documents, TokenizerConfig(), corpus_characters=1).vocab_size == 512
    wide = train(documents, TokenizerConfig(), corpus_characters=2_000_000)
    assert 512 < wide.vocab_size < 4096  # what so little text supports
    assert wide.notes == ()  # nobody asked for a number


def test_a_large_alphabet_makes_room_for_itself_when_the_size_is_derived() -> None:
    ideographs = "".join(chr(0x4E00 + i) for i in range(1500))
    trained = train([ideographs * 3, "źdźbłowaty " * 9], TokenizerConfig())
    assert trained.unk not in trained.encode(ideographs)
    assert len(trained.encode("źdźbłowaty")) == 1


@pytest.mark.parametrize("texts", [[], ["", " \n"], ["\u200b\x07"]])
def test_no_text_is_refused(texts: list[str]) -> None:
    with pytest.raises(DataError, match="the corpus: has no text to learn a vocabulary from"):
        train(texts, TokenizerConfig())


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(DataError, match="holds U\\+D83D, half a surrogate pair"):
        train(["Ala \ud83d kota"], TokenizerConfig())


# --- alphabet -------------------------------------------------------------------------------------------------------


def test_coverage_leaves_out_the_rarest_and_ties_go_by_code_point() -> None:
    text = Sample(["αααααααααα" * 10 + "ββββ" + "δγ"], compose=True)
    chosen = choose_alphabet(text.counts, coverage=0.98, lowercase=False)
    assert [c for c in chosen.characters if c > "ż"] == ["α", "β"]
    assert chosen.others == ("γ", "δ")
    wider = choose_alphabet(text.counts, coverage=0.985, lowercase=False)
    assert wider.others == ("δ",)


def test_ascii_and_polish_letters_are_always_in_and_invisible_characters_never() -> None:
    text = Sample(["αβγ\u200b\u00a0\x07 x\n"], compose=True)
    chosen = choose_alphabet(text.counts, coverage=1.0, lowercase=False)
    assert set(POLISH) | set(map(chr, range(0x21, 0x7F))) | set("αβγ") == set(chosen.characters)
    assert set(chosen.others) == {"\u200b", "\u00a0", "\x07"}


def test_folding_capitals_halves_the_alphabet_and_keeps_diacritics() -> None:
    text = Sample(["ŻÓŁĆ Ω"], compose=True)
    chosen = choose_alphabet(text.counts, coverage=1.0, lowercase=True)
    assert not any(c.isupper() for c in chosen.characters)
    assert set("żółćω") <= set(chosen.characters)
    assert chosen.others == ()


# --- sample ---------------------------------------------------------------------------------------------------------


def test_the_sample_counts_every_character_and_gives_the_text_back() -> None:
    texts = ["Ala ma kota. " * 2000, "żółw 😀", "x" * 20_000]
    text = Sample(texts, compose=True)
    whole = "\n".join(texts)
    assert "".join(text.pieces()) == whole
    assert max(map(len, text.pieces())) <= 8192
    assert text.characters == len(whole) == int(text.counts.sum())
    assert text.counts[ord("😀")] == 1
    assert not text.cut


def test_pieces_are_cut_between_words() -> None:
    text = Sample(["słowo " * 5000], compose=True)
    assert all(piece.split() and set(piece.split()) == {"słowo"} for piece in text.pieces())


def test_text_is_composed_for_kinds_with_characters() -> None:
    decomposed = unicodedata.normalize("NFD", "żółć")
    assert "".join(Sample([decomposed], compose=True).pieces()) == "żółć"
    assert "".join(Sample([decomposed], compose=False).pieces()) == decomposed


def test_characters_left_out_become_spaces() -> None:
    assert "".join(Sample(["na☃wet 漢"], compose=True).pieces(without="☃漢")) == "na wet  "


def test_the_bound_excludes_overflow_of_32_bit_pair_counts() -> None:
    assert sample.MAX_BYTES < 2**31


def test_a_sample_over_the_bound_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch, documents: list[str]) -> None:
    monkeypatch.setattr(sample, "MAX_BYTES", 2001)
    trained = train(documents * 50, TokenizerConfig(vocab_size=260))
    assert any("was cut at 200" in note for note in trained.notes)
    text = Sample(["ż" * 3000], compose=True, max_bytes=2001)  # never inside a character
    assert (text.characters, text.bytes, text.cut) == (1000, 2000, True)


def test_learned_pieces_of_wordpiece_are_in_the_file_as_one_vocabulary(tokenizers: dict[str, Tokenizer]) -> None:
    model = json.loads(tokenizers["wordpiece"].to_bytes())["model"]
    assert model["type"] == "WordPiece"
    assert model["max_input_chars_per_word"] == 100
    assert sorted(model["vocab"].values()) == list(range(512))


@pytest.mark.parametrize("kind", ["wordpiece", "unigram"])
def test_what_is_left_out_of_the_alphabet_parts_words_and_enters_no_piece(kind: str, documents: list[str]) -> None:
    """Dropped without a trace it would join its neighbours into words that nobody wrote."""
    texts = [*documents * 3, "qqq☃vvv " * 3]
    trained = train(texts, TokenizerConfig(kind=kind, vocab_size=300, coverage=0.99))  # type: ignore[arg-type]
    assert not any("☃" in token or "qv" in token.replace("##", "") for token in trained.tokens)


def test_bpe_that_folds_capitals_learns_no_piece_with_one(documents: list[str]) -> None:
    trained = train(documents, TokenizerConfig(kind="bpe", vocab_size=400, lowercase=True))
    assert not any(set(token) & set("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for token in trained.tokens[5 + 256 :])
