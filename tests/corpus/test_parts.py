"""Part files: what was written comes back; torn, altered or foreign files are not used; the same bytes everywhere."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osnowa.corpus.parts import PartFiles, finished, pack_hashes, pack_texts, read_part, unpack_texts, write_part
from osnowa.errors import DamagedError, StorageError

FACTS = {"sources": ["łąka.txt"], "documents": 2}


@pytest.fixture
def part(tmp_path: Path) -> Path:
    path = tmp_path / "00000.safetensors"
    write_part(path, {**pack_texts(["Żółw", "łódź"]), "lines": np.array([3, 8])}, FACTS, "this work")
    return path


def test_arrays_and_facts_come_back(part: Path) -> None:
    arrays, facts = read_part(part)
    assert list(unpack_texts(arrays)) == ["Żółw", "łódź"]
    assert arrays["lines"].tolist() == [3, 8]
    assert facts == FACTS == finished(part, "this work")


def test_only_the_arrays_asked_for_are_read(part: Path) -> None:
    assert set(read_part(part, ("lines",))[0]) == {"lines"}


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_texts_come_back_as_they_were(texts: list[str]) -> None:
    assert list(unpack_texts(pack_texts(texts))) == texts


def test_no_documents_are_a_part_too(tmp_path: Path) -> None:
    write_part(tmp_path / "part", {**pack_texts([]), "hashes": pack_hashes([])}, {}, "work")
    arrays, _ = read_part(tmp_path / "part")
    assert arrays["hashes"].shape == (0, 16)
    assert list(unpack_texts(arrays)) == []


def test_a_part_of_other_work_has_to_be_made_again(part: Path) -> None:
    assert finished(part, "other work") is None
    assert finished(part.with_name("missing"), "this work") is None


def test_every_flipped_bit_is_noticed(part: Path) -> None:
    whole = part.read_bytes()
    draw = random.Random(0)
    for place in draw.sample(range(len(whole)), 150):
        part.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << draw.randrange(8)]) + whole[place + 1 :])
        assert finished(part, "this work") is None, place
        with pytest.raises(DamagedError, match=r"00000\.safetensors"):
            read_part(part)


@pytest.mark.parametrize("length", [0, 1, 8, 60, -1])
def test_a_torn_part_is_named(part: Path, length: int) -> None:
    part.write_bytes(part.read_bytes()[:length])
    assert finished(part, "this work") is None
    with pytest.raises(DamagedError, match=r"00000\.safetensors"):
        read_part(part)


def test_another_process_writes_the_same_bytes(part: Path, tmp_path: Path) -> None:
    code = (
        "import sys; import numpy as np; from pathlib import Path; from osnowa.corpus.parts import *\n"
        f"write_part(Path(sys.argv[1]), {{**pack_texts(['Żółw', 'łódź']), 'lines': np.array([3, 8])}}, {FACTS}, 'this work')"
    )
    for seed in ("1", "2"):
        other = tmp_path / f"other-{seed}"
        subprocess.run([sys.executable, "-c", code, str(other)], env={**os.environ, "PYTHONHASHSEED": seed}, check=True)
        assert other.read_bytes() == part.read_bytes()


def test_a_full_disk_leaves_the_old_part(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: memoryview) -> int:
        raise OSError(28, "No space left on device")

    whole = part.read_bytes()
    monkeypatch.setattr("osnowa.files.system.write", full)
    with pytest.raises(StorageError, match="no space left"):
        write_part(part, pack_texts(["inny"]), {}, "this work")
    assert part.read_bytes() == whole
    assert [path.name for path in part.parent.iterdir()] == [part.name]


def test_documents_are_found_across_parts(tmp_path: Path) -> None:
    texts = [["raz", "dwa"], [], ["trzy", "cztery", "pięć"]]
    paths = [tmp_path / str(number) for number in range(3)]
    for number, path in enumerate(paths):
        arrays = {
            **pack_texts(texts[number]),
            "sources": np.zeros(len(texts[number]), np.uint32),
            "lines": np.arange(len(texts[number])),
        }
        write_part(path, arrays, {"sources": [f"source {number}"]}, "work")
    parts = PartFiles(paths, [2, 0, 3])
    assert parts.column("lines").tolist() == [0, 1, 0, 1, 2]
    assert [parts.describe(number)[2] for number in range(5)] == ["raz", "dwa", "trzy", "cztery", "pięć"]
    assert list(parts.origins()) == [parts.describe(number)[:2] for number in range(5)]
    assert parts.describe(2)[:2] == ("source 2", 0)
