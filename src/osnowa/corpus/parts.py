"""Parts of the corpus on disk: safetensors files of little-endian arrays, written whole or not at all, checksummed.

A part file holds named arrays (text as UTF-8 bytes, one length per document, ...) and, in its metadata, a JSON label:
`facts`, the `work` it belongs to and a `checksum` over all of it. `work` is a fingerprint of inputs, settings and versions: a
file of other work, a torn or an altered one counts as not there and is made again, which is how a stopped run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    text = json.dumps(dict(facts))
    label = {"work": work, "checksum": _checksum(arrays, work + text), "facts": text}
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
        if names is None and label["checksum"] != _checksum(arrays, label["work"] + label["facts"]):
            raise DamagedError(str(path), "does not match its checksum", "prepare the corpus again")
        return arrays, json.loads(label["facts"])
    except (OSError, SafetensorError, KeyError, ValueError):
        raise DamagedError(str(path), "is missing or damaged", "prepare the corpus again") from None


def finished(path: Path, work: str) -> dict[str, Any] | None:
    """The facts of a part that is sound and belongs to `work`; none if it has to be made."""
    try:
        with safe_open(path, framework="numpy") as part:
            if _label(part)["work"] != work:
                return None
        return read_part(path)[1]
    except (OSError, SafetensorError, KeyError, ValueError, DamagedError):
        return None


def _label(part: Any) -> dict[str, str]:
    label: dict[str, str] = json.loads((part.metadata() or {})["part"])
    return label


def _checksum(arrays: Arrays, label: str) -> str:
    digest = xxhash.xxh3_128(label.encode())
    for name in sorted(arrays):
        array = arrays[name]
        assert array.dtype.byteorder in "<|=", f"{name} is big-endian"
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def pack_texts(texts: Sequence[str]) -> Arrays:
    """Texts as arrays: `text` (UTF-8, end to end) and `lengths` (bytes of each)."""
    encoded = [text.encode() for text in texts]
    lengths = np.fromiter(map(len, encoded), np.uint32, len(encoded))
    return {"text": np.frombuffer(b"".join(encoded), np.uint8), "lengths": lengths}


def unpack_texts(arrays: Arrays) -> Iterator[str]:
    """The texts that `pack_texts` packed, one at a time."""
    data, start = arrays["text"].tobytes(), 0
    for length in arrays["lengths"].tolist():
        yield data[start : start + length].decode()
        start += length


def pack_hashes(digests: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    """16-byte hashes as an array [documents, 16]."""
    return np.frombuffer(b"".join(digests), np.uint8).reshape(len(digests), 16)


@dataclass(frozen=True)
class PartFiles:
    """Part files that hold the documents of the corpus one after another, `sizes` of them each."""

    paths: Sequence[Path]
    sizes: Sequence[int]

    def column(self, name: str) -> npt.NDArray[Any]:
        """One array of all parts, end to end; only that array is read."""
        return np.concatenate([read_part(path, (name,))[0][name] for path in self.paths])

    def locate(self, document: int) -> tuple[Path, int]:
        """The file of a document and its place there."""
        borders = np.concatenate([[0], np.cumsum(self.sizes)])
        part = int(np.searchsorted(borders, document, side="right")) - 1
        return self.paths[part], document - int(borders[part])

    def origins(self) -> Iterator[tuple[str, int]]:
        """Source name and line of each document."""
        for path in self.paths:
            arrays, facts = read_part(path, ("sources", "lines"))
            for source, line in zip(arrays["sources"].tolist(), arrays["lines"].tolist(), strict=True):
                yield facts["sources"][source], line

    def describe(self, document: int) -> tuple[str, int, str]:
        """Source name, line and text of one document."""
        path, place = self.locate(document)
        arrays, facts = read_part(path, ("sources", "lines", "text", "lengths"))
        stop = int(np.cumsum(arrays["lengths"])[place])
        text = arrays["text"][stop - int(arrays["lengths"][place]) : stop].tobytes().decode()
        return facts["sources"][arrays["sources"][place]], int(arrays["lines"][place]), text
