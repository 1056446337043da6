"""Source and target as one text with the place where the target begins; no sign in the text tells them apart."""

from __future__ import annotations

import xxhash

BREAK = "\n"  # stands between both, for readers; the border is a number, so that either side may hold it too


def join(source: str, target: str) -> tuple[str, int]:
    """The text of a pair, and where in it the target begins."""
    return f"{source}{BREAK}{target}", len(source) + len(BREAK)


def sides(text: str, border: int) -> tuple[str, str]:
    """Source and target of the text that `join` made."""
    return text[: border - len(BREAK)], text[border:]


def identity(text: str, border: int = 0) -> bytes:
    """The 128-bit hash of a text, or (`border` not 0) of a pair: the same text with another border is another pair."""
    return xxhash.xxh3_128_digest(f"{border}:{text}".encode() if border else text.encode())
