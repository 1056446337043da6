"""The worker process of the corpus work: what it can be asked to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from osnowa import files, workers
from osnowa.corpus.config import CorpusConfig
from osnowa.corpus.documents import spans
from osnowa.corpus.judging import judge_chunk
from osnowa.corpus.reading import read_entry, read_pieces
from osnowa.corpus.sources import Source, check_unchanged
from osnowa.corpus.survey import survey
from osnowa.errors import DataError


def survey_sources(
    name: str, sources: Sequence[dict[str, Any]], config: Mapping[str, Any], part_bytes: int
) -> list[dict[str, Any]]:
    """For each source what was found out about it, and the spans it can be read in.

    Raises:
        DataError, InputMissingError
    """
    settings = CorpusConfig.model_validate(config)
    entries = []
    for values in sources:
        source = Source.from_dict(values)
        found = survey(source, settings)
        entries.append({"source": values, "survey": found.as_dict(), "spans": spans(source, found, part_bytes)})
    return entries


def check_sources(name: str, catalog: str, offsets: Sequence[int]) -> None:
    """Compare the files of sources (offsets of their lines in `catalog`) with what the survey saw, byte for byte.

    Raises:
        DataError: one was changed or deleted meanwhile.
    """
    with Path(catalog).open("rb") as lines:
        for offset in offsets:
            source, found = read_entry(lines, offset)
            check_unchanged(source)
            if source.kind == "file" and files.sha256(Path(source.path)) != found.sha256:
                raise DataError(source.name, "changed while it was being read", "leave it alone and run again")


ACTIONS: dict[str, Callable[..., Any]] = {
    "survey": survey_sources,
    "read": read_pieces,
    "check": check_sources,
    "judge": judge_chunk,
}

if __name__ == "__main__":
    workers.serve(ACTIONS)
