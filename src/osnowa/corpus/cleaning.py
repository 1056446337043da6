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
    applied until all are content.
    """
    changes: list[Change] = []
    for _ in range(_MOST_ROUNDS):
        known = len(changes)
        for rule, apply in RULES.items():
            if rule not in rules_off:
                cleaned = apply(text)
                if cleaned != text:
                    changes.append(Change(rule, text, cleaned))
                    text = cleaned
        if len(changes) == known or text.isascii() and not _REPEATS.search(text):
            break
    return text, changes
