"""Whether text outside UTF-8 reads as Western European in cp1252: judged word by word, beside the Polish reading."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

Kind = Literal["western", "polish", "either", "plain", "neither"]

# A word with a byte outside ASCII (and no-break space not among them), found in one pass: nothing is tried twice.
_WORD = re.compile(
    rb"(?<![A-Za-z0-9\x80-\x9f\xa1-\xff])[A-Za-z0-9]*+[\x80-\x9f\xa1-\xff][A-Za-z0-9\x80-\x9f\xa1-\xff]*+"
)
_LONGEST = 60  # bytes; what is longer is no word
_REMEMBERED = 20_000  # words whose kind is not worked out again
_MANY = 0.005  # share of the letters, from which one language must explain them: foreign names in English stay below it
_MOST = 0.25  # no Western text has more letters outside ASCII (Icelandic 12 % on the whole); Cyrillic and Greek have

# The letters outside ASCII of each language, as it uses them in print, with those of its common loan words.
LANGUAGES = {
    "French": "àâæçèéêëîïôœùûü",
    "German": "äöüßéàè",
    "Spanish": "áéíñóúüïçàèò",  # Catalan and Galician, too
    "Portuguese": "áàâãçéêíóôõúü",
    "Italian": "àèéìíîòóùú",
    "Dutch": "ëïéèêöüáóç",
    "Swedish": "åäöéàü",  # Finnish, too
    "Danish": "åæøéèêóòôâ",  # Norwegian, too
    "Icelandic": "áéíóúýþæöð",
}
_SAME = frozenset(  # decoded alike by cp1250 and cp1252
    c
    for b in range(0x80, 0x100)
    if (c := bytes([b]).decode("cp1252", "ignore")) == bytes([b]).decode("cp1250", "ignore")
)
_POLISH = frozenset("ąćęłńóśźżĄĆĘŁŃÓŚŹŻ")
_SOFT = "ńśćźŃŚĆŹ"  # never before a vowel, where Polish writes ni, si, ci, zi
_BEFORE_C = "aąeęioóuyśźrlłnj"  # letters after which ć stands; "Cćsar" and "encyclopćdia" are not Polish
_VOWELS = "aeiouyáàâãäåæéèêëíìîïóòôõöøúùûüąęóAEIOUY"
_INSIDE = "’‘'´–—-·"  # marks that may stand between two letters
_OPENING = "„‚¿¡£¥€"  # never after a letter
_LONELY = "¹¼½¾±¶¦¯¬¤¨¸ˆ˜ƒ×÷ªº©†‡§¢"  # never beside a letter; in cp1250, ISO-8859-2 and cp852 many of them are letters
_UNITS = frozenset(("m", "mm", "cm", "dm", "km", "ft", "in"))


@dataclass
class Evidence:
    """Words with bytes outside ASCII, counted by how they read."""

    words: Counter[Kind] = field(default_factory=Counter)
    lettered: int = 0  # words with letters outside ASCII that some Western language has
    languages: Counter[str] = field(default_factory=Counter)  # those of them that each could have written
    example: str = ""  # the first word that reads as Western
    _known: dict[bytes, tuple[Kind, frozenset[str]]] = field(default_factory=dict, repr=False)

    def feed(self, data: bytes) -> None:
        """Count the words of `data`, in which lines are whole."""
        for word, times in Counter(_WORD.findall(data)).items():
            found = self._known.get(word)
            if found is None:
                found = judge(word)
                if len(self._known) < _REMEMBERED:
                    self._known[word] = found
            kind, languages = found
            self.words[kind] += times
            self.lettered += times if languages else 0
            for language in languages:
                self.languages[language] += times
            if kind == "western" and not self.example:
                self.example = word.decode("cp1252")

    def convincing(self, high: int, ascii_letters: int) -> bool:
        """Whether the text is to be read as cp1252.

        Words that are Polish, or no Western language's, are at most one in a hundred of those that only a Western
        language has; words that could be either are no more than those. A text with many letters outside ASCII is
        written in one language.

        Args:
            high: letters outside ASCII, as cp1252 has them.
            ascii_letters: letters of ASCII.
        """
        western, either, plain = (self.words[kind] for kind in ("western", "either", "plain"))
        odd = self.words["polish"] + self.words["neither"]
        if high > _MOST * (high + ascii_letters) or 100 * odd > western + plain or either > western:
            return False
        if high > _MANY * (high + ascii_letters) and self.lettered:
            return max(self.languages.values()) >= 0.95 * self.lettered
        return western + plain > 0


def judge(word: bytes) -> tuple[Kind, frozenset[str]]:
    """How a word reads, and which Western languages could have written it.

    "plain": the same in cp1250 and cp1252, marks and ó, so it says nothing and harms nothing.
    """
    if len(word) > _LONGEST:
        return "neither", frozenset()
    western, languages = _is_western(word)
    polish = any(_is_polish(word, encoding) for encoding in ("cp1250", "iso8859-2"))
    if not western:
        return ("polish" if polish else "neither"), frozenset()
    text = word.decode("cp1252")
    high = [letter for letter in text if letter > "\x7f"]
    if all(letter in _SAME and (not letter.isalpha() or letter in "óÓ") for letter in high):
        return "plain", frozenset()
    return ("either" if polish and not _has_unit(text) else "western"), languages


def _is_western(word: bytes) -> tuple[bool, frozenset[str]]:
    try:
        text = word.decode("cp1252")
    except UnicodeDecodeError:  # a byte that cp1252 does not define
        return False, frozenset()
    letters = {letter.lower() for letter in text if letter > "\x7f" and letter.isalpha() and letter not in "ªºµ"}
    languages = frozenset(name for name, own in LANGUAGES.items() if letters <= set(own))
    if letters and not languages:
        return False, frozenset()
    around = f" {text} "
    fits = all(
        _fits(letter, around[index : index + 3], text, index) for index, letter in enumerate(text) if letter > "\x7f"
    )
    return fits, languages if letters else frozenset()


def _fits(letter: str, around: str, text: str, index: int) -> bool:
    """Whether a character outside ASCII stands where Western text has it; `around` is it and its two neighbours."""
    before, after = around[0], around[2]
    if letter.isalpha() and letter not in "ªºµƒˆ":
        if letter.isupper() and before.islower():
            return False
        if letter == "ñ":
            return after in _VOWELS
        return letter != "œ" or after.isalpha()
    if letter in "²³":
        return not after.isalpha() and (not before.isalpha() or text[:index].lstrip("0123456789") in _UNITS)
    if letter in _LONELY:
        return not before.isalpha() and not after.isalpha()
    if letter in "«»":
        inside, outside = (after, before) if letter == "«" else (before, after)
        return not outside.isalpha() or (not inside.isalpha() and text[0] == "»")  # »so« in German
    if letter in _OPENING:
        money = letter in "£¥€"
        return not before.isalpha() and not (money and after.isalpha())
    return letter in _INSIDE or not (before.isalpha() and after.isalpha())


def _has_unit(text: str) -> bool:
    """m², km³: the Polish reading mł is no word."""
    return text[-1] in "²³" and text[:-1].lstrip("0123456789") in _UNITS


def _is_polish(word: bytes, encoding: str) -> bool:
    """Whether the word reads as Polish: no other letters outside ASCII, one besides ó, soft ones not before vowels."""
    text = word.decode(encoding, "replace")
    high = [letter for letter in text if letter > "\x7f"]
    if not all(letter in _POLISH for letter in high) or all(letter in "óÓ" for letter in high):
        return False
    if not any(letter.isalpha() for letter in text if letter not in high) and text[-1].isdigit():  # £5
        return False
    if any(letter in _SOFT and after in _VOWELS for letter, after in pairwise(text)):
        return False
    if any(
        letter in "ćĆ" and before.isalpha() and before.lower() not in _BEFORE_C for before, letter in pairwise(text)
    ):
        return False
    return not any(letter.isupper() and letter > "\x7f" and before.islower() for before, letter in pairwise(text))
