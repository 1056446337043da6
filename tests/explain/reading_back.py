"""A page or an index with its blob, read back as Python tensors and steps."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import Any

import numpy as np

from osnowa.explain.step import Held, Step

_TYPES = {"f32": np.dtype("<f4"), "u8": np.dtype("u1"), "i32": np.dtype("<i4")}


def read_page(text: str) -> tuple[dict[str, Any], bytes]:
    """The index and the blob of an HTML file."""
    index = re.search(r'<script type="application/json" id="index">(.*?)</script>', text, re.S)
    blob = re.search(r'<script type="text/plain" id="blob">(.*?)</script>', text, re.S)
    assert index is not None
    assert blob is not None
    return json.loads(index[1]), gzip.decompress(base64.b64decode(blob[1]))


def bytes_of(index: dict[str, Any], blob: bytes, name: str, where: str = "tensors") -> bytes:
    """The bytes of one tensor or picture."""
    entry = index[where][name]
    size = _TYPES[entry.get("dtype", "u8")].itemsize
    return blob[entry["at"] : entry["at"] + entry["count"] * size]


def tensors_of(index: dict[str, Any], blob: bytes) -> dict[str, Held]:
    """Every tensor of the file."""
    found = {}
    for name, entry in index["tensors"].items():
        kept = tuple(None if places is None else tuple(places) for places in entry["keep"])
        shape = [size if places is None else len(places) for size, places in zip(entry["shape"], kept, strict=True)]
        array = np.frombuffer(bytes_of(index, blob, name), _TYPES[entry["dtype"]]).reshape(shape)
        found[name] = Held(array, tuple(entry["axes"]), tuple(entry["shape"]), kept)
    return found


def steps_of(index: dict[str, Any]) -> list[Step]:
    """Every step of the file."""
    found = []
    for told in index["steps"]:
        entry = index["tensors"][told["out"]]
        axes, shape = tuple(entry["axes"]), tuple(entry["shape"])
        found.append(Step(told["op"], told["out"], tuple(told["in"]), told["part"], axes, shape, told["attrs"]))
    return found
