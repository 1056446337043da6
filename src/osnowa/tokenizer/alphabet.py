"""Which characters get an entry of their own: by how often they occur, and some always."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POLISH = "ąćęłńóśźżĄĆĘŁŃÓŚŹŻ"
ALWAYS = "".join(map(chr, range(0x21, 0x7F))) + POLISH
COVERAGE = 0.9999
# Characters that are each a word to the pre-tokenizer (its own list of CJK ranges).
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


@dataclass(frozen=True)
class Alphabet:
    """`characters`, sorted by code point, and all others that were counted, but for the space and the line break."""

    characters: tuple[str, ...]
    others: tuple[str, ...]


def choose_alphabet(counts: NDArray[np.int64], *, coverage: float, lowercase: bool) -> Alphabet:
    """The most frequent characters that make up the share `coverage` of the text, and printable ASCII and Polish always.

    White space, control characters, surrogates and unassigned code points never get an entry. Of two characters
    equally frequent the one with the smaller code point goes first, so the choice depends on the counts alone.
    """
    found = [chr(point) for point in np.flatnonzero(counts).tolist()]
    visible: dict[str, int] = {}
    for source in filter(is_visible, found):
        for character in source.lower() if lowercase else source:
            visible[character] = visible.get(character, 0) + int(counts[ord(source)])
    chosen = set(ALWAYS.lower() if lowercase else ALWAYS)
    wanted, covered = coverage * sum(visible.values()), 0
    for character, count in sorted(visible.items(), key=lambda item: (-item[1], item[0])):
        if covered >= wanted:
            break
        covered += count
        chosen.add(character)
    others = [source for source in found if not chosen.issuperset(source.lower() if lowercase else source)]
    return Alphabet(tuple(sorted(chosen)), tuple(source for source in others if source not in " \n"))


def is_visible(character: str) -> bool:
    """Whether it can stand in a token: no white space, control, format, surrogate, private or unassigned character."""
    return not character.isspace() and unicodedata.category(character)[0] != "C"


def stands_alone(character: str) -> bool:
    """Whether the pre-tokenizer makes it a word by itself: ASCII symbols, Unicode punctuation, ideographs."""
    point = ord(character)
    if point < 0x7F:
        return not character.isalnum()
    return unicodedata.category(character)[0] == "P" or any(low <= point <= high for low, high in _IDEOGRAPHS)
