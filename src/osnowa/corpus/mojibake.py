"""Mends text that was decoded with the wrong encoding: ftfy's encoding fix, and what it leaves of Polish."""

from __future__ import annotations

import re
from collections.abc import Iterable

import ftfy
import ftfy.bad_codecs  # registers the "sloppy" tables, in which every byte means something

POLISH = "ąćęłńóśźżĄĆĘŁŃÓŚŹŻ"
_TABLES = (
    "latin-1", "sloppy-windows-1250", "sloppy-windows-1251", "sloppy-windows-1252", "sloppy-windows-1253",
    "iso-8859-2", "macroman", "cp437", "cp852",
)  # fmt: skip


def _signs(byte_values: Iterable[int]) -> str:
    signs = {bytes([value]).decode(table, errors="ignore") for table in _TABLES for value in byte_values}
    return re.escape("".join(sorted(sign for sign in signs if not sign.isascii() and sign not in POLISH + "–—„")))


# UTF-8 read one byte a character: a lead byte's sign, then a continuation byte's. ftfy's own test reads 5 MB/s of
# Polish; this pair lets good Polish pass at 200 MB/s, since no Polish letter and no common mark is among the leads.
_LEADS = _signs([0xC2, 0xC3, 0xC4, 0xC5, 0xCE, 0xCF, 0xD0, 0xD1, 0xD7, 0xD8, 0xD9, 0xE2, 0xE3, 0xE5, 0xEF, 0xF0])
_LEAD = re.compile(f"[{_LEADS}\x80-\x9f]")
_SUSPECT = re.compile(f"[{_LEADS}][{_signs(range(0x80, 0xC0))}{POLISH}–—„]|[ÂÃ\x80-\x9f]")

# What ftfy leaves: a single letter ("Ä…" might be meant) and everything in cp852, which is not among its tables.
_PAIRS = {
    letter.encode().decode(table, errors="ignore"): letter
    for table in ("cp852", "cp437", "iso-8859-2", "latin-1", "sloppy-windows-1252", "sloppy-windows-1250")  # last wins
    for letter in POLISH
}
_PAIR = re.compile("|".join(re.escape(pair) for pair in _PAIRS if len(pair) == 2))
_ENOUGH = 3  # such pairs in a document, of two kinds, before each one is believed

# Polish in a Central European table read as a Western one ("Za¿ó³æ"). Nobody writes these signs between two letters.
_BETWEEN = re.compile(r"(?<=[a-zA-Zæêñóœ])[³¹¿±¶¼](?=[a-zæêñóœ])")
_SIGN = re.compile("[³¹¿±¶¼]")
_NOT_WESTERN = re.compile("[ąćęłńśźżĄĆĘŁŃŚŹŻ]")
_OWN_SIGNS = {("cp1252", "cp1250"): "¹œŸ", ("latin-1", "iso-8859-2"): "±¶¼"}


def mend(text: str) -> str:
    """`text` with wrongly decoded sequences mended; text that shows no sign of them comes back as it is."""
    before = None
    while text != before and not text.isascii():  # a second look may see what the first one uncovered
        before, text = text, _mend_once(text)
    return text


def _mend_once(text: str) -> str:
    if _LEAD.search(text) and _SUSPECT.search(text):
        pairs = _PAIR.findall(text)
        text = "\n".join(ftfy.fix_encoding(line) if _SUSPECT.search(line) else line for line in text.split("\n"))
        if len(pairs) >= _ENOUGH and len(set(pairs)) > 1:
            text = _PAIR.sub(lambda match: _PAIRS[match[0]], text)
    if _SIGN.search(text) and len(_BETWEEN.findall(text)) >= _ENOUGH and not _NOT_WESTERN.search(text):
        tables = max(_OWN_SIGNS, key=lambda tables: sum(text.count(sign) for sign in _OWN_SIGNS[tables]))
        text = text.translate(_SWAPS[tables])
    return text


def _swap(western: str, central: str) -> dict[int, str]:
    letters = {letter: letter.encode(central).decode(western, errors="ignore") for letter in POLISH}
    return {ord(sign): letter for letter, sign in letters.items() if sign}


_SWAPS = {tables: _swap(*tables) for tables in _OWN_SIGNS}
