"""Bounded memory: what is far larger than the limit is streamed (A12, A15, A17)."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zstandard

# Reads files in a process that may use only so much address space beyond what its imports take, in small cells, so that
# small files are large.
PROGRAM = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
from reading import *
from osnowa.corpus import content, documents, lines
from osnowa.errors import DataError
for module in (content, documents, lines):
    module.GRID = 1 << 18
with open("/proc/self/status") as status:
    used = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[2]), used + int(sys.argv[2])))
for path, settings in json.loads(sys.argv[3]):
    try:
        outcome = [0, 0, 0]
        config = CorpusConfig(**settings)
        (source,) = find_sources([path], config, Path(path).parent / "w")
        found = survey(source, config)
        for span in spans(source, found):
            for item in read_documents(source, found, config, span):
                outcome[2] += isinstance(item, Rejected)
                outcome[0] += isinstance(item, RawDocument)
                outcome[1] += len(item.text) if isinstance(item, RawDocument) else 0
    except DataError as error:
        outcome = str(error)
    print(json.dumps(outcome))
"""
MEGABYTE = 1 << 20
PACKS: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, 1),
    "zst": zstandard.compress,
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
}
Case = tuple[Path, dict[str, object]]


def run(allowed: int, *cases: Case) -> list[Any]:
    """Documents, characters and rejected pieces of each case, read with `allowed` megabytes."""
    plain = json.dumps([(str(path), settings) for path, settings in cases])
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(allowed * MEGABYTE), plain]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def repeat(path: Path, piece: bytes, times: int, before: bytes = b"", after: bytes = b"") -> Path:
    with path.open("wb") as handle:
        handle.write(before)
        for _ in range(times):
            handle.write(piece)
        handle.write(after)
    return path


def test_a_line_without_white_space_is_streamed(tmp_path: Path) -> None:
    ascii_line = repeat(tmp_path / "a.txt", b"a" * MEGABYTE, 24)
    polish_line = repeat(tmp_path / "b.txt", "ż".encode() * (MEGABYTE // 2), 24)
    modes = ["auto", "file", "line", "block", "run"]
    cases: list[Case] = [(ascii_line, {"document": mode}) for mode in modes]
    cases.append((polish_line, {}))
    for (path, _), outcome in zip(cases, run(16, *cases), strict=True):
        characters = (24 if path == ascii_line else 12) * MEGABYTE
        assert outcome == [-(-characters // 200_000), characters, 0]


def test_a_packed_line_without_white_space_is_streamed(tmp_path: Path) -> None:
    line = b"".join(b"%d-" % number for number in range(2_200_000))  # 17 MB, packs to a third
    cases: list[Case] = []
    for form, pack in PACKS.items():
        path = tmp_path / f"a.txt.{form}"
        path.write_bytes(pack(line))
        cases.append((path, {}))
    assert [outcome[1] for outcome in run(16, *cases)] == [len(line)] * 4


def test_packed_bombs_are_refused_within_bounds(tmp_path: Path) -> None:
    content = b"a" * (64 * MEGABYTE)
    cases: list[Case] = []
    for form, pack in PACKS.items():
        path = tmp_path / f"a.txt.{form}"
        path.write_bytes(pack(content))
        cases.append((path, {"max_compression_ratio": 50.0}))
    assert all("decompresses to more than 50 times its size" in str(outcome) for outcome in run(150, *cases))


def test_huge_and_endlessly_nested_records_are_refused_and_the_next_ones_read(tmp_path: Path) -> None:
    good = b'{"text": "Dobry."}\n'
    piece = b"a" * MEGABYTE
    skip: dict[str, object] = {"bad_lines": "skip", "max_record_characters": MEGABYTE}
    outcomes = run(
        20,
        (repeat(tmp_path / "a.jsonl", piece, 24, good + b'{"text": "', b'"}\n' + good), skip),
        (repeat(tmp_path / "b.jsonl", b"[" * (MEGABYTE - 9), 1, good, b"\n" + good), skip),
        (repeat(tmp_path / "c.csv", piece, 24, b"id,text\n1,Dobry.\n2,", b"\n3,Dobry.\n"), skip),
        (repeat(tmp_path / "d.json", piece, 24, b'["Dobry.", "', b'"]'), skip),
        (repeat(tmp_path / "e.json", b"[" * MEGABYTE, 24, b'["Dobry.", '), skip),
    )
    assert outcomes == [[2, 12, 1], [2, 12, 1], [2, 12, 1], [1, 6, 1], [1, 6, 1]]


def test_blank_lines_without_end_are_streamed(tmp_path: Path) -> None:
    path = repeat(tmp_path / "a.txt", b"\n" * MEGABYTE, 20, b"Raz.", b"Dwa.")
    assert run(20, (path, {"document": "block"})) == [[2, 8, 0]]
