"""From a surveyed source to its documents, whole or a span of it at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from osnowa.corpus.content import read_events
from osnowa.corpus.evidence import Survey
from osnowa.corpus.findings import Format, Source
from osnowa.corpus.html import read_page
from osnowa.corpus.json_array import read_json
from osnowa.corpus.lines import GRID, Lines
from osnowa.corpus.markdown import read_markdown
from osnowa.corpus.parquet import cut_row_groups, read_parquet
from osnowa.corpus.raw import RawDocument, Rejected, SourceError, cut_document, judge
from osnowa.corpus.records import read_json_lines
from osnowa.corpus.sources import check_unchanged
from osnowa.corpus.tables import read_table
from osnowa.corpus.text import choose_grouping, group_documents
from osnowa.errors import DataError

if TYPE_CHECKING:
    from osnowa.corpus.config import CorpusConfig

__all__ = ["RawDocument", "Rejected", "check_unchanged", "read_documents", "spans"]

Span = Sequence[int] | None  # first byte and the one after the last; of a Parquet file, bytes of its text column
Documents = Iterator[RawDocument | Rejected]


def read_documents(source: Source, survey: Survey, config: CorpusConfig, span: Span) -> Documents:
    """The documents that start in `span` (None: all), in their order, and what was rejected between them.

    Raises:
        DataError: the source is not sound, or (under bad_lines = "stop") a piece of it is not; names the place.
        InputMissingError, StorageError: it can't be opened or read any more.
    """
    if survey.refused is not None:
        yield Rejected(source.name, 0, 0, survey.refused, "", source.size, "; ".join(survey.notes))
        return
    try:
        yield from READERS[source.format](source, survey, config, span)
    except SourceError as error:
        raise DataError(source.name, error.what, error.instead or "mend or remove it") from None


def spans(source: Source, survey: Survey, size: int = 16 << 20) -> list[tuple[int, int] | None]:
    """How a source is cut into parts of about `size` bytes that can be read independently; [None] when it can't be.

    A document belongs to the span in which it starts, so the documents are the same whatever the cut.
    """
    if survey.refused is not None:
        return [None]
    if source.format == "parquet":
        return cut_row_groups(survey.row_groups, size)
    in_place = source.member is None and source.compression == "none" and survey.encoding == "utf-8"
    if not in_place or source.format not in _CUT or survey.document == "file" or len(survey.cells) < 2:
        return [None]
    step, stop = max(1, size // GRID) * GRID, survey.size - survey.bom
    return [(first, min(first + step, stop)) for first in range(0, len(survey.cells) * GRID, step)]


_CUT: tuple[Format, ...] = ("text", "markdown", "jsonl")


def _cells(span: Span) -> tuple[int, int | None]:
    """First cell of a span and the one after its last."""
    return (0, None) if span is None else (span[0] // GRID, -(-span[1] // GRID))


def _read_text(source: Source, survey: Survey, config: CorpusConfig, span: Span) -> Documents:
    first, last = _cells(span)
    grouping = choose_grouping(survey.document, survey.unit, config.run_characters, config.max_document_characters)
    # A block may go on beyond the last cell; a line that does is read to its end anyway.
    until = None if grouping.unit == "block" else last
    in_block = bool(first) and survey.cells[first][1]
    with read_events(source, survey, config, first, until) as events:
        sound = (judge(event, config) if isinstance(event, Rejected) else event for event in events)
        yield from group_documents(sound, grouping, source.name, float("inf") if last is None else last, in_block)


def _read_markdown(source: Source, survey: Survey, config: CorpusConfig, span: Span) -> Documents:
    for document in _read_text(source, survey, config, span):
        if isinstance(document, RawDocument):
            document = replace(document, text=read_markdown(document.text, at_start=document.line == 1))
        yield document


def _read_html(source: Source, survey: Survey, config: CorpusConfig, span: Span) -> Documents:
    with read_events(source, survey, config) as events:
        parts = []
        for event in events:
            if isinstance(event, Rejected):
                yield judge(event, config)
            else:
                parts.append(event.text + "\n" * event.ends)
    text = read_page("".join(parts))
    if not text:
        yield RawDocument("", source.name, 1)  # counted, and dropped by a rule of the cleaning
        return
    grouping = choose_grouping(survey.document, "block", config.run_characters, config.max_document_characters)
    for document in group_documents([Lines(0, 1, text, True, True)], grouping, source.name, float("inf"), False):
        yield replace(document, line=1)  # lines of the page are not those of its text


def _read_json_lines(source: Source, survey: Survey, config: CorpusConfig, span: Span) -> Documents:
    with read_events(source, survey, config, *_cells(span)) as events:
        assert survey.text_column is not None
        found = read_json_lines(events, survey.text_column, config, source.name, survey.target_column)
        yield from _cut(found, config.max_document_characters)


def _read_json(source: Source, survey: Survey, config: CorpusConfig, span: Span) -> Documents:
    with read_events(source, survey, config) as events:
        found = read_json(events, survey.text_column, config, source.name, survey.target_column)
        yield from _cut(found, config.max_document_characters)


def _read_table(source: Source, survey: Survey, config: CorpusConfig, span: Span) -> Documents:
    assert survey.dialect is not None
    with read_events(source, survey, config) as events:
        found = read_table(events, survey.dialect, config, source.name)
        yield from _cut(found, config.max_document_characters)


def _read_parquet(source: Source, survey: Survey, config: CorpusConfig, span: Span) -> Documents:
    assert survey.text_column is not None
    columns = [survey.text_column, *([survey.target_column] if survey.target_column is not None else [])]
    found = read_parquet(source.path, columns, config, source.name, span)
    yield from _cut(found, config.max_document_characters)


def _cut(documents: Iterable[RawDocument | Rejected], limit: int) -> Documents:
    """Records that are too long as several documents, all at the record's place; pairs can't be cut."""
    for document in documents:
        if isinstance(document, RawDocument) and document.target is None and len(document.text) > limit:
            yield from (replace(document, text=piece) for piece in cut_document(document.text, limit))
        else:
            yield document


READERS: dict[Format, Callable[[Source, Survey, CorpusConfig, Span], Documents]] = {
    "text": _read_text,
    "markdown": _read_markdown,
    "html": _read_html,
    "jsonl": _read_json_lines,
    "json": _read_json,
    "csv": _read_table,
    "tsv": _read_table,
    "parquet": _read_parquet,
}
