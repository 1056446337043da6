"""What a document is, which rules clean and drop documents, and how much is held out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

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
    min_characters: int = Field(16, ge=1, le=1_000_000, description="too_short: a document has fewer characters")
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
    near_duplicate_similarity: float = Field(
        0.8, ge=0.5, le=1, description="near_duplicate: this share of five-word sequences is common to two documents"
    )

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
