"""Where sentences begin, by rules for Polish and English; other languages get the rules that do no harm."""

from __future__ import annotations

import re

from osnowa.corpus.abbreviations import (
    BEFORE_CAPITAL,
    BEFORE_LETTER,
    BEFORE_STARTER,
    NEVER,
    ORDINAL_STEMS,
    STARTERS,
    UNITS,
)

# A run of closing marks with footnote signs and the white space after it, or a line break that no mark precedes.
# Possessive and always successful from its first character on, so that the scan is linear on any input.
_CANDIDATE = re.compile(
    r"""[.!?…][.!?…"'»«”’“)\]}*_]*+(?:\[\d{1,3}\])*+(?P<space>\s*+)|[。！？]++[」』）】”]*+(?P<wide>\s*+)|\n\s*+"""
)
# What may stand between a border and the first letter of a sentence. Bounded, for the same reason.
_OPENERS = re.compile(r"""(?:["'„“”«»‘‚’(\[{<*_¿¡–—‒-]|\.{2,4}|…|[)\]]|\s){0,12}+""")
_STRIPPED = "„\"“”«»'‘‚’([{<*_–—‒-/"
_NUMBER = re.compile(r"[+-]?\d[\d.,:/–-]*+")
_ROMAN = re.compile(r"[IVXLC]+\b")
_WORD = re.compile(r"\w+")
_NUMBERED = re.compile(r"\d+\.")
# "1.", "2.3.", "IV.", "a.", "§ 5.", "Rys. 3." alone at the start of a sentence number what follows.
_LEAD = re.compile(
    r"\s*(?:[(\[„\"*#]*\s*(?:(?:§|[Aa]rt\.|[Uu]st\.|Rozdział|Rys\.|Ryc\.|Tab\.|Tabela|Krok|Punkt|Część|Chapter|Section|"
    r"Fig\.|Figure|Table|Step|Part)\s*)?(?:\d{1,3}(?:\.\d{1,3})*|[IVXLC]{1,6}|[A-Za-z])\.\s*){1,3}"
)
_LIST_ITEM = re.compile(
    r"(?P<bullet>[•▪◦‣●○■□➢✓→*+]\s)|(?P<heading>#{1,6}\s|={3,}|-{3,}|\*{3,})"
    r"|(?P<dash>[-–—]\s+)(?P<dashed>\S)|(?P<number>\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,4})[.)]\s+)(?P<numbered>\S)"
)
_WRAP_WIDTH = 120  # nobody wraps lines by hand beyond this
_BRACKET = 400  # characters within which a bracket's other half is looked for
_BACK = 40  # characters looked at before a full stop: longer words are no abbreviations


def split_sentences(text: str) -> list[int]:
    """Offsets in characters at which the sentences of `text` start; the first is 0, no text gives none.

    The slices between them are the whole text; the white space between two sentences opens the later one; no sentence
    is white space only (unless the text is). Time is linear in the text on any input.
    """
    if not text:
        return []
    starts, last, end = [0], 0, len(text.rstrip())
    unwrapped = _is_unwrapped(text)
    for match in _CANDIDATE.finditer(text):
        after = match.end()
        if after >= end:
            break
        mark, stop = match.start(), match.start("space")
        if stop >= 0:
            if stop == after or not _ends_by_mark(text, last, mark, stop, after):
                continue
        elif (wide := match.start("wide")) >= 0:
            stop = wide
        else:
            stop = mark
            while stop > last and text[stop - 1].isspace():
                stop -= 1
            blank = text.count("\n", mark, after) > 1
            if stop <= last or not (blank or unwrapped or _ends_by_line(text, last, stop, after)):
                continue
        starts.append(stop)
        last = stop
    return starts


def _is_unwrapped(text: str) -> bool:
    """Whether a quarter of the text stands in lines too long to be wrapped by hand: then each line is a paragraph."""
    if "\n" not in text:
        return False
    lengths = [len(line) for line in text.split("\n")]
    return 4 * sum(length for length in lengths if length > _WRAP_WIDTH) > sum(lengths)


def _ends_by_mark(text: str, last: int, mark: int, stop: int, after: int) -> bool:
    """Whether the closing marks text[mark:stop], with white space up to `after`, end the sentence begun at `last`."""
    run, line_break = text[mark:stop], text.count("\n", stop, after)
    if line_break > 1:
        return True
    if mark - last < 9 and not text[last:mark].strip():
        return False  # marks alone are no sentence
    if text[mark - 1] in "([" and run[0] in ".…" and run[-1] in ")]":
        return False  # "[…]": something is left out
    letter = _first_letter(text, after)
    if text[after] in ".!?…" and not line_break:
        # "Co . . . Nie": marks belong together; but "zdanie. ...Potem" opens with dots.
        return text.startswith("...", after) and text[mark - 1].isalnum() and text[letter].isupper()
    if text[letter].islower():
        # One sentence a line, nothing in capitals; wrapped lines of good prose do not end like this.
        return bool(line_break) and letter == after and run in (".", "!", "?") and _kind(text, last, mark)[0] == "word"
    if run == ".":
        return _full_stop_ends(text, last, mark, after, letter)
    if (")" in run or "]" in run) and run[-1] not in ".!?…" and _closes_inner_bracket(text, last, mark, run):
        return False
    if "!" in run or "?" in run:
        return True
    if ".." in run or "…" in run:
        return not text[letter].isdigit()
    # `(itd.).`: the second full stop is the sentence's own
    return run.count(".") > 1 or _full_stop_ends(text, last, mark, after, letter)


