"""A safetensors file whose header lies is refused before anything is made of it, whatever the lie."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch

from osnowa.errors import DataError
from osnowa.exchange.tensor_files import declared, read_tensors

GOOD = {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}


def build(header: Any, data: bytes = bytes(24), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def tensor(**changes: Any) -> dict[str, Any]:
    return {"a": {**GOOD["a"], **changes}}


LIES: dict[str, bytes] = {
    "empty": b"",
    "shorter than its length field": b"\x10\0\0",
    "header longer than the file": build(GOOD, length=10_000),
    "header of more than 100 MB": build(GOOD, length=101_000_000),
    "header of 2 to the 63 bytes": build(GOOD, length=2**63),
    "header of no bytes": build(b""),
    "header that is not UTF-8": build(b'{"\xff": 1}'),
    "header that is not JSON": build(b'{"a": '),
    "header that is a list": build(b"[1, 2]"),
    "deep header": build(b"[" * 50_000 + b"]" * 50_000),
    "data cut off": build(GOOD, data=bytes(20)),
    "bytes after the data": build(GOOD, data=bytes(28)),
    "another file after the data": build(GOOD, data=bytes(24) + b"PK\x03\x04" + bytes(40)),
    "offsets beyond the file": build(tensor(shape=[2, 300], data_offsets=[0, 2400])),
    "offsets backwards": build(tensor(data_offsets=[24, 0])),
    "negative offsets": build(tensor(data_offsets=[-24, 0])),
    "a hole before the data": build(tensor(data_offsets=[8, 32]), data=bytes(32)),
    "two tensors on one place": build({**GOOD, "b": GOOD["a"]}),
    "a shape that is not its size": build(tensor(shape=[2, 4])),
    "a negative shape": build(tensor(shape=[-2, -3])),
    "a shape whose product overflows": build(tensor(shape=[2**32, 2**32])),
    "a shape whose product overflows to its size": build(tensor(shape=[2**63, 2**62, 6])),
    "a number where a shape should be": build(tensor(shape=6)),
    "an unknown kind of number": build(tensor(dtype="F33")),
    "no kind of number": build({"a": {"shape": [2, 3], "data_offsets": [0, 24]}}),
    "metadata that is no text": build({**GOOD, "__metadata__": {"a": {"b": 1}}}),
}


def test_an_honest_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(build(GOOD))
    stored = declared(path)
    assert (stored["a"].shape, stored["a"].kind) == ((2, 3), "F32")
    ((key, numbers),) = read_tensors(stored)
    assert key == "a"
    assert torch.equal(numbers, torch.zeros(2, 3))


@pytest.mark.parametrize("content", LIES.values(), ids=LIES.keys())
def test_a_lie_is_refused_in_one_line_and_costs_no_memory(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            declared(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(f"{path}: is no sound safetensors file (")
    assert "\n" not in str(caught.value)
    assert peak < 5_000_000


def test_a_sparse_file_with_a_header_of_200_megabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with path.open("wb") as handle:
        handle.write((200_000_000).to_bytes(8, "little") + b'{"a":')
        handle.truncate(200_000_100)
    with pytest.raises(DataError, match="is no sound safetensors file"):
        declared(path)
