"""Which field of a record is the text, and the message when that can't be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from osnowa.corpus.raw import SourceError

# Names under which data sets keep their text, the likeliest first.
KNOWN = (
    "text",
    "content",
    "body",
    "document",
    "article",
    "passage",
    "paragraph",
    "sentence",
    "tekst",
    "treść",
    "tresc",
)
_SHORTEST = 20  # characters on average: shorter strings are labels, languages, identifiers


def choose_columns(wanted: Sequence[str], columns: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The name of the text column, or those of source and target.

    Args:
        wanted: columns asked for by name; none: the text is in a column with a known name, else in the only one of texts.
        columns: each column's name with a sample of its values, empty when it holds no strings. A field inside of another
            is "outer.inner" and is taken only when it is named.

    Raises:
        SourceError: there is no such column, none that is text, or several that may be.
    """
    return tuple(_check(name, columns) for name in wanted) or (_find(columns),)


def _check(wanted: str, columns: Mapping[str, Sequence[str]]) -> str:
    listing = ", ".join(columns) or "none"
    if wanted not in columns:
        raise SourceError(f"has no column {wanted}", f"its columns are {listing}")
    if not columns[wanted]:
        raise SourceError(f"column {wanted} holds no text", f"its columns are {listing}")
    return wanted


def _find(columns: Mapping[str, Sequence[str]]) -> str:
    columns = {name: values for name, values in columns.items() if name.rpartition(".")[0] not in columns}
    listing = ", ".join(columns) or "none"
    instead = "name one with --corpus.text_column=NAME"
    by_lower = {name.lower(): name for name, values in columns.items() if values}
    for known in KNOWN:
        if known in by_lower:
            return by_lower[known]
    texts = [name for name, values in columns.items() if values and _is_text(values)]
    if not texts:
        raise SourceError(f"has no column of text among {listing}", instead)
    if len(texts) > 1:
        raise SourceError(f"has several columns of text ({', '.join(texts)}; all columns: {listing})", instead)
    return texts[0]


def _is_text(values: Sequence[str]) -> bool:
    """Whether a column holds texts: long enough, and no identifiers or addresses (ASCII without a blank)."""
    single = sum(value.isascii() and " " not in value.strip() for value in values)
    return sum(map(len, values)) >= _SHORTEST * len(values) and single < 0.5 * len(values)
