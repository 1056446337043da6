"""The safetensors files of a folder: which there are, what they declare, and their numbers as float32."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from osnowa import files
from osnowa.errors import DataError, InputMissingError
from osnowa.exchange.entry import MODEL_FILE

INDEX_FILE = "model.safetensors.index.json"
# The kinds of number that are converted to float32; the others are quantised or no weights.
_KINDS = {"F32", "F16", "BF16", "F64"}
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True)
class Stored:
    """A tensor as a file declares it."""

    path: Path
    name: str
    shape: tuple[int, ...]
    kind: str


def find_tensors(folder: Path) -> dict[str, Stored]:
    """All tensors of the model in `folder`, from one file or from the shards that the index names.

    Raises:
        DataError: no safetensors, a header that lies, a shard missing, outside the folder or not as the index says.
    """
    if (folder / MODEL_FILE).is_file():
        return declared(folder / MODEL_FILE)
    if not (folder / INDEX_FILE).is_file():
        raise _nothing_to_read(folder)
    found: dict[str, Stored] = {}
    wanted = _read_index(folder / INDEX_FILE)
    for shard in sorted(set(wanted.values())):
        held = declared(folder / shard)
        expected = {name for name, place in wanted.items() if place == shard}
        if held.keys() != expected:
            names = ", ".join(sorted(held.keys() ^ expected)[:5])
            raise DataError(str(folder / shard), f"does not hold what the index says ({names})", "copy the folder anew")
        found |= held
    return found


def declared(path: Path) -> dict[str, Stored]:
    """What one file declares; its sizes were checked against its length, nothing was read of its numbers.

    Raises:
        InputMissingError, DataError
    """
    with _opened(path) as handle:
        slices = {name: handle.get_slice(name) for name in handle.keys()}  # noqa: SIM118 - not a mapping
        return {
            name: Stored(path, name, tuple(each.get_shape()), str(each.get_dtype())) for name, each in slices.items()
        }


def unreadable_kinds(stored: Mapping[str, Stored]) -> list[str]:
    """Tensors whose numbers we can't take over, in words."""
    return [f"{name} holds {each.kind}" for name, each in sorted(stored.items()) if each.kind not in _KINDS]


def read_tensors(stored: Mapping[str, Stored]) -> Iterator[tuple[str, Tensor]]:
    """(key, numbers as float32) one by one; the file may change or go afterwards.

    Raises:
        InputMissingError, DataError
    """
    for path in sorted({each.path for each in stored.values()}):
        with _opened(path) as handle:
            for key, each in stored.items():
                if each.path == path:
                    yield key, handle.get_tensor(each.name).to(torch.float32, copy=True)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The library checks the header: its length, the sizes of all tensors against the file, no overlap and no hole."""
    if not path.is_file():
        raise InputMissingError(str(path), "no such file", files.nearest_parent(path))
    try:
        with files.reading_errors(path), safe_open(path, framework="pt") as handle:
            yield handle
    except SafetensorError as error:
        raise DataError(str(path), f"is no sound safetensors file ({error})", "copy it anew") from None


def _read_index(path: Path) -> dict[str, str]:
    """Tensor name to shard; a shard is a plain file name, so that it can't lie outside the folder."""
    index = files.read_json(path)
    wanted = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(wanted, dict) or not wanted:
        raise DataError(str(path), "has no weight_map", "copy the folder anew")
    for shard in wanted.values():
        if not isinstance(shard, str) or Path(shard).name != shard or not shard.endswith(".safetensors"):
            raise DataError(
                str(path), f"names the shard {shard!r}", "shards are .safetensors files inside the folder itself"
            )
    return wanted


def _nothing_to_read(folder: Path) -> DataError:
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if not pickles:
        return DataError(str(folder), f"has no {MODEL_FILE}", "give a folder with the weights")
    return DataError(
        str(folder / pickles[0]),
        "is a pickle, which can run code when it is opened; osnowa reads safetensors only",
        "convert it where you trust it: transformers' from_pretrained(FOLDER).save_pretrained(NEW) of its class",
    )
