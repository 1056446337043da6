"""Ids of many texts, fast: what stands between two spaces is encoded once and remembered."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from osnowa.tokenizer.assembly import SPACE
from osnowa.tokenizer.config import Kind

Encode = Callable[[Sequence[str]], list[list[int]]]
MAX_CHUNKS = 1 << 18  # remembered; about 60 MB
_SPACE_AFTER_SPACE = re.compile(r"\s ")
_BEFORE_SPACE = re.compile(r"(?<=\S)(?= )")


class ChunkCache:
    """Encodes texts by their chunks; equal to `encode` of whole texts where `engine.is_cacheable` says so.

    Measured on 20 MB of Polish and English in sentences, one busy core: wordpiece 5.6 instead of 1.5 MB/s, bpe 3.7
    instead of 1.4, unigram 4.0 instead of 1.4.
    """

    def __init__(self, kind: Kind, encode: Encode) -> None:
        self._encode = encode
        self._cut = cut_before_spaces if kind == "bpe" else cut_at_spaces
        self._known: dict[str, bytes] = {}

    def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids of all texts end to end [tokens], and the number of ids of each text [texts]."""
        cut = [self._cut(text) for text in texts]
        if len(self._known) > MAX_CHUNKS:
            self._known = {}
        known = self._known
        new = list({chunk for chunks in cut for chunk in chunks if chunk not in known})
        for chunk, ids in zip(new, self._encode(new), strict=True):
            known[chunk] = array("i", ids).tobytes()
        joined = [b"".join(map(known.__getitem__, chunks)) for chunks in cut]
        lengths = np.fromiter(map(len, joined), dtype=np.int64, count=len(joined)) // 4
        return np.frombuffer(b"".join(joined), dtype=np.int32).astype(np.int64), lengths


def cut_at_spaces(text: str) -> list[str]:
    """For kinds that drop white space: spaces and line breaks always part words, everything else is theirs to judge."""
    if SPACE in text:  # to unigram the sign itself means a space
        return [text]
    return text.replace("\n", " ").split(" ")


def cut_before_spaces(text: str) -> list[str]:
    """For kinds that keep white space: in each rule a word ends before a space that follows anything visible."""
    if _SPACE_AFTER_SPACE.search(text):
        return _BEFORE_SPACE.split(text)
    first, *others = text.split(" ")
    chunks = [f" {other}" for other in others]
    if first:
        chunks.insert(0, first)
    return chunks
