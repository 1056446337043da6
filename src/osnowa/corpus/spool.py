"""Inputs that can be read only once or need seeking are first copied into the workspace: pipes, hub, sample, packed Parquet."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from osnowa.corpus import sample
from osnowa.corpus.compression import MAGIC, Compression
from osnowa.corpus.findings import Findings, Format, Kind, Source, file_source
from osnowa.corpus.opening import is_blank, open_stream, unpacked
from osnowa.corpus.raw import SourceError
from osnowa.errors import DamagedError, DataError, InputMissingError, UsageError
from osnowa.files import make_folder, open_new, publish, read_manifest, remove, storage_errors

_BLOCK = 1 << 20


def promise(given: str, findings: Findings) -> Callable[[], Source]:
    """The copying of an input, to be done once nothing else is wrong; its name is checked now.

    Raises:
        UsageError: no such sample or no possible hub address.
    """
    number = len(findings.found)
    if given.startswith("sample:"):
        name = given.removeprefix("sample:")
        if name not in sample.SAMPLES:
            raise UsageError(given, "no such sample", f"there is {', '.join(sample.SAMPLES)}")
        return lambda: _spool_records(name, "sample", sample.SAMPLES[name], findings)
    if given.startswith("hf://"):
        address = re.fullmatch(r"hf://datasets/([\w.-]+(?:/[\w.-]+)?)(?:/([\w.-]+))?", given)
        if address is None:
            raise UsageError(
                given, "is no hub address", "write hf://datasets/OWNER/NAME or hf://datasets/OWNER/NAME/CONFIG"
            )
        return lambda: _spool_records(given, "hub", lambda: _read_hub(given, *address.groups()), findings)
    return lambda: _spool_pipe(given, f"{number:03}-stdin", findings)


def promise_unpacked(source: Source, findings: Findings) -> Callable[[], Source]:
    """The unpacking of a Parquet file, which is read from its end, into the workspace."""
    number = len(findings.found)

    def unpack() -> Source:
        target = _target(findings, f"{number:03}-unpacked.parquet")
        try:
            with open_stream(source, findings.config) as stream:
                _copy(stream, target)
        except SourceError as error:
            remove(target)
            raise DataError(source.name, error.what, error.instead) from None
        return replace(file_source(source.name, str(target), target.stat(), "spooled", "parquet", "none"))

    return unpack


def _target(findings: Findings, name: str) -> Path:
    return make_folder(findings.workspace / "inputs") / name


def _copy(stream: Any, target: Path) -> None:
    with storage_errors(target), open_new(target) as copy:
        while block := stream.read(_BLOCK):
            copy.write(block)


def _spool_pipe(given: str, title: str, findings: Findings) -> Source:
    """Standard input or a named pipe; what it holds is told from its beginning."""
    name, target = "<stdin>" if given == "-" else given, _target(findings, title)
    try:
        if given != "-":
            with open(given, "rb") as pipe:
                _copy(pipe, target)
        elif sys.stdin is None:
            raise InputMissingError(name, "is closed", "pipe text into it")
        else:
            _copy(sys.stdin.buffer, target)
    except OSError as error:
        raise InputMissingError(name, f"can't be read ({error.strerror or error})") from None
    form, packed = _sniff(target, findings)
    with open(target, "rb") as handle:
        try:
            blank = is_blank(unpacked(handle, packed, findings.config))
        except SourceError as error:
            raise DataError(name, error.what, error.instead) from None
    if blank:
        remove(target)
        raise DataError(name, "holds nothing but white space", "pipe text into it")
    return file_source(name, str(target), target.stat(), "spooled", form, packed)


def _sniff(path: Path, findings: Findings) -> tuple[Format, Compression]:
    """JSONL when the first line is a JSON object, else text; packed when it begins as packed data do."""
    with open(path, "rb") as handle:
        head = handle.read(16)
        packed: Compression = next((form for magic, form in MAGIC.items() if head.startswith(magic)), "none")
        handle.seek(0)
        stream, line = unpacked(handle, packed, findings.config), b""
        try:
            while b"\n" not in line and len(line) < _BLOCK and (block := stream.read(64 << 10)):
                line = (line + block).lstrip()
            return ("jsonl" if isinstance(json.loads(line.split(b"\n", 1)[0]), dict) else "text"), packed
        except (ValueError, RecursionError, SourceError):
            return "text", packed


def _spool_records(
    name: str, kind: Kind, records: Callable[[], Iterable[dict[str, str]]], findings: Findings
) -> Source:
    """Records as a JSONL file in a published folder of the workspace; one that is there is used again."""
    key = hashlib.sha256(f"{name} {sys.version}".encode()).hexdigest()[:16]
    folder = make_folder(findings.workspace / "inputs") / f"{kind}-{key}"
    path = folder / "records.jsonl"
    if not _is_whole(folder, path):
        with publish(folder) as work, open_new(work / path.name) as copy:
            for record in records():
                copy.write(json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
    if path.stat().st_size == 0:
        remove(folder)
        raise DataError(name, "holds no text", "give files or folders of text")
    return file_source(name, str(path), path.stat(), kind, "jsonl", "none")


def _is_whole(folder: Path, path: Path) -> bool:
    try:
        return read_manifest(folder).files[path.name][0] == path.stat().st_size
    except (DamagedError, KeyError, OSError):
        return False


def _read_hub(given: str, repository: str, config: str | None) -> Iterator[dict[str, str]]:
    """The string fields of a hub data set's training records, streamed."""
    try:
        import datasets
    except ImportError:
        instead = "install it with: pip install 'osnowa[hub]'"
        raise InputMissingError(given, "needs the package datasets", instead) from None
    try:
        for record in datasets.load_dataset(repository, config, split="train", streaming=True):
            yield {key: value for key, value in record.items() if isinstance(value, str)}
    except Exception as error:  # datasets, its file systems and its HTTP clients have no base class in common
        problem = " ".join(str(error).split())[:200] or type(error).__name__
        instead = "check the name and the network, or give local files"
        raise InputMissingError(given, f"can't be read from the hub ({problem})", instead) from error
