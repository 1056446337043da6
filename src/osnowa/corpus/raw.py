"""What a raw document and a refused piece are, and where a document that is too long is cut."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from osnowa.errors import DataError

if TYPE_CHECKING:
    from osnowa.corpus.config import CorpusConfig

TOO_LONG = "is too long"
LONGEST_RAW = 10_000  # characters of a refused piece that are kept for rejected.jsonl
# The look-behind and "++" keep it linear on a million dots.
_SENTENCE_END = re.compile(r"(?<![.!?…。！？])[.!?…。！？]++[\"”»’')\]]*+\s")
_LAST_SPACE = re.compile(r"\s(?=\S*\Z)")


@dataclass(frozen=True, slots=True)
class RawDocument:
    """One document as it stands in its source: decoded, line ends as "\\n", nothing else changed.

    Of a pair, `text` is the source and `target` what is to become of it.
    """

    text: str
    source: str  # Source.name
    line: int  # physical line (or record of a Parquet file) where it starts, counted from 1
    target: str | None = None  # None: no pair


@dataclass(frozen=True, slots=True)
class Rejected:
    """A piece of a source that could not be read as text.

    `line` 0 means the whole source. `reason` is one of a few fixed phrases, so that reasons can be counted; `detail`
    says more. `raw` is the piece itself, bytes that are no text as \\xNN, at most LONGEST_RAW characters; `size` is its
    full size in bytes.
    """

    source: str
    line: int
    column: int  # characters from 1; 0: unknown
    reason: str
    raw: str
    size: int = 0
    detail: str = ""


class SourceError(Exception):
    """A source is not what it should be; becomes a DataError, or a whole-source Rejected where the source is skipped."""

    kind = "not readable as text"  # the reason under which it is counted

    def __init__(self, what: str, instead: str = "", line: int = 0) -> None:
        super().__init__(what)
        self.what, self.instead, self.line = what, instead, line


class PackedError(SourceError):
    """Packed data that are truncated, corrupt or a bomb; inside a ZIP archive only the member is refused."""

    kind = "damaged or unsafe packed data"


def judge(rejected: Rejected, config: CorpusConfig) -> Rejected:
    """`rejected` itself under bad_lines = "skip".

    Raises:
        DataError: under bad_lines = "stop", naming file:line:column.
    """
    if config.bad_lines == "skip":
        return rejected
    place = ":".join([rejected.source, *(str(number) for number in (rejected.line, rejected.column) if number)])
    what = rejected.reason + (f" ({rejected.detail})" if rejected.detail else "")
    raise DataError(place, what, "mend it, or leave such pieces out with --bad-lines skip")


def shorten(raw: str | bytes) -> str:
    """`raw` for a Rejected: at most LONGEST_RAW characters, undecodable bytes spelled \\xNN."""
    if isinstance(raw, bytes):
        raw = raw[:LONGEST_RAW].decode("utf-8", "backslashreplace")
    return raw[:LONGEST_RAW]


def cut_document(text: str, limit: int) -> Iterator[str]:
    """`text` as consecutive pieces that are at most `limit` characters; their concatenation is `text`."""
    start = 0
    while len(text) - start > limit:
        stop = find_border(text, start, start + limit)
        yield text[start:stop]
        start = stop
    yield text[start:]


def find_border(text: str, start: int, stop: int) -> int:
    """The best place in the last quarter of text[start:stop] to cut: after a blank line, a line, a sentence, a word.

    It depends on text[start : stop + 1] alone, so that pieces do not depend on how much of a long text is in memory.
    """
    earliest = stop - (stop - start) // 4
    for border in ("\n\n", "\n"):
        place = text.rfind(border, earliest, stop)
        if place >= 0:
            return place + len(border)
    for match in reversed(list(_SENTENCE_END.finditer(text, earliest, stop))):
        return match.end()
    if last := _LAST_SPACE.search(text, earliest, stop):
        return last.end()
    place = stop  # no white space at all: keep a letter together with its combining marks
    while place > earliest and unicodedata.combining(text[place]):
        place -= 1
    return place if place > earliest else stop
