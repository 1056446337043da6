"""Sees text that was escaped for JSON twice: a backslash and an n where a line should end."""

from __future__ import annotations

import re

# Glued to what stands around it, as a line break was; prose about escapes ("\n, \t") leaves blanks or quotes there.
_BREAK = re.compile(r"(?<=[\w.,;!?)\]”»])\\n(?=(?:\\n|\\\"|[\w„«(—-]))")
_QUOTE = re.compile(r'\\"(?=\w)|(?<=[\w.,!?…])\\"')
_CODE = re.compile(r"\\u[0-9a-fA-F]{4}")
_FEWEST = 3
_APART = 400  # characters for each escape, at most


def is_double_escaped(text: str) -> bool:
    """Whether escapes stand in `text` as often as what they should have become."""
    if "\\" not in text:
        return False
    breaks, quotes, codes = (len(pattern.findall(text)) for pattern in (_BREAK, _QUOTE, _CODE))
    if breaks + quotes + codes < max(_FEWEST, len(text) / _APART):
        return False
    return breaks > text.count("\n") or quotes > text.count('"') - quotes or codes >= _FEWEST
