"""What single entries of a vocabulary stand for: whether they continue a word, how many bytes of text they hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from osnowa.tokenizer.config import Kind


def _byte_letters() -> dict[str, int]:
    """The printable character that stands for each byte (the library's own table)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}


BYTES = _byte_letters()
# Files with words marked by "▁" may spell what has no entry in bytes, so.
_ONE_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


def find_continuations(
    kind: Kind, tokens: Sequence[str], special_ids: frozenset[int], prefix: str
) -> NDArray[np.bool_]:
    """[vocab] True where a token goes on with the word before it, for masking whole words.

    wordpiece: it has the prefix "##". bpe and unigram: it begins with a letter, digit or mark (or in the middle of one)
    and not with a space. One array can't see the neighbour: a word right after an opening bracket or quote goes with it.
    The first token of a text starts a word whatever this says.
    """
    starts = {"wordpiece": _has_prefix, "bpe": _goes_on_in_bytes, "unigram": _goes_on}[kind]
    found = [index not in special_ids and starts(token, prefix) for index, token in enumerate(tokens)]
    return np.array(found, dtype=np.bool_)


def count_bytes(kind: Kind, tokens: Sequence[str], special_ids: frozenset[int], prefix: str) -> NDArray[np.int32]:
    """[vocab] bytes of UTF-8 text in each token. bpe counts its spaces, unigram too, wordpiece has none."""
    counts = []
    for index, token in enumerate(tokens):
        if index in special_ids:
            counts.append(0)
        elif kind == "bpe":
            counts.append(len(token))
        elif kind == "unigram":
            counts.append(1 if _ONE_BYTE.fullmatch(token) else len(token.replace(prefix, " ").encode()))
        else:
            counts.append(len(token.removeprefix(prefix).encode()))
    return np.array(counts, dtype=np.int32)


def _has_prefix(token: str, prefix: str) -> bool:
    return token.startswith(prefix) and len(token) > len(prefix)


def _goes_on(token: str, prefix: str) -> bool:
    if byte := _ONE_BYTE.fullmatch(token):
        return int(byte[1], 16) >= 0x80  # a part of a character that has no entry
    return not token.startswith(prefix) and _belongs_to_word(token[:1])


def _goes_on_in_bytes(token: str, prefix: str) -> bool:
    data = bytes(BYTES.get(letter, 0x20) for letter in token)
    first = data[0] if data else 0x20
    length = 1 + (first >= 0xC0) + (first >= 0xE0) + (first >= 0xF0)
    character = data[:length].decode("utf-8", "ignore")
    return _belongs_to_word(character) if character else True  # a part of a character that was cut


def _belongs_to_word(character: str) -> bool:
    return bool(character) and (character == "_" or unicodedata.category(character)[0] in "LNM")
