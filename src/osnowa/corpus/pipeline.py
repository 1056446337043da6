"""From TEXT arguments to a published corpus: survey, read and clean, find repetition, judge, split, account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from osnowa import files, workers
from osnowa.corpus.accounting import account, count_duplicates, refuse_nothing
from osnowa.corpus.boilerplate import Boilerplate, find_boilerplate
from osnowa.corpus.catalog import Catalog, check_inputs, make_catalog, name_work
from osnowa.corpus.config import CorpusConfig
from osnowa.corpus.duplicates import NONE, Signatures, find_exact, find_near
from osnowa.corpus.judging import BOILERPLATE
from osnowa.corpus.parts import PartFiles, read_part, write_part
from osnowa.corpus.published import COLLECTED, Corpus, open_corpus, part_files, part_path, publish_corpus
from osnowa.corpus.reading import chunk_path, rejected_path
from osnowa.corpus.sources import Sources, find_sources
from osnowa.corpus.split import count_overlap, split
from osnowa.corpus.stages import WORKER, Progress, Stages
from osnowa.corpus.tally import Tally

EXACT, NEAR = "exact_duplicate", "near_duplicate"
_PASSING = ("read", "signed", "sorting", "common.safetensors")  # of the work only, removed when it is done


def collect(
    inputs: Sequence[str],
    config: CorpusConfig,
    workspace: Path,
    *,
    num_workers: int,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Corpus:
    """Read, clean, judge and split the documents of `inputs` into `workspace`.

    The result depends on inputs and settings alone, not on the number of workers. After a stop at any moment the same
    call goes on where it was; when it was finished, it returns what is there.

    Raises:
        DataError: nothing is left, a record can't be read, or an input changed meanwhile.
        InputMissingError, UsageError: as `find_sources`.
        StorageError, CannotCreateError
    """
    files.make_folder(workspace)
    sources = find_sources(inputs, config, workspace)
    with workers.Pool(WORKER, num_workers) as pool:
        return _collect(sources, Stages(config, workspace, pool, progress))


def _collect(sources: Sources, stages: Stages) -> Corpus:
    config, workspace = stages.config, stages.workspace
    catalog = make_catalog(sources, stages)
    work = _Work(stages, catalog, name_work(config, catalog))
    if (corpus := _open_finished(workspace, work.name)) is not None:
        work.tidy(corpus.sizes)
        return corpus
    files.remove(workspace / COLLECTED)  # of other work, whose parts are about to be replaced
    tally = Tally()
    chunks, num_lines = work.read(tally)
    check_inputs(catalog, stages.report)
    repeated = work.find_repetition(chunks, num_lines, tally)
    sizes = work.judge(chunks, repeated, tally)
    parts = part_files(workspace, sizes)
    kept = work.drop_duplicates(parts, tally)
    refuse_nothing(tally, int(kept.sum()))
    keys = parts.column("split_keys")
    division = split(keys, kept, int(parts.column("lengths")[kept].sum(dtype=np.int64)), config.held_out)
    overlap = count_overlap(division.decisions, keys)
    ledger = account(
        tally, parts, division, overlap, catalog, sources.skipped, "pairs" if config.pairs else "documents"
    )
    corpus = publish_corpus(workspace, sizes, division.decisions, ledger, work.name)
    work.tidy(sizes)
    return corpus


def _open_finished(workspace: Path, work: str) -> Corpus | None:
    path = workspace / COLLECTED
    return open_corpus(workspace) if path.exists() and files.read_json(path).get("work") == work else None


@dataclass(frozen=True)
class _Work:
    """The stages between the catalog and the split; each gives its files and adds to the tally."""

    stages: Stages
    catalog: Catalog
    name: str

    def read(self, tally: Tally) -> tuple[PartFiles, int]:
        """Cleaned documents in chunks, and how many of their lines could be boilerplate."""
        folder = files.make_folder(self.stages.workspace / "read")
        groups, sizes = self.catalog.tasks()
        settings = self.stages.config.model_dump(mode="json")

        def make(task: int) -> Mapping[str, Any]:
            return {
                "name": f"piece {task + 1} of {len(groups)}",
                "folder": str(folder),
                "task": task,
                "catalog": str(self.catalog.path),
                "pieces": groups[task],
                "config": settings,
                "work": self.name,
                "part_bytes": self.catalog.part_bytes,
            }

        paths, documents, num_lines = list[Path](), list[int](), 0
        rejected = self.stages.workspace / "rejected.jsonl"
        with files.open_new(rejected) as refused:
            for task, result in enumerate(self.stages.run("clean", "read", make, sizes)):
                for number, (size, lines) in enumerate(result["chunks"]):
                    paths.append(chunk_path(folder, task, number))
                    documents.append(size)
                    num_lines += lines
                tally.add(Tally.from_dict(result["tally"]))
                part = rejected_path(folder, task)
                with files.reading_errors(part), part.open("rb") as own:
                    while block := own.read(1 << 20):
                        refused.write(block)
        return PartFiles(paths, documents), num_lines

    def find_repetition(self, chunks: PartFiles, num_lines: int, tally: Tally) -> Path:
        """A file with the exact duplicates among the cleaned documents and the boilerplate lines of the others."""
        config, total = self.stages.config, sum(chunks.sizes)
        refuse_nothing(tally, total)
        self.stages.report(Progress("repetition", 0, total, "documents"))
        everyone = np.ones(total, bool)
        of = np.full(total, NONE, np.int64)
        if EXACT not in config.rules_off:
            of = find_exact(chunks.column("identities"), everyone)
            count_duplicates(tally, EXACT, chunks, of)
        found = Boilerplate(np.zeros(0, np.uint64), np.zeros(0, np.int64))
        if BOILERPLATE not in config.rules_off:
            fresh = of == NONE
            lines = self._lines(chunks, fresh)
            sorting = self.stages.workspace / "sorting"
            found = find_boilerplate(lines, num_lines, int(fresh.sum()), sorting, config)
        path = self.stages.workspace / "common.safetensors"
        arrays = {"duplicates": (of != NONE).astype(np.uint8), "hashes": found.hashes, "first": found.first}
        write_part(path, arrays, {}, self.name)
        return path

    def _lines(
        self, chunks: PartFiles, fresh: npt.NDArray[np.bool_]
    ) -> Iterator[tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]]:
        first = 0
        for path, size in zip(chunks.paths, chunks.sizes, strict=True):
            arrays, _ = read_part(path, ("line_hashes", "line_counts"))
            documents = np.repeat(np.arange(first, first + size), arrays["line_counts"])
            chosen = fresh[documents]
            yield arrays["line_hashes"][chosen], documents[chosen]
            first += size
            self.stages.report(Progress("repetition", first, len(fresh), "documents"))

    def judge(self, chunks: PartFiles, common: Path, tally: Tally) -> list[int]:
        """Parts with the documents that pass the quality rules; how many each holds."""
        for folder in ("parts", "signed"):
            files.make_folder(self.stages.workspace / folder)
        starts = np.concatenate([[0], np.cumsum(chunks.sizes)]).tolist()
        settings = self.stages.config.model_dump(mode="json")

        def make(number: int) -> Mapping[str, Any]:
            return {
                "name": f"part {number + 1} of {len(chunks.paths)}",
                "chunk": str(chunks.paths[number]),
                "first": starts[number],
                "common": str(common),
                "part": str(part_path(self.stages.workspace, number)),
                "signed": str(self._signed(number)),
                "config": settings,
                "work": self.name,
            }

        sizes = []
        for result in self.stages.run("judge", "judge", make, chunks.sizes, "documents"):
            sizes.append(result["documents"])
            tally.add(Tally.from_dict(result["tally"]))
        return sizes

    def _signed(self, number: int) -> Path:
        return self.stages.workspace / "signed" / f"{number:05d}.safetensors"

    def drop_duplicates(self, parts: PartFiles, tally: Tally) -> npt.NDArray[np.bool_]:
        """Which documents stay when all that repeat an earlier one are gone."""
        config = self.stages.config
        alive = np.ones(sum(parts.sizes), bool)
        if EXACT not in config.rules_off:
            of = find_exact(parts.column("keys"), alive)
            count_duplicates(tally, EXACT, parts, of)
            alive &= of == NONE
        if config.compares_near:
            signatures = Signatures([self._signed(number) for number in range(len(parts.sizes))], parts.sizes)
            comparable = alive & signatures.column("comparable").astype(bool)
            of = find_near(signatures, comparable, config.similarity, self._report_bands)
            count_duplicates(tally, NEAR, parts, of)
            alive &= of == NONE
        return alive

    def _report_bands(self, done: int, total: int) -> None:
        self.stages.report(Progress("duplicates", done, total, "bands"))

    def tidy(self, sizes: Sequence[int]) -> None:
        """Remove what only the work needed, and parts of earlier work."""
        for name in _PASSING:
            files.remove(self.stages.workspace / name)
        wanted = {part_path(self.stages.workspace, number).name for number in range(len(sizes))}
        for path in sorted((self.stages.workspace / "parts").iterdir()):
            if path.name not in wanted:
                files.remove(path)
