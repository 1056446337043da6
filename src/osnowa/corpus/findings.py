"""What a source is, and what the search for sources has met: those found, those passed over, and the problems."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from osnowa.corpus.compression import FORMATS as COMPRESSIONS
from osnowa.corpus.compression import Compression
from osnowa.corpus.raw import PackedError
from osnowa.errors import DataError, InputMissingError, OsnowaError

if TYPE_CHECKING:
    from osnowa.corpus.config import CorpusConfig

Format = Literal["text", "markdown", "html", "jsonl", "json", "csv", "tsv", "parquet"]
Kind = Literal["file", "zip_member", "spooled", "sample", "hub"]

EXTENSIONS: dict[str, Format] = {
    ".txt": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to read; plain values only, because worker processes receive it as JSON."""

    name: str  # what messages and the ledger call it
    kind: Kind
    path: str  # where to open it, absolute
    member: str | None  # inside a ZIP archive
    format: Format
    compression: Compression
    size: int  # bytes: of the file, or of the unpacked member
    mtime_ns: int  # of the file or the archive

    def as_dict(self) -> dict[str, Any]:
        """JSON; a path that is no UTF-8 goes as "hex:..." (real ones are absolute, so they begin with "/")."""
        values = asdict(self)
        if not _is_utf8(self.path):
            values["path"] = "hex:" + os.fsencode(self.path).hex()
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Source:
        if values["path"].startswith("hex:"):
            values = {**values, "path": os.fsdecode(bytes.fromhex(values["path"][4:]))}
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Files that were passed over for one reason; the ledger lists them beside the documents."""

    reason: str
    files: int
    size: int  # bytes
    examples: tuple[str, ...]  # the first three names


class Sources(list[Source]):
    """The sources in their order, and what was passed over on the way."""

    def __init__(self, sources: Sequence[Source] = (), skipped: Sequence[Skipped] = ()) -> None:
        super().__init__(sources)
        self.skipped = tuple(skipped)


class Findings:
    """What the search has met so far: sources, passed-over files, and problems that stop the work."""

    def __init__(self, config: CorpusConfig, workspace: Path) -> None:
        self.config, self.workspace = config, workspace
        self.found: list[Source | Callable[[], Source]] = []  # a function spools its input, once nothing else is wrong
        self.seen: set[tuple[int, int]] = set()  # device and inode of files and folders already met
        self.repeated = 0  # files and folders met a second time
        self._skipped: dict[str, list[Any]] = {}
        self._missing: list[OsnowaError] = []
        self._unfit: list[OsnowaError] = []

    def skip(self, name: str, reason: str, size: int = 0) -> None:
        entry = self._skipped.setdefault(reason, [0, 0, []])
        entry[0] += 1
        entry[1] += size
        if len(entry[2]) < 3:
            entry[2].append(name)

    def repeat(self, name: str, reason: str, size: int = 0) -> None:
        self.repeated += 1
        self.skip(name, reason, size)

    def missing(self, name: str, what: str, instead: str) -> None:
        self._missing.append(InputMissingError(name, what, instead))

    def unreadable(self, name: str, error: OSError, size: int = 0) -> None:
        """A file or folder that can't be opened: counted under skip_unreadable, else a problem."""
        if self.config.skip_unreadable:
            self.skip(name, "unreadable", size)
        else:
            instead = "make it readable, or go on without it with --skip-unreadable"
            self.missing(name, f"can't be read ({os.strerror(error.errno or 0)})", instead)

    def unfit(self, name: str, what: str, instead: str = "") -> None:
        self._unfit.append(DataError(name, what, instead))

    def damaged(self, name: str, what: str, instead: str, size: int, *, explicit: bool) -> None:
        """A packed file that can't be unpacked: counted inside a folder under bad_lines = "skip", else a problem."""
        if self.config.bad_lines == "skip" and not explicit:
            self.skip(name, PackedError.kind, size)
        else:
            self.unfit(name, what, instead or "mend or remove it")

    def problems(self) -> int:
        return len(self._missing) + len(self._unfit)

    def skipped(self) -> list[Skipped]:
        return [Skipped(why, files, size, tuple(names)) for why, (files, size, names) in sorted(self._skipped.items())]

    def raise_problems(self) -> None:
        """One error for all of them; what is missing comes before what is unfit."""
        for problems in (self._missing, self._unfit):
            if problems:
                first, others = problems[0], problems[1:]
                more = ", ".join(error.where for error in others[:5]) + (", ..." if len(others) > 5 else "")
                what = first.what + (f" (and {len(others)} more: {more})" if others else "")
                raise type(first)(first.where, what, first.instead)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def name_format(name: str) -> tuple[Format | None, Compression, str]:
    """Format and compression by the name's extensions, and the extension that decided ("" for none)."""
    stem, extension = os.path.splitext(name)
    compression: Compression = "none"
    if extension.lower()[1:] in COMPRESSIONS:
        compression = extension.lower()[1:]  # type: ignore[assignment]  # the line above says it is one
        stem, extension = os.path.splitext(stem)
    return EXTENSIONS.get(extension.lower()), compression, extension.lower()


def printable(path: str) -> str:
    """A path for messages and JSON: bytes of a file name that are no UTF-8 are spelled \\xNN, line breaks too."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def file_source(name: str, path: str, status: os.stat_result, kind: Kind, form: Format, packed: Compression) -> Source:
    """The source of a regular file."""
    assert stat.S_ISREG(status.st_mode), path
    return Source(name, kind, os.path.abspath(path), None, form, packed, status.st_size, status.st_mtime_ns)
