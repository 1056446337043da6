"""What entries stand for: continuing a word or not, bytes of text."""

from __future__ import annotations

from osnowa.tokenizer import Tokenizer
from osnowa.tokenizer.pieces import BYTES, count_bytes, find_continuations


def test_the_byte_letters_are_those_of_the_library() -> None:
    from tokenizers.pre_tokenizers import ByteLevel

    assert set(BYTES) == set(ByteLevel.alphabet())
    assert sorted(BYTES.values()) == list(range(256))
    for text in ("ż", "\n", "😀", " ~"):
        letters = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)[0][0]
        assert bytes(BYTES[letter] for letter in letters) == text.encode()


def test_wordpiece_continues_with_its_prefix() -> None:
    found = find_continuations("wordpiece", ["[MASK]", "kot", "##ami", "##", "#", "##x"], frozenset([0, 5]), "##")
    assert found.tolist() == [False, False, True, False, False, False]


def test_bytes_continue_with_letters_and_cut_characters() -> None:
    written = {value: key for key, value in BYTES.items()}
    texts = [b"kot", b" kot", b"\nkot", b".", b" ", "żół".encode(), "—".encode(), b"\xbc", b"\xc5", b"7", b"(a"]
    tokens = ["".join(written[byte] for byte in text) for text in texts]
    expected = [True, False, False, False, False, True, False, True, True, True, False]
    assert find_continuations("bpe", tokens, frozenset(), "").tolist() == expected


def test_unigram_continues_without_its_space() -> None:
    tokens = ["▁kot", "ami", ".", "▁", "7", "”.", "ż"]
    expected = [False, True, False, False, True, False, True]
    assert find_continuations("unigram", tokens, frozenset(), "▁").tolist() == expected


def test_words_are_put_together_from_their_tokens(tokenizer: Tokenizer) -> None:
    text = "Babcia naprawia źdźbłowatościom zegar."
    words: list[list[int]] = []
    for place, index in enumerate(tokenizer.encode(text)):
        if place and tokenizer.continues_word[index]:
            words[-1].append(index)
        else:
            words.append([index])
    joined = ["".join(tokenizer.token(i).removeprefix("##").strip("▁Ġ") for i in word) for word in words]
    assert len([word for word in joined if word]) == 5
    assert not tokenizer.continues_word[:5].any()
    assert tokenizer.continues_word.shape == (tokenizer.vocab_size,)


def test_bytes_of_tokens_add_up_to_the_text(tokenizers: dict[str, Tokenizer]) -> None:
    text = "Żółw pływa (powoli), prawda?"
    for kind, spaces in (("wordpiece", -3), ("bpe", 0), ("unigram", 1)):  # unigram has one before the first word
        counted = tokenizers[kind].num_bytes[tokenizers[kind].encode(text)].sum()
        assert counted == len(text.encode()) + spaces
        assert not tokenizers[kind].num_bytes[:5].any()


def test_special_tokens_have_no_bytes() -> None:
    assert count_bytes("wordpiece", ["[PAD]", "##ół"], frozenset([0]), "##").tolist() == [0, 4]
