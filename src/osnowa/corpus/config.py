"""What a document is, which rules clean and drop documents, and how much is held out."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from osnowa.corpus.language import LANGUAGES
from osnowa.errors import SettingsError
from osnowa.settings import Settings

DocumentMode = Literal["auto", "file", "block", "line", "run", "record"]

# Line endings, control characters and NFC can't be turned off: the rest of the way through the rooms relies on them.
Rule = Literal[
    "mojibake",
    "white_space",
    "unwrapped_lines",
    "boilerplate_lines",
    "too_short",
    "mostly_symbols",
    "unbroken_runs",
    "replacement_characters",
    "repetition",
    "language",
    "exact_duplicate",
    "near_duplicate",
]


class CorpusConfig(Settings):
    """Section [corpus]: from files to cleaned, deduplicated, split documents."""

    # --- reading
    document: DocumentMode = Field(
        "auto",
        description="what one document is: a whole file, a block between blank lines, a line, a run of lines of about "
        "run_characters, or a record (JSONL, CSV, Parquet); auto looks at the text and says why",
    )
    run_characters: int = Field(8000, ge=200, le=1_000_000, description="length of a run of lines, in characters")
    text_column: str | None = Field(None, description="name of the text field of records; none: found by its content")
    source_column: str | None = Field(
        None,
        description="with target_column: each record is a pair, and this field is its source; columns of a table "
        "without a row of names are called 1, 2 ...",
    )
    target_column: str | None = Field(None, description="with source_column: the field that is the pair's target")
    encoding: str = Field("auto", description="encoding of text files, such as utf-8 or cp1250; auto: found per file")
    bad_lines: Literal["stop", "skip"] = Field(
        "stop", description="a record that can't be read stops the work, or is skipped and written to rejected.jsonl"
    )
    skip_unreadable: bool = Field(False, description="go on without files that can't be opened, counted in the ledger")
    max_record_characters: int = Field(10_000_000, ge=1000, le=1_000_000_000, description="longest line or record")
    max_document_characters: int = Field(
        200_000, ge=1000, le=100_000_000, description="longer documents are split into several, never cut off"
    )
    max_archive_bytes: int = Field(
        64 * 1024**3, ge=1024, le=2**50, description="most bytes that one archive may unpack to"
    )
    max_compression_ratio: float = Field(
        1000.0, ge=2, le=1_000_000, description="a compressed file that unpacks to more than this many times its size"
        " is refused (text reaches about 10, a bomb 1000 and more)"
    )  # fmt: skip

    # --- cleaning and quality
    rules_off: tuple[Rule, ...] = Field((), description="rules that are not applied, by name")
    boilerplate_documents: int = Field(
        10, ge=2, le=1_000_000_000, description="a line in at least this many documents is boilerplate"
    )
    boilerplate_share: float = Field(
        0.002, ge=0, le=1, description="... and in at least this share of the documents (both must hold)"
    )
    boilerplate_characters: int = Field(20, ge=1, le=10_000, description="shorter lines are never boilerplate")
    min_characters: int | None = Field(
        None, ge=1, le=1_000_000, description="too_short: a document, or a side of a pair, has fewer characters; none: "
        "16, of a side 1, since words and headings are pairs too"
    )  # fmt: skip
    min_letter_share: float = Field(
        0.4, ge=0, le=1, description="mostly_symbols: fewer of the characters that are not white space are letters"
    )
    max_unbroken_share: float = Field(
        0.5, ge=0, le=1, description="unbroken_runs: more of the text stands in runs of 80 and more characters without"
        " a blank (Base64, hexadecimal dumps, minified code)"
    )  # fmt: skip
    max_replacement_share: float = Field(
        0.005, ge=0, le=1, description="replacement_characters: more of the text is U+FFFD, lost before it came here"
    )
    max_repeated_share: float = Field(
        0.8, ge=0, le=1, description="repetition: more of the five-word sequences occurred before in the same document"
    )
    languages: tuple[str, ...] = Field(
        (), description="language: keep documents in these languages only (codes such as pl, en) and those too short "
        "to tell; empty: keep all"
    )  # fmt: skip
    near_duplicate_similarity: float | None = Field(
        None, ge=0.5, le=1, description="near_duplicate: this share of five-word sequences is common to two documents; "
        "none: 0.8, and pairs are not compared, since a second translation or a changed number is worth having"
    )  # fmt: skip

    # --- split
    held_out: float | None = Field(
        None, gt=0, le=0.5, description="share of documents held out; none: 5 %, less above 200 MB (about 10 MB stay)"
    )

    @field_validator("languages")
    @classmethod
    def _known(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        for language in languages:
            if language not in LANGUAGES:
                place = f"corpus.languages = {language}"
                raise SettingsError(place, "is no language code known here", "use codes such as pl, en, de, uk")
        return languages

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        given = {"source_column": self.source_column, "target_column": self.target_column}
        named = [f"corpus.{name} = {value}" for name, value in given.items() if value is not None]
        missing = [f"corpus.{name}" for name, value in given.items() if value is None]
        if not named:
            return self
        if missing:
            raise SettingsError(named[0], f"needs {missing[0]} too", "name both columns of a pair")
        if self.text_column is not None:
            where = f"corpus.text_column = {self.text_column}"
            raise SettingsError(where, "does not go with corpus.source_column and corpus.target_column", "leave it out")
        if self.source_column == self.target_column:
            raise SettingsError(named[0], "is corpus.target_column too", "name two columns")
        if self.document not in ("auto", "record"):
            where = f"corpus.document = {self.document}"
            raise SettingsError(where, "does not go with corpus.source_column: each record is a pair", "leave it out")
        return self

    @property
    def pairs(self) -> bool:
        """Whether each record is a source and its target."""
        return self.source_column is not None

    @property
    def wanted_columns(self) -> tuple[str, ...]:
        """The columns that are asked for by name: none, the text, or source and target."""
        return tuple(name for name in (self.text_column, self.source_column, self.target_column) if name is not None)

    @property
    def shortest(self) -> int:
        """Characters below which a document or a side of a pair is too short."""
        return self.min_characters if self.min_characters is not None else 1 if self.pairs else 16

    @property
    def similarity(self) -> float:
        """Share of common five-word sequences from which documents are near-duplicates."""
        return 0.8 if self.near_duplicate_similarity is None else self.near_duplicate_similarity

    @property
    def compares_near(self) -> bool:
        """Whether near-duplicates are dropped: among documents, and among pairs where a similarity is given."""
        asked = not self.pairs or self.near_duplicate_similarity is not None
        return asked and "near_duplicate" not in self.rules_off
