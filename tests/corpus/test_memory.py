"""Bounded memory: what is far larger than the limit is streamed (A12, A15, A17)."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys
from pathlib import Path

import zstandard

# Reads files in a process that may use only so much address space beyond what its imports take.
PROGRAM = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
from reading import *
with open("/proc/self/status") as status:
    used = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[2]), used + int(sys.argv[2])))
for path, settings in json.loads(sys.argv[3]):
    config = CorpusConfig(**settings)
    (source,) = find_sources([path], config, Path(path).parent / "w")
    found = survey(source, config)
    documents = characters = rejected = 0
    for span in spans(source, found):
        for item in read_documents(source, found, config, span):
            if isinstance(item, Rejected):
                rejected += 1
            else:
                documents, characters = documents + 1, characters + len(item.text)
    print(json.dumps([documents, characters, rejected]))
"""
MEGABYTE = 1 << 20


def run(allowed: int, *cases: tuple[Path, dict[str, object]]) -> list[list[int]]:
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
    ascii_line = repeat(tmp_path / "a.txt", b"a" * MEGABYTE, 120)
    polish_line = repeat(tmp_path / "b.txt", "ż".encode() * (MEGABYTE // 2), 120)
    modes = ["auto", "file", "line", "block", "run"]
    cases = [(path, {"document": mode}) for mode in modes for path in (ascii_line, polish_line)]
    for (path, _), (documents, characters, _) in zip(cases, run(100, *cases), strict=True):
        assert characters == (120 if path == ascii_line else 60) * MEGABYTE
        assert documents == -(-characters // 200_000)


def test_a_packed_line_without_white_space_is_streamed(tmp_path: Path) -> None:
    line = b"".join(b"%d-" % number for number in range(9_000_000))  # 75 MB
    packs = {"gz": gzip.compress, "zst": zstandard.compress, "bz2": bz2.compress, "xz": lzma.compress}
    cases = []
    for form in ("gz", "zst", "xz"):  # bz2 packs at 10 MB/s
        path = tmp_path / f"a.txt.{form}"
        path.write_bytes(packs[form](line) if form != "xz" else lzma.compress(line, preset=0))
        cases.append((path, {}))
    assert [characters for _, characters, _ in run(65, *cases)] == [len(line)] * 3


def test_packed_bombs_are_refused_within_bounds(tmp_path: Path) -> None:
    zeros = bytes(150 * MEGABYTE)
    packs = {"gz": gzip.compress, "zst": zstandard.compress, "bz2": bz2.compress, "xz": lzma.compress}
    cases = []
    for form, pack in packs.items():
        path = tmp_path / f"a.txt.{form}"
        path.write_bytes(gzip.compress(zeros, 1) if form == "gz" else pack(zeros))
        cases.append((path, {"bad_lines": "skip", "max_compression_ratio": 100.0}))
    assert run(140, *cases) == [[0, 0, 1]] * 4


def test_huge_and_endlessly_nested_records_are_refused_and_the_next_ones_read(tmp_path: Path) -> None:
    good, skip = b'{"text": "Dobry."}\n', {"bad_lines": "skip"}
    piece = b"a" * MEGABYTE
    outcomes = run(
        150,
        (repeat(tmp_path / "a.jsonl", piece, 200, good + b'{"text": "', b'"}\n' + good), skip),
        (repeat(tmp_path / "b.jsonl", b"[" * MEGABYTE, 8, good, b"\n" + good), skip),
        (repeat(tmp_path / "c.csv", piece, 200, b"id,text\n1,Dobry.\n2,", b"\n3,Dobry.\n"), skip),
        (repeat(tmp_path / "d.json", piece, 200, b'["Dobry.", "', b'"]'), skip),
        (repeat(tmp_path / "e.json", b"[" * MEGABYTE, 50, b'["Dobry.", '), skip),
    )
    assert outcomes == [[2, 12, 1], [2, 12, 1], [2, 12, 1], [1, 6, 1], [1, 6, 1]]


def test_blank_lines_without_end_are_streamed(tmp_path: Path) -> None:
    path = repeat(tmp_path / "a.txt", b"\n" * MEGABYTE, 20, b"Raz.", b"Dwa.")
    assert run(250, (path, {"document": "block"})) == [[2, 8, 0]]
