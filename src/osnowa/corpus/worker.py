"""The worker process of the corpus work: what it can be asked to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from osnowa import workers
from osnowa.corpus.config import CorpusConfig
from osnowa.corpus.documents import spans
from osnowa.corpus.judging import judge_chunk
from osnowa.corpus.reading import read_pieces
from osnowa.corpus.sources import Source
from osnowa.corpus.survey import survey


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


ACTIONS: dict[str, Callable[..., Any]] = {
    "survey": survey_sources,
    "read": read_pieces,
    "judge": judge_chunk,
}

if __name__ == "__main__":
    workers.serve(ACTIONS)
