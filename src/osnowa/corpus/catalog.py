"""The list of surveyed sources on disk, and the tasks that read it in pieces of even size."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from osnowa import files
from osnowa.corpus.config import CorpusConfig
from osnowa.corpus.parts import PART_BYTES
from osnowa.corpus.sources import Source, check_unchanged, find_sources
from osnowa.corpus.stages import Progress, Stages
from osnowa.errors import DataError

CATALOG = "sources.jsonl"

_BATCH_SOURCES = 500
_SMALLEST_TASK = 256_000
_TASKS = 16  # at least, where the corpus is large enough: two to eight processes share them evenly

Piece = tuple[int, Any]  # offset of the source's line in the catalog, span


@dataclass(frozen=True)
class Catalog:
    """Surveyed sources: their lines stand in `path`; here is only what the distribution of work needs."""

    path: Path
    entries: list[tuple[int, int, list[Any]]]  # offset of the line, size in bytes, spans
    part_bytes: int  # of a task and of a part
    sha256: str  # of what the sources are and hold; where and when they were stored does not matter

    def tasks(self) -> tuple[list[list[Piece]], list[int]]:
        """Consecutive pieces in groups of about `part_bytes`, and the size of each group."""
        groups: list[list[Piece]] = [[]]
        sizes = [0]
        for offset, size, spans in self.entries:
            for span in spans:
                if sizes[-1] >= self.part_bytes:
                    groups.append([])
                    sizes.append(0)
                groups[-1].append((offset, span))
                sizes[-1] += size // len(spans)
        return groups, sizes

    def read(self) -> Iterator[dict[str, Any]]:
        """The entries in full: {"source", "survey", "spans"}."""
        with files.reading_errors(self.path), self.path.open("rb") as lines:
            yield from map(json.loads, lines)


def make_catalog(sources: Sequence[Source], stages: Stages) -> Catalog:
    """Survey all sources in worker processes and write the catalog.

    Raises:
        DataError, InputMissingError, StorageError
    """
    batches = list(_batches(sources))
    # By the corpus alone, not by the number of workers, so that the result is too.
    part_bytes = max(_SMALLEST_TASK, min(PART_BYTES, sum(source.size for source in sources) // _TASKS))
    settings = stages.config.model_dump(mode="json")

    def make(index: int) -> Mapping[str, Any]:
        batch = batches[index]
        described = [source.as_dict() for source in batch]
        return {"name": batch[0].name, "sources": described, "config": settings, "part_bytes": part_bytes}

    path = stages.workspace / CATALOG
    entries: list[tuple[int, int, list[Any]]] = []
    offset = 0
    digest = hashlib.sha256()
    with files.open_new(path) as handle:
        for found in stages.run("survey", "survey", make, [sum(s.size for s in batch) for batch in batches]):
            for entry in found:
                line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
                handle.write(line)
                plain = {name: value for name, value in entry["source"].items() if name not in ("path", "mtime_ns")}
                digest.update(json.dumps([plain, entry["survey"], entry["spans"]]).encode())
                entries.append((offset, entry["source"]["size"], entry["spans"]))
                offset += len(line)
    return Catalog(path, entries, part_bytes, digest.hexdigest())


def check_inputs(catalog: Catalog, report: Callable[[Progress], None]) -> None:
    """Make sure that no input changed since it was surveyed: size, time of change and (of plain files) SHA-256.

    Raises:
        DataError: the first one that did.
    """
    for done, entry in enumerate(catalog.read(), 1):
        source = Source.from_dict(entry["source"])
        check_unchanged(source)
        if source.kind == "file" and files.sha256(Path(source.path)) != entry["survey"]["sha256"]:
            raise DataError(source.name, "changed while it was being read", "leave it alone and run again")
        report(Progress("check", done, len(catalog.entries), "sources"))


def _batches(sources: Sequence[Source]) -> Iterator[list[Source]]:
    batch: list[Source] = []
    size = 0
    for source in sources:
        batch.append(source)
        size += source.size
        if size >= PART_BYTES or len(batch) >= _BATCH_SOURCES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def fingerprint_inputs(inputs: Sequence[str], config: CorpusConfig, workspace: Path) -> dict[str, dict[str, Any]]:
    """What the inputs are now: {name: {size, mtime_ns, sha256}} in their order; for a resume, to see what changed.

    What has no file of its own (standard input, the embedded sample, hub data) is copied into `workspace` first.

    Raises:
        UsageError, InputMissingError, DataError: as `find_sources`.
    """
    return _fingerprint(find_sources(inputs, config, workspace))


def fingerprint_collected(workspace: Path) -> dict[str, dict[str, Any]]:
    """The same of the inputs that `collect` has read into `workspace`; a pipe can't be read a second time."""
    with (workspace / CATALOG).open("rb") as lines:
        return _fingerprint(Source.from_dict(json.loads(line)["source"]) for line in lines)


def _fingerprint(sources: Iterable[Source]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    digests: dict[str, str] = {}
    for source in sources:
        if source.path not in digests:
            digests[source.path] = files.sha256(Path(source.path))
        changed = source.mtime_ns if source.kind in ("file", "zip_member") else 0  # a copy is new each time
        found[source.name] = {"size": source.size, "mtime_ns": changed, "sha256": digests[source.path]}
    return found


def name_work(config: CorpusConfig, catalog: Catalog) -> str:
    """The fingerprint of this work: part files that carry it are its own and need not be made again."""
    versions = {name: version(name) for name in ("osnowa", "ftfy", "py3langid", "rensa", "xxhash")}
    facts = {"config": config.model_dump(mode="json"), "catalog": catalog.sha256, "versions": versions}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
