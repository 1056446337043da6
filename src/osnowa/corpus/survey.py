"""The evidence about one source, from one streaming pass: checksum, encoding, sizes, document mode, and the reasons."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from osnowa.corpus import html, parquet, tables
from osnowa.corpus.binary import find_binary
from osnowa.corpus.columns import choose_columns
from osnowa.corpus.content import LINE_ENDS, Rest, Transcoded, read_events, read_head
from osnowa.corpus.encodings import check_encoding, find_bom, guess_wide, is_single_byte
from osnowa.corpus.evidence import Survey
from osnowa.corpus.findings import Source
from osnowa.corpus.json_array import read_elements
from osnowa.corpus.lines import read_cells
from osnowa.corpus.measure import Measure
from osnowa.corpus.opening import open_stream
from osnowa.corpus.raw import PackedError, Rejected, SourceError
from osnowa.corpus.records import RecordError, parse, sample_columns
from osnowa.corpus.shape import choose_document
from osnowa.errors import DataError, SettingsError

if TYPE_CHECKING:
    from osnowa.corpus.config import CorpusConfig

__all__ = ["Survey", "survey"]

_FIRST_RECORDS = 200


def survey(source: Source, config: CorpusConfig) -> Survey:
    """Look at a whole source once, in bounded memory.

    What can't be read at all is `refused` (under bad_lines = "skip", and damaged members of archives always).

    Raises:
        DataError: it is no text, not decodable, or its text column can't be told; under bad_lines = "stop".
        SettingsError: corpus.document = "record" for plain text.
        InputMissingError, StorageError: it can't be opened or read.
    """
    try:
        if source.format == "parquet":
            return _survey_parquet(source, config)
        return _complete(source, config, *_survey_bytes(source, config))
    except SourceError as error:
        if config.bad_lines == "skip" or (isinstance(error, PackedError) and source.kind == "zip_member"):
            return Survey(source.name, size=source.size, document="file", refused=error.kind, notes=(error.what,))
        place = f"{source.name}:{error.line}" if error.line else source.name
        raise DataError(place, error.what, error.instead or "mend or remove it") from None


def _survey_bytes(source: Source, config: CorpusConfig) -> tuple[Survey, Measure]:
    """Checksum, encoding and sizes of anything but Parquet."""
    with open_stream(source, config) as stream:
        head = read_head(stream)
        if what := find_binary(head):
            raise SourceError(f"is {what}, not text", "remove it, or convert it to text")
        encoding, bom = find_bom(head)
        notes = [f"byte order mark of {encoding} removed"] if bom else []
        ours = source.kind in ("sample", "hub")  # written into the workspace as UTF-8
        wanted = "auto" if ours or config.encoding == "auto" else check_encoding(config.encoding)
        if not bom and wanted in ("auto", "utf-8") and (wide := guess_wide(head)):
            encoding = wide
            notes.append(f"read as {wide}, which has no byte order mark here, by the places of its zero bytes")
        elif not bom and wanted not in ("auto", "utf-8") and not is_single_byte(wanted):
            encoding = wanted
            notes.append(f"read as {wanted}, as corpus.encoding says")
        content: Any = Rest(head[bom:], stream)
        if encoding not in ("", "utf-8"):
            content = Transcoded(content, encoding)
        measure, guessed = Measure(), False
        for raw in read_cells(content, LINE_ENDS[source.format]):
            measure.add(raw, LINE_ENDS[source.format])
        if not encoding or encoding == "utf-8":
            declared = html.declared_encoding(head) if source.format == "html" else None
            asked = "utf-8" if encoding else wanted
            encoding = measure.examiner.verdict(asked, declared, config.bad_lines == "skip")
            guessed = encoding == "cp1252" not in (asked, declared)
            notes += _explain_encoding(encoding, asked, declared, measure)
            measure.encoding = encoding
        found = Survey(
            source.name,
            sha256=stream.sha256(),
            size=stream.taken,
            encoding=encoding,
            guessed=guessed,
            bom=bom,
            first_invalid=measure.first_invalid(bom),
            characters=measure.examiner.characters,
            lines=measure.lines,
            blank_lines=measure.blank_lines,
            longest_line=measure.longest_line,
            # Broken lines can't be told from others here, so a source with damage is not cut.
            cells=measure.cells if encoding == "utf-8" and measure.first_invalid(0) is None else (),
            notes=tuple(notes),
        )
    return found, measure


def _explain_encoding(encoding: str, wanted: str, declared: str | None, measure: Measure) -> list[str]:
    place = measure.first_invalid(0)
    if encoding == "utf-8":
        if wanted not in ("auto", "utf-8") and measure.examiner.sequences:
            return [f"read as UTF-8, which it is throughout, not as corpus.encoding = {wanted}"]
        return [] if place is None else [f"byte {place:,} is the first that is not UTF-8; such lines are rejected"]
    if encoding == wanted or place is None:
        return [f"read as {encoding}, as corpus.encoding says"]
    if encoding == declared:
        return [f"read as {encoding}, as the page says (byte {place:,} is not UTF-8)"]
    if encoding == "cp1252":
        word = measure.examiner.western.example
        shown = f', where a word is "{word}"' if word else ""
        return [
            f"guessed to be cp1252 (Western European){shown} (byte {place:,} is not UTF-8); "
            "if that is wrong, name the encoding with --corpus.encoding"
        ]
    return [f"read as {encoding}, which gives most Polish letters (byte {place:,} is not UTF-8)"]


def _complete(source: Source, config: CorpusConfig, found: Survey, measure: Measure) -> Survey:
    """Add what depends on the format: the document mode, columns, dialect."""
    if source.format in ("jsonl", "json"):
        return _complete_records(source, config, found)
    if source.format in ("csv", "tsv"):
        dialect = tables.find_dialect(measure.sample()[0], source.format, config.wanted_columns, config.pairs)
        notes = (*found.notes, dialect.in_words())
        found = replace(found, dialect=dialect, columns=dialect.columns, notes=notes)
        return _name_columns(found, "row", (dialect.text_column,), config)
    if config.pairs:
        raise SettingsError(
            f"corpus.source_column = {config.source_column}",
            f"{source.name} has no columns",
            "give pairs as TSV, CSV, JSONL, JSON or Parquet",
        )
    if config.document == "record":
        raise SettingsError(
            "corpus.document = record", f"{source.name} has no records", "use auto, file, block, line or run"
        )
    if source.format == "html" and found.size > html.LARGEST_PAGE:
        raise SourceError(f"is a page of more than {html.LARGEST_PAGE:,} bytes", "split it")
    if source.format == "html" and config.document == "auto":
        return replace(found, document="file", because="a page is one document")
    size = measure.examiner.offset
    choice = choose_document(config.document, measure.sample(), size, config.run_characters)
    return replace(found, document=choice.mode, unit=choice.unit, because=choice.because)


def _complete_records(source: Source, config: CorpusConfig, found: Survey) -> Survey:
    """Columns and text column from the first records; bad ones are left for the reader to name."""
    values = list(itertools.islice(_first_values(source, config, found), _FIRST_RECORDS))
    columns = sample_columns(values)
    chosen: tuple[str | None, ...]
    if source.format == "json" and values and isinstance(values[0], str) and not config.pairs:
        chosen = (None,)
    elif not values:
        chosen = config.wanted_columns or ("text",)  # nothing but bad lines here: the reader names them
    elif not columns:
        raise SourceError("its first records are no objects", 'write records such as {"text": "..."}')
    else:
        chosen = choose_columns(config.wanted_columns, columns)
    found = _name_columns(replace(found, columns=tuple(columns)), "record", chosen, config)
    if config.document not in ("auto", "record"):
        return replace(found, because=f"{found.because} (corpus.document = {config.document} is for plain text)")
    return found


def _name_columns(found: Survey, record: str, chosen: Sequence[str | None], config: CorpusConfig) -> Survey:
    """Add what a record is, and which of its columns are read."""
    if not config.pairs:
        return replace(found, because=f"each {record} is a document", text_column=chosen[0])
    source, target = config.wanted_columns
    because = f"pairs: each {record} is one, {source} its source and {target} its target"
    return replace(found, document="pair", because=because, text_column=source, target_column=target)


def _first_values(source: Source, config: CorpusConfig, found: Survey) -> Iterator[Any]:
    """The sound records at the beginning of a JSON or JSONL source."""
    with read_events(source, found, config) as events:
        if source.format == "json":
            try:
                for element in read_elements(events, config.max_record_characters):
                    yield parse(element.text)
            except RecordError:
                return
        for event in events:
            for line in [] if isinstance(event, Rejected) else event.text.split("\n"):
                try:
                    if line and not line.isspace() and len(line) <= config.max_record_characters:
                        yield parse(line)
                except RecordError:
                    continue


def _survey_parquet(source: Source, config: CorpusConfig) -> Survey:
    with open_stream(source, config) as stream:
        digest, size = stream.sha256(), stream.taken
    table = parquet.inspect_parquet(source.path, config)
    found = Survey(
        source.name,
        sha256=digest,
        size=size,
        characters=sum(table.row_groups),
        lines=table.rows,
        columns=table.columns,
        row_groups=table.row_groups,
    )
    return _name_columns(found, "row", table.texts, config)
