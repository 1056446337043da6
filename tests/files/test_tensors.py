"""The safetensors writer: the library reads it, and equal tensors give equal bytes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save

from osnowa import files
from osnowa.errors import StorageError
from osnowa.files import system

KINDS = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]


def example() -> dict[str, torch.Tensor]:
    tensors = {f"warstwa.{kind}": torch.arange(6).reshape(2, 3).to(getattr(torch, kind)) for kind in KINDS}
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    return {
        **tensors,
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
        "transposed": base.t(),
        "slice": base[1:, 1:3],
        "trained": torch.nn.Parameter(torch.ones(3)),
        "odd": torch.ones(3, dtype=torch.uint8),
    }


def test_the_library_reads_back_equal_tensors_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    files.save_tensors(path, example(), {"krok": "7"})
    loaded = load_file(path)
    assert loaded.keys() == example().keys()
    for name, tensor in example().items():
        assert loaded[name].dtype == tensor.dtype
        assert loaded[name].shape == tensor.shape
        assert torch.equal(loaded[name], tensor.detach()), name
    with safe_open(path, "pt") as handle:
        assert handle.metadata() == {"format": "pt", "krok": "7"}


def test_for_one_kind_the_bytes_are_those_of_the_library(tmp_path: Path) -> None:
    tensors = {"b": torch.rand(3, 5), "a": torch.rand(7), "c.d": torch.rand(2, 2, 2)}
    files.save_tensors(tmp_path / "x", tensors)
    assert (tmp_path / "x").read_bytes() == save(tensors, {"format": "pt"})


def test_every_tensor_starts_at_a_multiple_of_its_element_size(tmp_path: Path) -> None:
    files.save_tensors(
        tmp_path / "x", {"a": torch.ones(3, dtype=torch.uint8), "b": torch.ones(1), "c": torch.ones(1).double()}
    )
    content = (tmp_path / "x").read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    assert start % 8 == 0
    assert content[start:] == torch.ones(1).double().numpy().tobytes() + torch.ones(1).numpy().tobytes() + b"\1\1\1"


def test_equal_tensors_give_equal_bytes_in_any_order(tmp_path: Path) -> None:
    names = list("abcdefgh")
    for order in (names, names[::-1]):
        tensors = {name: torch.full((2,), ord(name)) for name in order}
        files.save_tensors(tmp_path / order[0], tensors, {name: name for name in order})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "h").read_bytes()


def test_a_full_disk_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(system, "write", full)
    with pytest.raises(StorageError, match="no space left"):
        files.save_tensors(tmp_path / "weights.safetensors", example())
