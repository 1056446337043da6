"""CSV and TSV: the delimiter, quoting and header found in a sample, and the rows as documents."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from osnowa.corpus.columns import choose_columns
from osnowa.corpus.lines import Lines
from osnowa.corpus.raw import RawDocument, Rejected, SourceError, judge, shorten

if TYPE_CHECKING:
    from osnowa.corpus.config import CorpusConfig

_Reader = Any  # csv.reader's type has no public name in Python 3.11

_NONE = "\x1f"  # stands for "no delimiter"
_DELIMITERS = {"csv": ",;\t|", "tsv": "\t"}
_NAME = re.compile(r"[\w .:/()-]{1,40}")
_NUMBER = re.compile(r"[-+]?[\d.,]+%?")


@dataclass(frozen=True)
class Dialect:
    """How the cells of a table are told apart."""

    delimiter: str
    quoted: bool  # cells may stand in "quotes", with delimiters and line ends inside
    header: bool  # the first row names the columns
    columns: tuple[str, ...]
    text_column: str  # of pairs: the source
    target_column: str | None = None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Dialect:
        return cls(**{**values, "columns": tuple(values["columns"])})

    def in_words(self) -> str:
        names = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
        if self.delimiter == _NONE:
            return f"one column, {self.text_column}" if self.header else "one column without a name"
        text = f"column {self.text_column}" if self.header or self.target_column else self.text_column
        if self.target_column:
            text = f"{text}, its target column {self.target_column}"
        header = "the first row names the columns" if self.header else "no row of names"
        quotes = "cells may be quoted" if self.quoted else "quotes are part of the text"
        return f"cells parted by {names[self.delimiter]}, {quotes}, {header}; the text is {text}"


def find_dialect(sample: str, form: str, wanted: Sequence[str] = (), pairs: bool = False) -> Dialect:
    """The dialect of a table that begins with the whole lines of `sample`.

    Args:
        wanted: columns asked for by name. Numbers, of `pairs`, mean that no row of names stands first.

    Raises:
        SourceError: no column, or no single one, can be the text.
    """
    lines = sample.splitlines(keepends=True)
    best: tuple[tuple[float, int], str, bool, list[list[str]]] | None = None
    for delimiter, quoted in _candidates(sample, form):
        if rows := _try(lines, delimiter, quoted):
            width = len(rows[0])
            score = (sum(len(row) == width for row in rows) / len(rows) if width > 1 else 0.0, width)
            if best is None or score > best[0]:
                best = (score, delimiter, quoted, rows)
    if best is None:
        raise SourceError("holds no rows that can be read", "check its quotes")
    (_, width), delimiter, quoted, rows = best
    if width == 1:  # no delimiter in the first row: other rows may hold commas that part nothing
        delimiter = _NONE
        rows = _try(lines, delimiter, quoted)
    header = _has_header(rows, wanted)
    word = "" if pairs else "column "
    names = rows[0] if header else [f"{word}{number}" for number in range(1, width + 1)]
    values = {name: _texts(row[index] for row in rows[header:] if index < len(row)) for index, name in enumerate(names)}
    return Dialect(delimiter, quoted, header, tuple(names), *choose_columns(wanted, values))


def _candidates(sample: str, form: str) -> Iterator[tuple[str, bool]]:
    """Delimiters and whether cells may be quoted. TSV mostly has no quoting, so that needs evidence there."""
    for delimiter in _DELIMITERS[form]:
        if form == "csv" or re.search(r'(?:^|\t)"', sample, re.MULTILINE):
            yield delimiter, True
        if form == "tsv":
            yield delimiter, False


def _try(lines: list[str], delimiter: str, quoted: bool) -> list[list[str]]:
    """The rows under one reading; none when its quotes don't fit (but the sample may end inside a quoted cell)."""
    rows: list[list[str]] = []
    reader = _reader(lines, delimiter, quoted, strict=True)
    try:
        rows.extend(row for row in reader if row)
    except csv.Error as error:
        if delimiter == "\t" and "unexpected end" not in str(error):
            return []
    return rows


