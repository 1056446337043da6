"""The named rules that clean a document's text, in their order, each counted."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass

from osnowa.corpus.mojibake import mend
from osnowa.corpus.wrapping import unwrap

_MOST_ROUNDS = 20  # two are enough for all text met so far; random strings of rare characters took five


@dataclass(frozen=True)
class Change:
    """What one rule did to one document: the texts before and after it."""

    rule: str
    before: str
    after: str

    def bytes_removed(self) -> int:
        """Bytes of UTF-8 that went; negative where the rule made the text longer."""
        return size(self.before) - size(self.after)


def size(text: str) -> int:
    """Bytes of `text` as UTF-8; a lone surrogate counts three, as it would if UTF-8 allowed it."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def clean(text: str, rules_off: Collection[str] = ()) -> tuple[str, list[Change]]:
    """The cleaned text and what each rule changed; cleaning it once more changes nothing.

    A rule can make work for an earlier one (a zero-width space inside a wrongly decoded letter), so the rules are
    applied until all are content with the text.
    """
    changes: list[Change] = []
    content: dict[str, str] = {}  # the text that a rule was last content with
    for _ in range(_MOST_ROUNDS):
        for rule, apply in RULES.items():
            if rule in rules_off or content.get(rule) is text:
                continue
            cleaned = apply(text)
            if cleaned != text:
                changes.append(Change(rule, text, cleaned))
                text = cleaned
            content[rule] = text
        if not changes or all(settled is text for settled in content.values()):
            break
    return text, changes


# --- line endings -------------------------------------------------------------------------------------------------

_BREAK = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
_ANY_BREAK = re.compile("[\r\v\f\x85\u2028\u2029]")  # a class alone is searched 20 times as fast


def end_lines(text: str) -> str:
    """CR LF, CR, vertical tab, form feed, NEL and the Unicode separators become a line feed."""
    return _BREAK.sub("\n", text) if _ANY_BREAK.search(text) else text


# --- control and invisible characters -----------------------------------------------------------------------------

_SPACES = "\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
# Controls, soft hyphen, zero-width and direction marks, annotation and object signs, tags, noncharacters (the last
# two of each plane and U+FDD0-FDEF) and lone surrogates. The joiners U+200C and U+200D have a rule of their own.
_INVISIBLE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff0-\ufffc\ufffe\uffff\ud800-\udfff"
)
_INVISIBLE_ABOVE = "\U000e0000-\U000e007f" + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000)
)
_UNWANTED = re.compile(f"[{_SPACES}{_INVISIBLE}\u200c\u200d]")
_ABOVE = re.compile("[\U00010000-\U0010ffff]")  # apart: a class with such characters is searched 30 times slower
_SPACE = re.compile(f"[{_SPACES}]")
_NOTHING = re.compile(f"[{_INVISIBLE}{_INVISIBLE_ABOVE}]+")
_HYPHENATED = re.compile("\xad[ \t]*\n[ \t]*")
_JOINERS = re.compile("[\u200c\u200d]+")
_SHAPED_FROM = "\u0590"  # scripts from Hebrew on, and emoji, are shaped by joiners; Latin, Greek and Cyrillic are not


def drop_controls(text: str) -> str:
    """Odd spaces become a space; invisible characters go; a word divided by a soft hyphen at a line's end is whole."""
    if not _UNWANTED.search(text) and not _ABOVE.search(text):
        return text
    text = _NOTHING.sub("", _HYPHENATED.sub("", _SPACE.sub(" ", text)))
    return _JOINERS.sub(_keep_joiner, text)


def _keep_joiner(match: re.Match[str]) -> str:
    around = match.string[max(0, match.start() - 1) : match.start()], match.string[match.end() : match.end() + 1]
    return match[0][0] if min(around) >= _SHAPED_FROM else ""


# --- one form for each letter -------------------------------------------------------------------------------------


def compose(text: str) -> str:
    """Unicode normalisation form C: "a" and a combining ogonek become "ą"."""
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


# --- white space --------------------------------------------------------------------------------------------------

_BLANKS = re.compile(r"(?<=[^ \t\n])[ \t]{2,}(?=[^ \t\n])")
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)
_EMPTY_LINES = re.compile(r"\n{3,}")


def squeeze(text: str) -> str:
    """Runs of blanks inside a line become one (a tab if they hold one), trailing blanks and empty ends go, at most one
    empty line stays; the indentation of a line is kept."""
    if "  " in text or "\t" in text:
        text = _BLANKS.sub(lambda match: "\t" if "\t" in match[0] else " ", text)
    if " \n" in text or "\t\n" in text:
        text = _TRAILING.sub("", text)
    if "\n\n\n" in text:
        text = _EMPTY_LINES.sub("\n\n", text)
    return text.strip(" \t\n")


RULES: dict[str, Callable[[str], str]] = {
    "mojibake": mend,  # first: what follows would remove the evidence
    "line_endings": end_lines,
    "control_characters": drop_controls,
    "nfc": compose,  # after the removals: letter, zero-width space, accent
    "white_space": squeeze,
    "unwrapped_lines": unwrap,
}
