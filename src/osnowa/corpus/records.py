"""JSON records to documents: JSONL line by line, a JSON array element by element, all within limits."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from osnowa.corpus.lines import Lines
from osnowa.corpus.raw import LONGEST_RAW, TOO_LONG, RawDocument, Rejected, judge, shorten

if TYPE_CHECKING:
    from osnowa.corpus.config import CorpusConfig

DEEPEST = 100  # levels of nesting
_LONGEST_NUMBER = 400  # digits; Python itself needs quadratic time for more
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)


class RecordError(Exception):
    """Why a piece of JSON is refused (a fixed phrase and a detail), and at which character of it (from 0)."""

    def __init__(self, reason: str, detail: str = "", offset: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.detail, self.offset = reason, detail, offset


def parse(text: str) -> Any:
    """The value of one JSON text.

    Raises:
        RecordError: it is no JSON, is nested too deeply, or has a duplicate key, NaN, Infinity or an endless number.
    """
    if text.count("[") + text.count("{") > DEEPEST:  # the strings in it may hold brackets too
        _check_depth(text)
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise RecordError("is no sound JSON", error.msg, error.pos) from None


def _check_depth(text: str) -> None:
    depth = 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in "[{":
            depth += 1
            if depth > DEEPEST:
                raise RecordError("is nested too deeply", f"more than {DEEPEST} levels", match.start())
        elif token in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise RecordError("has a key twice", shorten(names.most_common(1)[0][0])[:60])
    return found


def _constant(name: str) -> Any:
    raise RecordError("holds NaN or Infinity", name)


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise RecordError("holds an endless number", f"{len(digits):,} digits")
    return int(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_constant, parse_int=_integer)


def get_text(value: Any, column: str | None) -> str:
    """The field `column` of a record, or the record itself when it is to be a string (`column` None).

    "outer.inner" is a field of the object in the field `outer`, unless the record has a field of just that name.

    Raises:
        RecordError: it is no object, or the field is missing or no string.
    """
    if column is None:
        if not isinstance(value, str):
            raise RecordError("is not a string as the others", f"it is {_KINDS[type(value)]}")
        return value
    if not isinstance(value, dict):
        raise RecordError("is not an object", f"it is {_KINDS[type(value)]}")
    if column not in value:
        outer, dot, inner = column.partition(".")
        if dot and isinstance(value.get(outer), dict):
            return get_text(value[outer], inner)
        raise RecordError("has no text field", f"{column} is not among {', '.join(value)[:200] or 'none'}")
    text = value[column]
    if not isinstance(text, str):
        raise RecordError("its text field is not text", f"{column} is {_KINDS[type(text)]}")
    return text


_KINDS = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def sample_columns(values: Iterable[Any]) -> dict[str, list[str]]:
    """The fields of some records with the strings they hold, in the order in which they first appear.

    Those of an object inside of a record follow it as "outer.inner".
    """
    columns: dict[str, list[str]] = {}
    for value in values:
        for name, field in _fields(value):
            strings = columns.setdefault(name, [])
            if isinstance(field, str):
                strings.append(field)
    return columns


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    for name, field in value.items() if isinstance(value, dict) else ():
        yield name, field
        if isinstance(field, dict):
            yield from ((f"{name}.{inner}", each) for inner, each in field.items())


def read_json_lines(
    events: Iterable[Lines | Rejected], column: str | None, config: CorpusConfig, source: str, target: str | None = None
) -> Iterator[RawDocument | Rejected]:
    """Each line's text, or its pair of `column` and `target`; blank lines are nothing.

    Raises:
        DataError: a bad line under "stop", named by its physical line and column.
    """
    partial, partial_size = "", 0
    for event in events:
        if isinstance(event, Rejected):
            yield judge(event, config)
            continue
        lines = event.text.split("\n")
        for index, line in enumerate(lines):
            size = len(line)
            if index == 0 and not event.starts:
                line, size = (partial + line)[: config.max_record_characters], partial_size + size
            if index == len(lines) - 1 and not event.ends:
                partial, partial_size = line[: config.max_record_characters], size
            elif size > config.max_record_characters:
                detail = f"{size:,} characters; at most corpus.max_record_characters = {config.max_record_characters:,}"
                yield judge(Rejected(source, event.number + index, 0, TOO_LONG, shorten(line), size, detail), config)
            elif line and not line.isspace():
                yield read_record(line, column, config, source, event.number + index, 1, target)


def read_record(
    text: str,
    column: str | None,
    config: CorpusConfig,
    source: str,
    line: int,
    first_column: int,
    target: str | None = None,
) -> RawDocument | Rejected:
    """The document of one record, whose first character stands at `line` and `first_column`.

    Raises:
        DataError: the record is bad, under "stop".
    """
    try:
        value = parse(text)
        return RawDocument(get_text(value, column), source, line, None if target is None else get_text(value, target))
    except RecordError as error:
        above = text.count("\n", 0, error.offset)
        place = error.offset - text.rfind("\n", 0, error.offset) if above else first_column + error.offset
        size = len(text.encode("utf-8", "surrogatepass"))
        raw = shorten(text[:LONGEST_RAW])
        return judge(Rejected(source, line + above, place, error.reason, raw, size, error.detail), config)