def _first_letter(text: str, after: int) -> int:
    """Where the first letter or digit at or after `after` stands, over quotes, brackets and dashes; else `after`."""
    if text[after].isalnum():
        return after
    found = _OPENERS.match(text, after).end()  # type: ignore[union-attr]  # it matches the empty string
    return found if found < len(text) and text[found].isalnum() else after


def _closes_inner_bracket(text: str, last: int, mark: int, run: str) -> bool:
    """Whether the bracket closed in `run` was opened inside the sentence, not as its first character."""
    opening = text.rfind("(" if ")" in run else "[", max(last, mark - _BRACKET), mark)
    return opening >= 0 and bool(text[max(last, opening - 9) : opening].strip())


def _kind(text: str, last: int, mark: int) -> tuple[str, str, str]:
    """What stands before the full stop at `mark`: its kind, the word itself, and the word before it."""
    if mark == last or text[mark - 1].isspace():
        return "word", "", ""
    words = text[max(last, mark - _BACK) : mark].rsplit(None, 2)
    word = words[-1].lstrip(_STRIPPED)
    before = words[-2] if len(words) > 1 else ""
    lower = word.lower()
    if lower in UNITS and _NUMBER.fullmatch(before):
        return "before capital", word, before
    if len(word) == 1 and word.isupper():
        return "before starter", word, before
    for table, kind in _TABLES:
        if lower in table:
            return ("before starter" if lower == "al" and before == "et" else kind), word, before
    if _NUMBER.fullmatch(word):
        return "number", word, before
    if "." in word and all(len(part) <= 2 and part[:1].isupper() for part in word.split(".")):
        return "before starter", word, before  # U.S., Ph.D., J.R.R.
    return "word", word, before


_TABLES = (
    (NEVER, "never"),
    (BEFORE_CAPITAL, "before capital"),
    (BEFORE_STARTER, "before starter"),
    (BEFORE_LETTER, "before letter"),
)


def _full_stop_ends(text: str, last: int, mark: int, after: int, letter: int) -> bool:
    """Whether one full stop ends a sentence, when the first letter that follows is not lower-case."""
    if mark - last < 32 and _LEAD.fullmatch(text, last, mark + 1):
        return False
    kind, word, before = _kind(text, last, mark)
    following = text[letter]
    match kind:
        case "word":
            return True
        case "never":
            return False
        case "before capital":  # a quotation or a bracket may belong to the same sentence, a dash seldom does
            return following.isalpha() and (letter == after or text[after] in "-–—")
        case "before starter":
            return _opens_sentence(text, letter)
        case "before letter":
            return following.isalpha() and not _ROMAN.match(text, letter)
        case _:
            return _number_ends(text, word, before, letter)


def _opens_sentence(text: str, after: int) -> bool:
    word = _WORD.match(text, after, after + 16)
    return word is not None and word[0] in STARTERS and text[word.end() : word.end() + 1] != "."


def _number_ends(text: str, number: str, before: str, after: int) -> bool:
    """A number with a full stop: an ordinal, a date written with spaces, an item of a list, or the end."""
    if before[-1:] in (":", ";", "§") or _NUMBERED.match(text, after):
        return False
    if _NUMBERED.fullmatch(before) and text[after].isdigit():
        return False
    if len(number) <= 3 and text[after].isalpha():
        return before.lower() not in ("w", "we") and not text.startswith(ORDINAL_STEMS, after)
    return True


def _ends_by_line(text: str, last: int, stop: int, after: int) -> bool:
    """Whether a line break without a closing mark at text[stop:after] is a border: a list item or a heading."""
    line_end = text.find("\n", after, after + 400)
    length = (line_end if line_end >= 0 else min(len(text), after + 400)) - after
    item = _LIST_ITEM.match(text, after)
    if item:
        opening = _LIST_ITEM.match(text, last + len(text[last : last + 9]) - len(text[last : last + 9].lstrip()))
        named = item["dashed"] or item["numbered"]
        return not named or bool(opening) or named.isupper() or text[stop - 1] in ":;,"
    return _is_heading(text, last, stop, after, length)


def _is_heading(text: str, last: int, stop: int, after: int, length: int) -> bool:
    """Whether the sentence so far is one line that someone broke on purpose: the next line has room for it and more."""
    line = text[last:stop] if stop - last <= _WRAP_WIDTH else ""
    own = line.lstrip()
    if not own or "\n" in own or (last and "\n" not in line[: len(line) - len(own)]) or (not last and own != line):
        return False
    if own.startswith("#") or (own.isupper() and len(own) > 3):
        return True
    capital = text[after].isupper() or text[after].isdigit() or text[after] in '„"“«('
    first_word = len(text[after : after + 40].split(None, 1)[0])
    return capital and own[-1] not in ",;:–—-(" and length >= max(len(own) + 1 + first_word, 1.5 * len(own))
