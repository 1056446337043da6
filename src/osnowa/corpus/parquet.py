"""Parquet files: only the text column is read, a batch of rows at a time."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from osnowa.corpus.columns import choose_columns
from osnowa.corpus.raw import TOO_LONG, RawDocument, Rejected, SourceError, judge

if TYPE_CHECKING:
    from osnowa.corpus.config import CorpusConfig

_MAGIC = b"PAR1"
_BATCH = 4 << 20  # bytes of the text column, about


@dataclass(frozen=True)
class Table:
    """What the footer of a Parquet file says."""

    rows: int
    row_groups: tuple[int, ...]  # bytes of the text column in each, unpacked
    texts: tuple[str, ...]  # the column of text, or those of source and target
    columns: tuple[str, ...]  # "name (type)"


def inspect_parquet(path: str, config: CorpusConfig) -> Table:
    """The footer, and the column that holds the text, or those of source and target.

    Raises:
        SourceError: it is truncated or no Parquet file, or no column is text; lists the columns.
    """
    _check_magic(path)
    with _open(path) as file:
        schema, footer = file.schema_arrow, file.metadata
        kinds = dict(_fields(schema))
        columns = [f"{name} ({kind})" for name, kind in kinds.items()]
        texts = [name for name, kind in kinds.items() if _is_text(kind)]
        values: dict[str, list[str]] = {name: [] for name in kinds}
        for batch in itertools.islice(file.iter_batches(100, columns=texts, use_threads=False), 1):
            for name in texts:
                values[name] = [value for value in _column(batch, name) if value is not None]
        try:
            chosen = choose_columns(config.wanted_columns, values)
        except SourceError as error:
            raise SourceError(f"{error.what} [types: {', '.join(columns)}]", error.instead) from None
        sizes = _column_sizes(footer, chosen[0])
        for column in chosen:
            size = sum(_column_sizes(footer, column))
            if size > config.max_archive_bytes:
                raise SourceError(f"column {column} unpacks to {size:,} bytes", "raise --corpus.max_archive_bytes")
        return Table(footer.num_rows, tuple(sizes), chosen, tuple(columns))


def read_parquet(
    path: str, columns: Sequence[str], config: CorpusConfig, source: str, span: Sequence[int] | None
) -> Iterator[RawDocument | Rejected]:
    """Each row's text as a document, or its source and target; the line is the row's number from 1.

    Args:
        columns: that of the text, or those of source and target.
        span: bytes of the first column, counted over the row groups; those that start there are read.

    Raises:
        DataError: a row without text, under "stop".
    """
    with _open(path) as file:
        footer = file.metadata
        sizes = _column_sizes(footer, columns[0])
        starts = [0, *itertools.accumulate(sizes)]
        inside = range(footer.num_row_groups)
        groups = [g for g in inside if span is None or span[0] <= starts[g] < span[1]]
        row = sum(footer.row_group(group).num_rows for group in range(groups[0] if groups else 0))
        total = sum(sum(_column_sizes(footer, column)) for column in columns)
        batch = min(4096, max(1, _BATCH // max(1, total // max(1, footer.num_rows))))
        for record in file.iter_batches(batch, row_groups=groups, columns=list(columns), use_threads=False):
            for values in zip(*(_column(record, column) for column in columns), strict=True):
                row += 1
                yield _read_row(dict(zip(columns, values, strict=True)), config, source, row)


def _read_row(values: dict[str, str | None], config: CorpusConfig, source: str, row: int) -> RawDocument | Rejected:
    """The document or pair of one row.

    Raises:
        DataError: a value is missing or too long, under "stop".
    """
    texts = [value for value in values.values() if value is not None]
    if len(texts) < len(values):
        null = next(name for name, value in values.items() if value is None)
        return judge(Rejected(source, row, 0, "its text field is not text", "", 0, f"{null} is null"), config)
    for text in texts:
        if len(text) > config.max_record_characters:
            detail = f"{len(text):,} characters; at most {config.max_record_characters:,}"
            return judge(Rejected(source, row, 0, TOO_LONG, text[:100], len(text.encode()), detail), config)
    return RawDocument(texts[0], source, row, texts[1] if len(texts) == 2 else None)


def cut_row_groups(sizes: Sequence[int], step: int) -> list[tuple[int, int] | None]:
    """Spans of about `step` bytes of the text column; a row group belongs to the span in which it starts."""
    starts = [0, *itertools.accumulate(sizes)]
    cuts = [0]
    for start in starts[1:-1]:
        if start - cuts[-1] >= step:
            cuts.append(start)
    return list(itertools.pairwise([*cuts, starts[-1]])) if starts[-1] else [None]


def _fields(schema: Any) -> Iterator[tuple[str, Any]]:
    """Names and types; a field inside of another follows it as "outer.inner"."""
    import pyarrow as pa

    for field in schema:
        yield field.name, field.type
        if pa.types.is_struct(field.type):
            yield from ((f"{field.name}.{inner.name}", inner.type) for inner in field.type)


def _column(batch: Any, name: str) -> list[Any]:
    """The values of a column, or of a field inside of one; null where either is."""
    if name in batch.schema.names:
        return list(batch.column(name).to_pylist())
    outer, _, inner = name.partition(".")
    return [None if value is None else value[inner] for value in batch.column(outer).to_pylist()]


def _column_sizes(footer: Any, column: str) -> list[int]:
    index = next(i for i in range(footer.num_columns) if footer.schema.column(i).path == column)
    return [footer.row_group(group).column(index).total_uncompressed_size for group in range(footer.num_row_groups)]


def _check_magic(path: str) -> None:
    with open(path, "rb") as handle:
        head = handle.read(4)
        handle.seek(0, 2)
        size = handle.tell()
        handle.seek(max(0, size - 4))
        tail = handle.read(4)
    if head != _MAGIC:
        raise SourceError("is no Parquet file (it does not begin with PAR1)")
    if tail != _MAGIC or size < 12:
        raise SourceError("is a truncated Parquet file (its footer is missing)", "copy or download it again")


@contextlib.contextmanager
def _open(path: str) -> Iterator[Any]:
    """A Parquet file; the library's errors inside the `with` become SourceError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Extension types stay off: a file must not choose what code runs (CVE-2023-47248).
        with pq.ParquetFile(path, arrow_extensions_enabled=False, pre_buffer=False) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())[:200]
        raise SourceError(f"is a damaged Parquet file ({problem})", "copy or download it again") from None


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
