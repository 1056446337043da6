"""The elements of a JSON array, or one JSON object, cut out of a stream without holding more than one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from osnowa.corpus.lines import Lines
from osnowa.corpus.raw import TOO_LONG, RawDocument, Rejected, judge, shorten
from osnowa.corpus.records import DEEPEST, RecordError, read_record

if TYPE_CHECKING:
    from osnowa.corpus.config import CorpusConfig

# A whole string, the beginning of one that is cut off, or what structures an array.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|"|[\[\]{},]', re.DOTALL)
_SPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Element:
    """The text of one element and where it begins."""

    text: str
    line: int
    column: int


class _Text:
    """The decoded text of a stream of lines: `text` from `at` on is not used up, and `at` stands at line and column."""

    def __init__(self, events: Iterable[Lines | Rejected]) -> None:
        self._events = iter(events)
        self.text, self.at, self.line, self.column = "", 0, 1, 1
        self._parted = False

    def extend(self) -> bool:
        """Add the next lines; False at the end.

        Raises:
            RecordError: a line that can't be decoded.
        """
        event = next(self._events, None)
        if event is None:
            return False
        if isinstance(event, Rejected):
            raise RecordError(event.reason, event.detail, len(self.text))
        self.text = self.text[self.at :] + ("\n" if self._parted else "") + event.text
        self.at = 0
        self._parted = event.ends
        return True

    def move(self, place: int) -> None:
        """Use up the text before `place`."""
        newlines = self.text.count("\n", self.at, place)
        self.line += newlines
        self.column = place - self.text.rfind("\n", 0, place) if newlines else self.column + place - self.at
        self.at = place

    def head(self) -> str:
        """The next character."""
        return self.text[self.at]


def read_json(
    events: Iterable[Lines | Rejected], column: str | None, config: CorpusConfig, source: str, target: str | None = None
) -> Iterator[RawDocument | Rejected]:
    """Each element's text as a document, or its two fields as a pair; what is not closed or not parted properly ends the reading.

    Raises:
        DataError: a bad element under "stop", named by its physical line and column.
    """
    stream = _Text(events)
    try:
        for element in split_elements(stream, config.max_record_characters):
            yield read_record(element.text, column, config, source, element.line, element.column, target)
    except RecordError as error:
        stream.move(min(max(error.offset, stream.at), len(stream.text)))
        rest = stream.text[stream.at :]
        size = len(rest.encode("utf-8", "surrogatepass"))
        yield judge(
            Rejected(source, stream.line, stream.column, error.reason, shorten(rest), size, error.detail), config
        )


def read_elements(events: Iterable[Lines | Rejected], longest: int) -> Iterator[Element]:
    """As `split_elements`, for a look at the first ones."""
    return split_elements(_Text(events), longest)


def split_elements(stream: _Text, longest: int) -> Iterator[Element]:
    """The elements of the array in `stream`, or the one value that is there instead.

    Raises:
        RecordError: the array is not sound, or an element has more than `longest` characters.
    """
    if not _skip_space(stream):
        raise RecordError("is no sound JSON", "holds nothing")
    is_array = stream.head() == "["
    if is_array:
        stream.move(stream.at + 1)
        if not _skip_space(stream):
            raise RecordError("is no sound JSON", "the array is not closed")
        if stream.head() == "]":
            stream.move(stream.at + 1)
            is_array = False
    else:
        yield _take(stream, _find_end(stream, longest, inside=False))
    while is_array:
        yield _take(stream, _find_end(stream, longest, inside=True))
        is_array = stream.head() == ","
        stream.move(stream.at + 1)
        if is_array and (not _skip_space(stream) or stream.head() in ",]"):
            raise RecordError("is no sound JSON", "an element is missing after a comma", stream.at)
    if _skip_space(stream):
        raise RecordError("is no sound JSON", "something follows the end of the JSON value", stream.at)


def _take(stream: _Text, stop: int) -> Element:
    element = Element(stream.text[stream.at : stop], stream.line, stream.column)
    stream.move(stop)
    return element


def _skip_space(stream: _Text) -> bool:
    """Move behind white space; False at the end of the stream."""
    while True:
        stream.move(_SPACE.match(stream.text, stream.at).end())  # type: ignore[union-attr]  # it matches always
        if stream.at < len(stream.text):
            return True
        if not stream.extend():
            return False


def _find_end(stream: _Text, longest: int, *, inside: bool) -> int:
    """Where the value that begins at stream.at ends.

    Inside an array that is where its "," or "]" stands, else where the value's bracket closes or the stream ends.
    """
    depth, place = 0, stream.at
    while True:
        for match in _TOKEN.finditer(stream.text, place):
            token, place = match.group(), match.start()
            if token == '"':  # not closed in what is here
                break
            if depth == 0 and inside and token in (",", "]"):
                return place
            if token in ("[", "{"):
                depth += 1
                if depth > DEEPEST:
                    raise RecordError("is nested too deeply", f"more than {DEEPEST} levels", place)
            elif token in ("]", "}"):
                depth -= 1
                if depth < 0:
                    raise RecordError("is no sound JSON", f"a {token} too many", place)
                if depth == 0 and not inside:
                    return match.end()
            place = match.end()
        if len(stream.text) - stream.at > longest:
            raise RecordError(TOO_LONG, f"more than corpus.max_record_characters = {longest:,}", stream.at)
        place -= stream.at  # extend moves the text to 0
        if not stream.extend():
            if not inside and depth == 0:
                return len(stream.text)
            raise RecordError("is no sound JSON", "the JSON value is not closed", stream.at)
