"""What the tests of the whole way share: collect in this process, and look at everything that was left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from osnowa import workers
from osnowa.corpus import Corpus, CorpusConfig, Document, Progress, collect
from osnowa.corpus.stages import WORKER
from osnowa.corpus.worker import ACTIONS

Collect = Callable[..., Corpus]


class PoolHere:
    """As `workers.Pool`, in this process; arguments and results travel as JSON here too."""

    def __init__(self, module: str, num_workers: int) -> None:
        assert module == WORKER

    def __enter__(self) -> PoolHere:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def run(self, tasks: Sequence[workers.Task]) -> Iterator[Any]:
        for number in range(len(tasks)):
            task = json.loads(json.dumps(tasks[number]))
            yield json.loads(json.dumps(ACTIONS[task["action"]](**task["arguments"])))


def collect_texts(folder: Path, texts: Sequence[str], **settings: object) -> Corpus:
    """The corpus of `texts`, one a record, in `folder`/workspace."""
    source = folder / "texts.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    config = CorpusConfig.read("corpus", settings)
    return collect([str(source)], config, folder / "workspace", num_workers=1, progress=ignore)


def ignore(progress: Progress) -> None:
    """No progress is shown in tests."""


def documents(corpus: Corpus) -> list[Document]:
    return [document for part in range(corpus.num_parts) for document in corpus.documents(part)]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker tasks run in this process: faster, and faults can be planted."""
    monkeypatch.setattr(workers, "Pool", PoolHere)
