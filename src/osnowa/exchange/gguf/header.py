"""What stands before the tensors: keys, and each tensor's name, size, type and place; by the format's own library."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from osnowa.errors import SettingsError
from osnowa.exchange.gguf.shape import Value, Values

NumberType = Literal["f32", "f16", "bf16"]
MAGIC, ALIGNMENT = b"GGUF", 32  # every tensor begins at a multiple of it


class Numbers(NamedTuple):
    """A type of numbers: PyTorch's, and how the format numbers it for one tensor and for a whole file."""

    torch: torch.dtype
    one_tensor: int
    whole_file: int


NUMBER_TYPES: Mapping[NumberType, Numbers] = {
    "f32": Numbers(torch.float32, 0, 0),
    "f16": Numbers(torch.float16, 1, 1),
    "bf16": Numbers(torch.bfloat16, 30, 32),
}


@dataclass(frozen=True)
class Plan:
    """A tensor before it is built; `shape` in our order, the last axis is the one whose numbers are neighbours."""

    name: str
    shape: tuple[int, ...]
    type: NumberType
    build: Callable[[], Tensor]

    @property
    def num_bytes(self) -> int:
        return torch.Size(self.shape).numel() * NUMBER_TYPES[self.type].torch.itemsize


def write_header(arch: str, keys: Values, plans: list[Plan]) -> bytes:
    """The beginning of a file, up to the first tensor.

    Raises:
        SettingsError: the library is not installed.
    """
    try:
        import gguf
    except ImportError:
        instead = "install it with: pip install 'osnowa[gguf]'"
        raise SettingsError("--to gguf", "needs the package gguf", instead) from None
    # Its writer opens a path by itself; it is given a place in memory instead, for `files` to write.
    writer: Any = gguf.GGUFWriter(None, arch)
    for key, value in keys.items():
        _add(writer, key, value)
    for plan in plans:
        kind = gguf.GGMLQuantizationType(NUMBER_TYPES[plan.type].one_tensor)
        writer.add_tensor_info(plan.name, plan.shape, None, plan.num_bytes, raw_dtype=kind)
    written = io.BytesIO()
    writer.fout, writer.state = [written], gguf.gguf_writer.WriterState.EMPTY
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    header = written.getvalue()
    return header + padding(len(header))


def padding(num_bytes: int) -> bytes:
    """What brings so many bytes to a multiple of the alignment."""
    return bytes(-num_bytes % ALIGNMENT)


def _add(writer: Any, key: str, value: Value) -> None:
    """A key with the format's type for its value; whole numbers are unsigned and of 32 bits."""
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)
