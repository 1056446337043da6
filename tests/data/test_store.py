"""The token store: exact, checked before it is used, and never read into memory as a whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from example_splits import split_of

from osnowa import files
from osnowa.data import TokenSplit, TokenStore, make_plan
from osnowa.data.store import COUNTS, SPLITS, token_dtype
from osnowa.errors import DamagedError, DataError, InputMissingError

TRAIN, HELD_OUT = split_of([[5, 7], [3]]), split_of([[4]])


def publish(folder: Path, held_out: TokenSplit = HELD_OUT, dtype: str = "<u2", kind: str = "token store") -> Path:
    """A store as `build_store` leaves it."""
    splits = dict(zip(SPLITS, (TRAIN, held_out), strict=True))
    counts = {
        name: {
            **dict.fromkeys(COUNTS, 0),
            "tokens": split.num_tokens,
            "sentences": len(split.sentences) - 1,
            "documents": split.num_documents,
            "bytes": 4 * split.num_tokens,
        }
        for name, split in splits.items()
    }
    with files.publish(folder, {"kind": kind, "dtype": dtype, "splits": counts}) as work:
        for name, split in splits.items():
            files.write(work / f"{name}.tokens", split.tokens.astype(dtype).tobytes())
            files.write(work / f"{name}.sentences", split.sentences.astype("<i8").tobytes())
            files.write(work / f"{name}.documents", split.documents.astype("<i8").tobytes())
    return folder


@pytest.mark.parametrize("dtype", ["<u2", "<u4"])
def test_a_store_holds_both_splits_exactly(tmp_path: Path, dtype: str) -> None:
    store = TokenStore.open(publish(tmp_path / "data", dtype=dtype))
    for found, given in ((store.train, TRAIN), (store.held_out, HELD_OUT)):
        assert found.tokens.dtype == np.dtype(dtype)
        assert np.array_equal(found.tokens, given.tokens)
        assert np.array_equal(found.sentences, given.sentences)
        assert np.array_equal(found.documents, given.documents)
        assert (found.num_tokens, found.num_documents) == (given.num_tokens, given.num_documents)
        assert found.num_bytes == 4 * given.num_tokens


@pytest.mark.parametrize(
    ("vocab_size", "width"), [(8, 2), (32_768, 2), (65_535, 2), (65_536, 2), (65_537, 4), (300_000, 4)]
)
def test_ids_take_two_bytes_while_each_fits_and_four_otherwise(vocab_size: int, width: int) -> None:
    dtype = token_dtype(vocab_size)
    assert dtype.itemsize == width
    assert np.array([vocab_size - 1]).astype(dtype).tolist() == [vocab_size - 1]


def test_an_empty_held_out_split_works(tmp_path: Path) -> None:
    store = TokenStore.open(publish(tmp_path / "data", held_out=split_of([])))
    assert (store.held_out.num_tokens, store.held_out.num_documents) == (0, 0)
    assert len(make_plan(store.held_out, "pair", 16, 1, 0)) == 0


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


@pytest.mark.parametrize("damage", [truncate, flip, grow, Path.unlink])
@pytest.mark.parametrize(
    "name", [f"{split}.{kind}" for split in SPLITS for kind in ("tokens", "sentences", "documents")]
)
def test_a_damaged_file_is_refused_and_named(tmp_path: Path, name: str, damage: object) -> None:
    folder = publish(tmp_path / "data")
    assert callable(damage)
    damage(folder / name)
    with pytest.raises(DamagedError, match=name.replace(".", r"\.")):
        TokenStore.open(folder)


def test_files_that_changed_places_are_refused_and_named(tmp_path: Path) -> None:
    folder = publish(tmp_path / "data", held_out=split_of([[7, 5], [3]]))  # as large as the training split
    one, other = folder / "train.sentences", folder / "held_out.sentences"
    content = one.read_bytes(), other.read_bytes()
    one.write_bytes(content[1])
    other.write_bytes(content[0])
    with pytest.raises(DamagedError, match=r"(train|held_out)\.sentences: does not match its SHA-256"):
        TokenStore.open(folder)


@pytest.mark.parametrize("damage", [truncate, grow])
def test_without_checksums_sizes_are_still_compared(tmp_path: Path, damage: object) -> None:
    folder = publish(tmp_path / "data")
    assert callable(damage)
    damage(folder / "train.sentences")
    with pytest.raises(DamagedError, match=r"train\.sentences: has \d+ bytes instead of 32; make it again"):
        TokenStore.open(folder, check=False)


def test_without_checksums_a_missing_file_is_still_named(tmp_path: Path) -> None:
    folder = publish(tmp_path / "data")
    (folder / "held_out.tokens").unlink()
    with pytest.raises(InputMissingError, match=r"held_out\.tokens: no such file"):
        TokenStore.open(folder, check=False)


def test_another_published_folder_is_not_taken_for_a_store(tmp_path: Path) -> None:
    folder = publish(tmp_path / "data", kind="checkpoint")
    with pytest.raises(DataError, match=r"is not a prepared corpus; make one with osnowa prepare"):
        TokenStore.open(folder)
    with pytest.raises(DamagedError, match="was never finished"):
        TokenStore.open(tmp_path)


def test_a_store_can_not_be_written_to(tmp_path: Path) -> None:
    store = TokenStore.open(publish(tmp_path / "data"))
    with pytest.raises(ValueError, match="read-only"):
        store.train.tokens[0] = 1


_MAP = """
import sys
from pathlib import Path
from osnowa.data import Place, RowSequence, TokenStore

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

before = resident()
store = TokenStore.open(Path(sys.argv[1]), check=sys.argv[2] == "check")
opened = resident()
print(opened - before, store.train.num_tokens)
"""


@pytest.mark.parametrize("check", ["check", "no check"])
def test_opening_a_store_does_not_load_it_into_memory(tmp_path: Path, check: str) -> None:
    folder, num_tokens = tmp_path / "data", 1 << 25  # 64 MB
    counts = {"tokens": num_tokens, "sentences": 1, "documents": 1, "bytes": 0}
    none = {"tokens": 0, "sentences": 0, "documents": 0, "bytes": 0}
    facts = {"kind": "token store", "dtype": "<u2", "splits": {"train": counts, "held_out": none}}
    with files.publish(folder, facts) as work:
        with files.open_new(work / "train.tokens") as handle:
            for _ in range(64):
                handle.write(bytes(1 << 20))
        for name, borders in (("train", [0, num_tokens]), ("held_out", [0])):
            files.write(work / f"{name}.sentences", np.array(borders, dtype="<i8").tobytes())
            files.write(
                work / f"{name}.documents", np.array(borders[:1] + [1] * len(borders[1:]), dtype="<i8").tobytes()
            )
        files.write(work / "held_out.tokens", b"")
    done = subprocess.run([sys.executable, "-c", _MAP, str(folder), check], capture_output=True, text=True, check=True)
    kilobytes, found = map(int, done.stdout.split())
    assert found == num_tokens
    assert kilobytes < 16 << 10
