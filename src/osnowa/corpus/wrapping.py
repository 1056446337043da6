"""Joins the lines of hard-wrapped paragraphs; verse, lists, code and tables keep theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

# Text is wrapped by hand or program at 60-100 characters; verse and code are mostly narrower.
_NARROWEST, _WIDEST = 50, 110
_FILLED = 0.92  # `fmt` and TeX-like wrapping leave up to 7 % of a line empty for the sake of the next
# A line that starts a new item: bullets, numbers, dashes of dialogue, headings, quotations of e-mail, log times.
_ITEM = re.compile(r"\s*(?:[-–—*•·+>|#=~_\[]|\(?(?:\d{1,3}|[a-zA-Z])[.)]\s|\d+:\d+)")
# Lines of programs, tables and prompts.
_CODE = re.compile(
    r"[\t|{}]|>>>|[;\\]$|^ *(?:\$|//|#|def |class |import |return )|(?:=|->|::)\s|\(\)|[-=_*.]{4,}", re.M
)


def unwrap(text: str) -> str:
    """`text` with each hard-wrapped paragraph on one line.

    A line break counts as a wrap when the first word after it would not have fitted before it. A block between blank
    lines is joined when (nearly) all its breaks are wraps, at most two in five of its later lines begin with a capital, and
    nothing in it looks like code or a table; the items of a list are judged one by one. A block with longer lines has
    none that are wrapped. Nothing else is looked at, so that a second call changes nothing.
    """
    if "\n" not in text:
        return text
    lines: list[str] = []
    for blank, block in groupby(text.split("\n"), lambda line: not line or line.isspace()):
        whole = list(block)
        if not blank and len(whole) > 1 and _NARROWEST <= max(map(len, whole)) <= _WIDEST:
            for item in _items(whole):
                lines.extend([_join(item)] if _is_wrapped(item) else item)
        else:
            lines.extend(whole)
    return "\n".join(lines)


def _items(block: list[str]) -> Iterator[list[str]]:
    """The items of a list, or the whole block."""
    item = block[:1]
    for line in block[1:]:
        if _ITEM.match(line):
            yield item
            item = []
        item.append(line)
    yield item


def _is_wrapped(block: list[str]) -> bool:
    if len(block) < 2:
        return False
    width = max(map(len, block))
    if not _NARROWEST <= width <= _WIDEST or _indents_differ(block):
        return False
    later = [line.lstrip() for line in block[1:]]
    capitals = sum(line[0].isupper() for line in later)
    if len(block) == 2:  # one break proves nothing by its place: the sentence must go on in the second line
        return later[0][0].islower() and block[0][-1] not in ".!?:;" and not _CODE.search("\n".join(block))
    words = [line.split(" ", 1)[0] for line in later]
    enough = width * _FILLED
    fitting = sum(len(line) + 1 + len(word) <= enough for line, word in zip(block[:-1], words, strict=True))
    return fitting <= len(words) // 6 and 5 * capitals <= 2 * len(later) and not _CODE.search("\n".join(block))


def _indents_differ(block: list[str]) -> bool:
    """Only the first line may stand apart (an indented paragraph, the mark of an item)."""
    return len({len(line) - len(line.lstrip()) for line in block[1:]}) > 1


def _join(block: list[str]) -> str:
    joined = block[0]
    for line in block[1:]:
        word = line.lstrip()
        if joined.endswith("--") or (joined[-1] == "-" and joined[-2:-1].isalpha() and word[0].islower()):
            joined += word  # a dash, or a compound such as "biało-\nczerwony"
        else:
            joined += " " + word
    return joined
