"""From the TEXT arguments to a list of sources in a stable order; every problem is found before any work begins."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from osnowa.corpus import folders, spool
from osnowa.corpus.encodings import check_encoding
from osnowa.corpus.findings import EXTENSIONS, Findings, Skipped, Source, Sources
from osnowa.errors import DataError, UsageError

if TYPE_CHECKING:
    from osnowa.corpus.config import CorpusConfig

__all__ = ["Skipped", "Source", "Sources", "check_unchanged", "find_sources"]


def find_sources(inputs: Sequence[str], config: CorpusConfig, workspace: Path) -> Sources:
    """The sources behind the TEXT arguments, folders walked in the order of their path components.

    Standard input ("-"), named pipes, hub data sets, the embedded sample and packed Parquet files are first copied
    into `workspace`, and only when all other inputs are sound.

    Raises:
        UsageError: no input, or an unknown sample.
        InputMissingError: something is not there or can't be read.
        SettingsError: corpus.encoding is no encoding.
        DataError: an input is empty, blank, or holds nothing that can be read.
    """
    if not inputs:
        raise UsageError("TEXT", "is missing", "name files or folders of text, or use --sample python-docs")
    if config.encoding != "auto":
        check_encoding(config.encoding)
    findings = Findings(config, workspace)
    for given in dict.fromkeys(inputs):
        if given == "-" or given.startswith(("sample:", "hf://")):
            findings.found.append(spool.promise(given, findings))
            continue
        before = (len(findings.found), findings.problems(), findings.repeated)
        folders.look_at(given, findings)
        if before == (len(findings.found), findings.problems(), findings.repeated):
            passed = ", ".join(f"{entry.files} {entry.reason}" for entry in findings.skipped())
            known = " ".join(EXTENSIONS)
            what = f"holds no text (passed over: {passed})" if passed else "is an empty folder"
            findings.unfit(given, what, f"files ending in {known} and .zip are read")
    findings.raise_problems()
    sources = [entry if isinstance(entry, Source) else entry() for entry in findings.found]
    return Sources(sources, findings.skipped())


def check_unchanged(source: Source) -> None:
    """Compare the file behind `source` with what was recorded when it was found.

    Raises:
        DataError: it was deleted, or its size or time of change differ.
    """
    instead = "leave the input alone while it is read, and run again"
    try:
        now = os.stat(source.path)
    except OSError:
        raise DataError(source.name, "disappeared while it was being read", instead) from None
    if now.st_mtime_ns != source.mtime_ns or (source.member is None and now.st_size != source.size):
        raise DataError(source.name, "changed while it was being read", instead)
