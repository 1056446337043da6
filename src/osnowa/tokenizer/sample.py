"""The text a vocabulary is learned from: read once, bounded, kept as UTF-8, its characters counted."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from osnowa.errors import DataError

# The library counts pairs of neighbours in 32 bits with a sign (tokenizers issue #437). A text of fewer than 2**31
# characters, or bytes for the byte-level kind, has no pair that often; 2**30 bytes keep a factor of two.
MAX_BYTES = 1 << 30
_BATCH = 1 << 20  # characters joined before they are counted and encoded: the per-call costs vanish
_PIECE = 8192  # characters given to the library at a time: it keeps about 50 bytes a character meanwhile


def to_utf8(text: str) -> bytes:
    """The bytes of `text`.

    Raises:
        DataError: half a surrogate pair, which is no character (JSON can smuggle one in).
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        half = f"U+{ord(text[error.start]):04X}"
        raise DataError(
            "text for the tokenizer", f"holds {half}, half a surrogate pair", "clean the text first"
        ) from None


class Sample:
    """All of `texts`, or as much as `max_bytes` allow (then `cut` is true).

    `characters` is their number; `counts[c]` says how often the code point c occurs.
    """

    def __init__(self, texts: Iterable[str], *, compose: bool, max_bytes: int = MAX_BYTES) -> None:
        self.counts: NDArray[np.int64] = np.zeros(0x110000, dtype=np.int64)
        self.characters = self.bytes = 0
        self.cut = False
        self._blocks: list[bytes] = []
        waiting: list[str] = []
        length = 0
        for text in texts:
            if compose and not unicodedata.is_normalized("NFC", text):
                text = unicodedata.normalize("NFC", text)
            waiting.append(text)
            length += len(text)
            if length >= _BATCH:
                if not self._add("\n".join(waiting), max_bytes):
                    return
                waiting, length = [], 0
        self._add("\n".join(waiting), max_bytes)

    def _add(self, block: str, max_bytes: int) -> bool:
        data = to_utf8(block)
        if self.bytes + len(data) > max_bytes:
            self.cut = True
            block = data[: max_bytes - self.bytes].decode("utf-8", "ignore")
            data = block.encode()
        points = np.frombuffer(block.encode("utf-32-le"), dtype=np.uint32)
        found = np.bincount(points)
        self.counts[: len(found)] += found
        self.characters += len(block)
        self.bytes += len(data)
        self._blocks.append(data)
        return not self.cut

    def pieces(self, without: Iterable[str] = ()) -> Iterator[str]:
        """The text in pieces of at most 8192 characters, cut at white space; characters of `without` become spaces."""
        table = {ord(character): " " for character in without}
        for data in self._blocks:
            block = data.decode()
            if table:
                block = block.translate(table)
            start = 0
            while start < len(block):
                stop = start + _PIECE
                if stop < len(block):
                    border = max(block.rfind(" ", start, stop), block.rfind("\n", start, stop))
                    stop = border if border > start else stop
                yield block[start:stop]
                start = stop
