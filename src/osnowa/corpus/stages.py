"""One stage of the work: tasks given to worker processes, results in order, progress reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from osnowa import workers
from osnowa.corpus.config import CorpusConfig

WORKER = "osnowa.corpus.worker"  # what the processes of `Stages.pool` run


@dataclass(frozen=True)
class Progress:
    """How far a phase of the corpus work is."""

    phase: str  # "survey" | "clean" | "repetition" | "judge" | "duplicates" | "check"
    done: int
    total: int
    unit: str  # "bytes" | "documents" | "bands" | "sources"


class _Tasks(Sequence[workers.Task]):
    """Tasks made when they are sent: a hundred thousand sources need not stand in memory as JSON."""

    def __init__(self, action: str, make: Callable[[int], Mapping[str, Any]], number: int) -> None:
        self.action, self.make, self.number = action, make, number

    def __len__(self) -> int:
        return self.number

    @overload
    def __getitem__(self, index: int) -> workers.Task: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[workers.Task]: ...

    def __getitem__(self, index: int | slice) -> workers.Task | Sequence[workers.Task]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self.number))]
        return {"action": self.action, "arguments": self.make(index)}


@dataclass(frozen=True)
class Stages:
    """What every stage needs to know."""

    config: CorpusConfig
    workspace: Path
    pool: workers.Pool
    report: Callable[[Progress], None]

    def run(
        self,
        phase: str,
        action: str,
        make: Callable[[int], Mapping[str, Any]],
        sizes: Sequence[int],
        unit: str = "bytes",
    ) -> Iterator[Any]:
        """Results of the tasks whose arguments `make` makes, in order; task i is `sizes[i]` of the progress.

        Raises:
            OsnowaError: the first failed task's.
        """
        total, done = sum(sizes), 0
        self.report(Progress(phase, 0, total, unit))
        tasks = _Tasks(action, make, len(sizes))
        for size, result in zip(sizes, self.pool.run(tasks), strict=True):
            done += size
            self.report(Progress(phase, done, total, unit))
            yield result
