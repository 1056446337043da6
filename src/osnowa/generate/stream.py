"""Tokens to text while they come: whole characters only, and never a part of a text that stops it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from osnowa.tokenizer import Tokenizer

_MENDED = "\ufffd"  # what decoders put where bytes are no character
_LONGEST = 3  # bytes of a character that is not complete
_CONTEXT, _WINDOW = 8, 64  # tokens that decide how the next one is written; tokens that are decoded at once


class Characters:
    """Pieces of text, each of whole characters; together they are what the tokens add to the text before them.

    Only the newest tokens are decoded, so a token costs the same however long the text is.
    """

    def __init__(self, tokenizer: Tokenizer, before: Sequence[int] = ()) -> None:
        """`before`: ids of the text that is gone on with, without special tokens."""
        self.tokenizer = tokenizer
        self.tokens = list(before)[-_CONTEXT:]
        self.given = tokenizer.decode(self.tokens) if self.tokens else ""

    def push(self, token: int) -> str:
        """What can be said for certain now; a character whose bytes are not all there waits."""
        self.tokens.append(token)
        text = self.tokenizer.decode(self.tokens)
        complete = text.rstrip(_MENDED)
        certain = text[: max(len(complete), len(text) - _LONGEST)]
        # Bytes may be decoded anew, and otherwise, when the next one comes: what was given must stay a beginning.
        if not certain.startswith(self.given):
            return ""
        piece, self.given = certain[len(self.given) :], certain
        if len(self.tokens) > _WINDOW and certain == text:
            self.tokens = self.tokens[-_CONTEXT:]
            self.given = self.tokenizer.decode(self.tokens)
        return piece

    def finish(self) -> str:
        """The rest, incomplete characters as the decoder writes them."""
        text = self.tokenizer.decode(self.tokens) if self.tokens else ""
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(text, self.given, strict=False)))
        self.given = text
        return text[same:]


class TextStream:
    """Text of one row as it comes, up to the first of the texts that stop it.

    What might be the beginning of one of them waits until it is known. `stopped` says that one came.
    """

    def __init__(self, tokenizer: Tokenizer, before: Sequence[int] = (), stop: Sequence[str] = ()) -> None:
        self.characters, self.stop = Characters(tokenizer, before), tuple(stop)
        self.waiting, self.stopped = "", False

    def push(self, token: int) -> str:
        """The text that can be shown after this token."""
        return self._show(self.characters.push(token))

    def finish(self) -> str:
        """The rest of the text, after the last token."""
        piece = self._show(self.characters.finish())
        rest, self.waiting = self.waiting, ""
        return piece if self.stopped else piece + rest

    def _show(self, piece: str) -> str:
        if self.stopped:
            return ""
        text = self.waiting + piece
        places = [place for place in map(text.find, self.stop) if place >= 0]
        if places:
            self.stopped, self.waiting = True, ""
            return text[: min(places)]
        held = max((_overlap(text, each) for each in self.stop), default=0)
        self.waiting = text[len(text) - held :]
        return text[: len(text) - held]


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` are the beginning of `stop`."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
