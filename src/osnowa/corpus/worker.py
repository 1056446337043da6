"""What a worker process does with one piece of the corpus: survey sources, read and clean them, judge documents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import xxhash

from osnowa import files, workers
from osnowa.corpus.boilerplate import hash_lines
from osnowa.corpus.cleaning import clean, size
from osnowa.corpus.config import CorpusConfig
from osnowa.corpus.documents import RawDocument, Rejected, read_documents, spans
from osnowa.corpus.escapes import is_double_escaped
from osnowa.corpus.judging import judge_part
from osnowa.corpus.parts import PART_BYTES, PART_DOCUMENTS, Arrays, finished, pack_texts, write_part
from osnowa.corpus.sources import Source, check_unchanged
from osnowa.corpus.survey import Survey, survey
from osnowa.corpus.tally import Tally, difference, excerpt


def survey_sources(sources: Sequence[dict[str, Any]], config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each source what was found out about it, and the pieces it can be read in."""
    settings = CorpusConfig.model_validate(config)
    entries = []
    for values in sources:
        source = Source.from_dict(values)
        found = survey(source, settings)
        entries.append({"source": values, "survey": found.as_dict(), "spans": spans(source, found)})
    return entries
