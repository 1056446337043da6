"""A trace as data: JSON for people and small models, NPZ for everything."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np

from osnowa import files
from osnowa.explain.step import Array
from osnowa.explain.trace import Trace

_DAY = (1980, 1, 1, 0, 0, 0)  # the first that a ZIP file knows: equal traces give equal bytes


def save_data(trace: Trace, path: Path, format: str) -> None:
    """Write `trace` as "json" or "npz". Weights are in the model's folder and are not written again.

    Raises:
        StorageError, CannotCreateError
    """
    arrays = dict(_arrays(trace))
    with files.replacing(path) as handle:
        if format == "json":
            told = {**about(trace), "tensors": {name: _told(trace, name, array) for name, array in arrays.items()}}
            text = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            handle.write(text.encode("utf-8", "backslashreplace"))
            return
        with ZipFile(handle, "w", ZIP_DEFLATED, compresslevel=6) as folder:
            _member(folder, "trace.json", json.dumps(about(trace), ensure_ascii=True, allow_nan=False).encode())
            for name, array in arrays.items():
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, array, allow_pickle=False)
                _member(folder, f"{name}.npy", buffer.getvalue())


def about(trace: Trace) -> dict[str, Any]:
    """Everything but the numbers of the tensors."""
    question = trace.forward.question
    kept = {name: held.kept for name, held in trace.forward.tensors.items() if any(k is not None for k in held.kept)}
    return {
        "version": 1,
        "facts": trace.facts,
        "text": {"text": question.text, "second": question.second, "target": question.target},
        "sides": trace.sides,
        "axes": {name: list(held.axes) for name, held in trace.forward.tensors.items()},
        "keep": {name: [None if k is None else list(k) for k in places] for name, places in kept.items()},
        "steps": [step.as_dict() for step in trace.steps],
        "answers": trace.answers,
        "analysis": trace.analysis,
        "proof": {
            "oracle": "NumPy float64",
            "checked": trace.proof.checked,
            "bad": trace.proof.bad,
            "largest": trace.proof.largest,
            "drift": trace.proof.drift,
        },
        **{key: chapter.block for key, chapter in trace.chapters.items() if chapter.block},
    }


def _arrays(trace: Trace) -> Iterator[tuple[str, Array]]:
    yield from trace.tensors.items()
    for chapter in trace.chapters.values():
        yield from chapter.tensors.items()


def _told(trace: Trace, name: str, array: Array) -> dict[str, Any]:
    held = trace.forward.tensors.get(name)
    shape = array.shape if held is None else held.shape
    return {"shape": list(shape), "values": array.tolist()}


def _member(folder: ZipFile, name: str, content: bytes) -> None:
    info = ZipInfo(name, _DAY)
    info.compress_type = ZIP_DEFLATED
    folder.writestr(info, content)
