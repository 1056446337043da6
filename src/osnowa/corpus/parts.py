"""Parts of the corpus on disk: safetensors files of little-endian arrays, written whole or not at all, checksummed.

A part file holds named arrays (text as UTF-8 bytes, one length per document, ...) and, in its metadata, a JSON label:
`facts`, the `work` it belongs to and a `checksum` over the arrays. `work` is a fingerprint of inputs, settings and versions: a
file of other work, a torn or an altered one counts as not there and is made again, which is how a stopped run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from osnowa import files
from osnowa.errors import DamagedError

Arrays = dict[str, npt.NDArray[Any]]

PART_BYTES = 8_000_000  # of text, about: what a worker holds of a corpus at a time
PART_DOCUMENTS = 16_384  # of very short documents their signatures take the memory


def write_part(path: Path, arrays: Arrays, facts: Mapping[str, Any], work: str) -> None:
    """Write one part; the same content gives the same bytes.

    Raises:
        StorageError, CannotCreateError
    """
    label = {"work": work, "checksum": _checksum(arrays), "facts": dict(facts)}
    files.write(path, save(arrays, {"part": json.dumps(label)}))  # one key: safetensors shuffles several


def read_part(path: Path, names: tuple[str, ...] | None = None) -> tuple[Arrays, dict[str, Any]]:
    """Arrays (those in `names`, or all of them, then checked) and facts of a part.

    Raises:
        DamagedError: missing, torn or altered.
    """
    try:
        with safe_open(path, framework="numpy") as part:
            label = _label(part)
            arrays = {name: part.get_tensor(name) for name in sorted(names or part.keys())}
    except (OSError, SafetensorError, KeyError, ValueError):
        raise DamagedError(str(path), "is missing or damaged", "prepare the corpus again") from None
    if names is None and label["checksum"] != _checksum(arrays):
        raise DamagedError(str(path), "does not match its checksum", "prepare the corpus again")
    return arrays, label["facts"]


def finished(path: Path, work: str) -> dict[str, Any] | None:
    """The facts of a part that is sound and belongs to `work`; none if it has to be made."""
    try:
        with safe_open(path, framework="numpy") as part:
            if _label(part)["work"] != work:
                return None
        return read_part(path)[1]
    except (OSError, SafetensorError, KeyError, ValueError, DamagedError):
        return None


def _label(part: Any) -> dict[str, Any]:
    label: dict[str, Any] = json.loads((part.metadata() or {})["part"])
    return label


def _checksum(arrays: Arrays) -> str:
    digest = xxhash.xxh3_128()
    for name in sorted(arrays):
        array = arrays[name]
        assert array.dtype.byteorder in "<|=", f"{name} is big-endian"
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
