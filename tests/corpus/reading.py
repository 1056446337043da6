"""What the tests of reading share: write a file, read it all, and see what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from osnowa.corpus.config import CorpusConfig
from osnowa.corpus.documents import RawDocument, Rejected, read_documents, spans
from osnowa.corpus.findings import Source
from osnowa.corpus.sources import Sources, find_sources
from osnowa.corpus.survey import Survey, survey

LONG = "To jest zdanie, które wypełnia plik. This is a sentence that fills the file.\n"


@dataclass(frozen=True)
class Outcome:
    """Everything that came out of some inputs, in order."""

    sources: Sources
    surveys: list[Survey]
    documents: list[RawDocument]
    rejected: list[Rejected]

    @property
    def texts(self) -> list[str]:
        return [document.text for document in self.documents]

    @property
    def notes(self) -> str:
        return "; ".join(note for found in self.surveys for note in found.notes)

    @property
    def skipped(self) -> dict[str, int]:
        return {entry.reason: entry.files for entry in self.sources.skipped}


def read(
    *inputs: Path | str,
    workspace: Path | None = None,
    size: int = 16 << 20,
    unchecked: Mapping[str, object] | None = None,
    **settings: object,
) -> Outcome:
    """Find, survey and read `inputs` as the pipeline does: sources and surveys travel as JSON, spans one by one.

    `unchecked` settings may be smaller than their class allows.
    """
    config = CorpusConfig.read("corpus", settings).model_copy(update=unchecked)
    work = workspace or Path(str(inputs[0])).parent / "workspace"
    sources = find_sources([str(given) for given in inputs], config, work)
    surveys, documents, rejected = [], [], []
    for source in sources:
        source = Source.from_dict(json.loads(json.dumps(source.as_dict())))
        found = Survey.from_dict(json.loads(json.dumps(survey(source, config).as_dict())))
        surveys.append(found)
        for span in spans(source, found, size):
            for item in read_documents(source, found, config, span):
                if isinstance(item, Rejected):
                    rejected.append(item)
                else:
                    documents.append(item)
    return Outcome(sources, surveys, documents, rejected)


def read_text(folder: Path, content: bytes | str, name: str = "a.txt", **settings: object) -> Outcome:
    """`read` of one new file."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(path, **settings)  # type: ignore[arg-type]


def json_lines(records: Sequence[object]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
