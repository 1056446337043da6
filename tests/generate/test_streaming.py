"""Text while it comes: whole characters, and nothing of a text that stops it."""

from __future__ import annotations

import functools

import pytest

import texts
from osnowa.generate.stream import Characters, TextStream
from osnowa.tokenizer import Tokenizer, TokenizerConfig, train
from small_models import small_tokenizer

TEXT = "Zażółć gęślą jaźń 😀, a «kot» (Ala) ma – 100 % 👩‍👩‍👧 racji. Ё 日本!"


@functools.cache
def bytes_only() -> Tokenizer:
    """A byte-level vocabulary without merges beyond its smallest size: every letter of Polish and emoji is in parts."""
    return train(["aaa bbb"] * 20, TokenizerConfig(kind="bpe", vocab_size=263))


def pieces(tokenizer: Tokenizer, ids: list[int], before: list[int] | None = None) -> list[str]:
    characters = Characters(tokenizer, before or [])
    return [*map(characters.push, ids), characters.finish()]


def test_a_character_in_several_tokens_comes_whole() -> None:
    tokenizer = bytes_only()
    for character, size in (("ż", 2), ("€", 3), ("😀", 4)):
        ids = tokenizer.encode(character)
        assert len(ids) == size
        assert pieces(tokenizer, ids) == [*[""] * (size - 1), character, ""]


def test_no_piece_of_a_streamed_text_has_a_broken_character() -> None:
    tokenizer = bytes_only()
    found = pieces(tokenizer, tokenizer.encode(TEXT))
    assert "".join(found) == TEXT
    assert not any("\ufffd" in piece for piece in found)
    assert len([piece for piece in found if piece]) == len(TEXT)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_the_pieces_together_are_the_decoded_text_after_any_beginning(kind: str) -> None:
    tokenizer = small_tokenizer(kind)
    for text in texts.SENTENCES[:12]:
        ids = tokenizer.encode(text)
        whole = tokenizer.decode(ids)
        for cut in range(0, len(ids), 5):
            before = tokenizer.decode(ids[:cut])
            if whole.startswith(before):
                assert before + "".join(pieces(tokenizer, ids[cut:], ids[:cut])) == whole


def test_a_long_text_is_decoded_in_windows_and_comes_out_the_same() -> None:
    tokenizer = bytes_only()
    ids = tokenizer.encode(TEXT * 20)
    sizes: list[int] = []
    decode = tokenizer.decode

    class Counting:
        def decode(self, tokens: list[int]) -> str:
            sizes.append(len(tokens))
            return decode(tokens)

    assert "".join(pieces(Counting(), ids)) == TEXT * 20
    assert len(ids) > 1000
    assert max(sizes) < 80


def test_bytes_that_are_no_character_come_at_last_and_are_not_lost() -> None:
    tokenizer = bytes_only()
    half = tokenizer.encode("ż")[:1]
    assert "".join(pieces(tokenizer, half)) == "\ufffd"
    assert "".join(pieces(tokenizer, [*half, *tokenizer.encode("a")])) == "\ufffda"
    assert "".join(pieces(tokenizer, half * 9)) == "\ufffd" * 9
    assert "".join(pieces(tokenizer, [*half * 5, *tokenizer.encode("żab")])) == "\ufffd" * 5 + "żab"


class Letters:
    """A tokenizer whose tokens are given strings."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = tokens

    def decode(self, ids: list[int]) -> str:
        return "".join(self.tokens[index] for index in ids)


def stream(tokens: list[str], stop: list[str]) -> tuple[list[str], bool]:
    text = TextStream(Letters(*tokens), stop=stop)
    found = []
    for index in range(len(tokens)):
        found.append(text.push(index))
        if text.stopped:
            break
    found.append(text.finish())
    return found, text.stopped


@pytest.mark.parametrize(
    ("tokens", "stop", "found", "stopped"),
    [
        (["ab", "cd", "ef"], ["cd"], ["ab", "", ""], True),
        (["ab", "cd", "ef"], ["bc"], ["a", "", ""], True),
        (["ab", "cd", "ef"], ["bcde"], ["a", "", "", ""], True),
        (["ab", "cd", "ef"], ["bx"], ["a", "bcd", "ef", ""], False),
        (["ab", "cd", "ef"], ["fx"], ["ab", "cd", "e", "f"], False),
        (["ab", "cd", "ef"], ["e", "d"], ["ab", "c", ""], True),
        (["aa", "ab"], ["aab"], ["", "a", ""], True),
        (["abcdef"], ["cd", "b"], ["a", ""], True),
        (["\n", "us", "er", ":"], ["\nuser:"], ["", "", "", "", ""], True),
        (["\n", "us", "ed", ":"], ["\nuser:"], ["", "", "\nused", ":", ""], False),
    ],
)
def test_a_stop_is_found_across_tokens_and_nothing_of_it_is_shown(
    tokens: list[str], stop: list[str], found: list[str], stopped: bool
) -> None:
    assert stream(tokens, stop) == (found, stopped)


def test_a_stop_inside_a_character_of_several_tokens_is_found() -> None:
    tokenizer = bytes_only()
    text = TextStream(tokenizer, stop=["ż"])
    assert [text.push(token) for token in tokenizer.encode("aż")] == ["a", "", ""]
    assert text.stopped
    assert text.finish() == ""


def test_a_stop_in_the_prompt_stops_nothing() -> None:
    tokenizer = bytes_only()
    text = TextStream(tokenizer, tokenizer.encode("stop"), ["stop", "p!"])
    assert text.push(tokenizer.encode("!")[0]) == "!"
    assert not text.stopped