def _reader(lines: Iterable[str], delimiter: str, quoted: bool, *, strict: bool) -> _Reader:
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    return csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=strict)  # type: ignore[arg-type]


def _has_header(rows: list[list[str]], wanted: Sequence[str]) -> bool:
    """Whether the first row names columns: short different words that don't come again below them."""
    first, others = rows[0], rows[1:]
    if wanted and set(wanted) <= set(first):
        return True
    if wanted and all(name.isdecimal() for name in wanted):
        return False
    named = [cell for cell in first if cell]
    if len(set(first)) < len(first) or not all(_NAME.fullmatch(cell) for cell in named):
        return False
    if any(_NUMBER.fullmatch(cell) for cell in named):
        return False
    return not any(cell and any(cell in row[index : index + 1] for row in others) for index, cell in enumerate(first))


def _texts(cells: Iterable[str]) -> list[str]:
    """The cells of a column when most of them are no numbers."""
    values = [cell for cell in cells if cell]
    return values if sum(bool(_NUMBER.fullmatch(cell)) for cell in values) < 0.5 * len(values) else []


class _RowLines:
    """The lines of a table as csv.reader wants them; refuses a row of too many characters."""

    def __init__(self, events: Iterable[Lines | Rejected], longest: int) -> None:
        self._events, self._longest = iter(events), longest
        self._lines: Iterator[str] = iter(())
        self._partial = ""
        self.number = 0  # of the line given last
        self.taken: list[str] = []  # the lines of the row in progress
        self.rejected: list[Rejected] = []
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def begin_row(self) -> None:
        self.taken, self._size = [], 0

    def __next__(self) -> str:
        line = self._next_line()
        self._size += len(line)
        self.taken.append(line)
        if self._size > self._longest:
            raise csv.Error(f"a row has more than {self._longest:,} characters (is a quote missing?)")
        return line

    def _next_line(self) -> str:
        """One physical line with "\\n"; of one that is longer than a row may be, its beginning."""
        while (line := next(self._lines, None)) is None:
            event = next(self._events, None)
            if event is None:
                raise StopIteration
            if isinstance(event, Rejected):
                self.rejected.append(event)
                continue
            lines = event.text.split("\n")
            if not event.starts:
                lines[0] = (self._partial + lines[0])[: self._longest + 2]
            self._partial = "" if event.ends else lines.pop()
            self.number = event.number - 1
            self._lines = iter(lines)
        self.number += 1
        return line + "\n"


def read_table(
    events: Iterable[Lines | Rejected], dialect: Dialect, config: CorpusConfig, source: str
) -> Iterator[RawDocument | Rejected]:
    """Each row's text cell as a document, or its two cells as a pair.

    Raises:
        DataError: a row that can't be read, or whose number of cells is not that of the columns, under "stop".
    """
    csv.field_size_limit(config.max_record_characters)
    lines = _RowLines(events, config.max_record_characters)
    wanted, width = dialect.columns.index(dialect.text_column), len(dialect.columns)
    target = None if dialect.target_column is None else dialect.columns.index(dialect.target_column)
    reader = _reader(lines, dialect.delimiter, dialect.quoted, strict=False)
    header = dialect.header
    while True:
        lines.begin_row()
        try:
            row = next(reader, None)
            problem = "" if row is None or len(row) in (0, width) else "has a wrong number of cells"
            detail = f"{len(row or ())}, not {width}"
        except csv.Error as error:
            row, problem, detail = [], "is no row", str(error)
            reader = _reader(lines, dialect.delimiter, dialect.quoted, strict=False)
        yield from (judge(rejected, config) for rejected in lines.rejected)
        lines.rejected.clear()
        start = lines.number - len(lines.taken) + 1
        if problem:
            raw = "".join(lines.taken)
            size = len(raw.encode("utf-8", "surrogatepass"))
            yield judge(Rejected(source, start, 0, problem, shorten(raw), size, detail), config)
        elif row is None:
            return
        elif header and row:
            header = False
        elif row:
            yield RawDocument(row[wanted], source, start, None if target is None else row[target])
