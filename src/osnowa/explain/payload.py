"""The numbers of a page: an index in JSON and one blob of bytes, as large as the page may be."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from osnowa.errors import SettingsError
from osnowa.explain.check import Check, check
from osnowa.explain.missing import missing
from osnowa.explain.pictures import pool
from osnowa.explain.selection import LEVELS, Level, Selection, cut_chapter, select
from osnowa.explain.step import Array, Held, Step
from osnowa.explain.trace import Trace

VERSION = 1
_KINDS = {"float32": "f32", "uint8": "u8", "int32": "i32"}
# What a byte of a file costs after gzip and base64: measured 1.24 for numbers of trained models, 0.6 for pictures.
_COST_NUMBERS, _COST_PICTURES = 1.24, 0.6
_SLACK = 1.25  # an estimate up to so much too large is tried


@dataclass(frozen=True)
class Payload:
    """The index, the blob before compression, and after it."""

    index: dict[str, Any]
    blob: bytes
    packed: bytes


class _Blob:
    """Arrays one behind the other, each beginning at a multiple of 4."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, array: Array) -> dict[str, int]:
        """Where it stands, how many numbers it has, and the checksum of its bytes."""
        data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        at = self.size
        padded = data + b"\0" * (-len(data) % 4)
        self.parts.append(padded)
        self.size += len(padded)
        return {"at": at, "count": array.size, "crc": zlib.crc32(data)}


def build(trace: Trace, *, lang: str, max_bytes: int, beside: int = 0) -> Payload:
    """The most that fits into `max_bytes` of text beside `beside` bytes of page.

    Raises:
        SettingsError: not even the least fits.
    """
    vocabulary = np.array(sorted(_spoken(trace)), dtype=np.int64)
    room, payload, size = max_bytes - beside, None, 0
    for level in LEVELS:
        selection = select(trace.forward, trace.config, vocabulary, level)
        pictures = _pictures(trace, selection)
        estimate = _COST_NUMBERS * sum(held.array.nbytes for held in selection.tensors.values())
        told = _told(trace, level, vocabulary)
        estimate += _COST_NUMBERS * sum(held.array.nbytes for held in told.values())
        estimate += _COST_PICTURES * sum(picture.nbytes for picture in pictures.values())
        if estimate > room * _SLACK and level is not LEVELS[-1]:
            continue
        payload = _assemble(trace, selection, told, pictures, lang)
        size = -(-len(payload.packed) // 3) * 4 + len(index_text(payload.index))
        if size <= room:
            return payload
    raise SettingsError(
        f"--max-mb {max_bytes / 1e6:g}",
        f"even the least of this trace takes {(size + beside) / 1e6:.1f} MB",
        f"use --max-mb {int((size + beside) / 1e6) + 1}, or --format npz",
    )


def index_text(index: dict[str, Any]) -> str:
    """The index as JSON that can stand inside HTML: no `<` in it."""
    import json

    text = json.dumps(index, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.encode("utf-8", "backslashreplace").decode()
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _told(trace: Trace, level: Level, vocabulary: Array) -> dict[str, Held]:
    """The tensors of the chapters."""
    found = {}
    for chapter in trace.chapters.values():
        labels = [label for step in chapter.steps for label in step["attrs"].get("labels", ())]
        spoken = np.union1d(vocabulary, np.array(labels, dtype=np.int64))
        for name, array in chapter.tensors.items():
            found[name] = cut_chapter(name, Held.whole(array, tuple(chapter.axes[name])), spoken, level)
    return found


def _assemble(
    trace: Trace, selection: Selection, told: dict[str, Held], pictures: dict[str, Array], lang: str
) -> Payload:
    tensors = {**selection.tensors, **told}
    steps: list[Any] = [step.as_dict() for step in trace.steps]
    chapters: list[Step] = []
    for chapter in trace.chapters.values():
        steps += chapter.steps
        chapters += [_step(each, tensors) for each in chapter.steps]
    blob = _Blob()
    entries = {name: _entry(held, blob) for name, held in tensors.items()}
    shown = {name: _picture(name, picture, blob) for name, picture in pictures.items()}
    for chapter in trace.chapters.values():
        shown |= {name: _picture(name, picture, blob) for name, picture in chapter.pictures.items()}
    checked = check([*trace.steps, *chapters], tensors)
    whole = b"".join(blob.parts)
    question = trace.forward.question
    index = {
        "version": VERSION,
        "lang": lang,
        "title": question.text if len(question.text) <= 80 else question.text[:79] + "…",
        "facts": trace.facts,
        "text": {"text": question.text, "second": question.second, "target": question.target},
        "sides": trace.sides,
        "tensors": entries,
        "steps": steps,
        "pictures": shown,
        "focus": {side: list(rows) for side, rows in selection.focus.items()},
        "dims": selection.dims,
        "written": written(trace, checked),
        "missing": [*missing(trace, selection, pictures), *trace.missing],
        "answers": trace.answers,
        "analysis": trace.analysis,
        **{key: _block(trace, key) for key in ("step", "history", "seed")},
        "glossary": None,
        "blob": {"bytes": len(whole), "gzip": True},
    }
    return Payload(index, whole, gzip.compress(whole, 6, mtime=0))


def _block(trace: Trace, key: str) -> dict[str, Any] | None:
    chapter = trace.chapters.get(key)
    return None if chapter is None else chapter.block


def _step(told: dict[str, Any], tensors: dict[str, Held]) -> Step:
    held = tensors[told["out"]]
    return Step(told["op"], told["out"], tuple(told["in"]), told["part"], held.axes, held.shape, told["attrs"])


def _entry(held: Held, blob: _Blob) -> dict[str, Any]:
    return {
        "shape": list(held.shape),
        "axes": list(held.axes),
        "dtype": _KINDS[str(held.array.dtype)],
        "keep": [None if kept is None else list(kept) for kept in held.kept],
        **blob.add(held.array),
    }


def _picture(name: str, picture: Array, blob: _Blob) -> dict[str, Any]:
    return {"shape": list(picture.shape), "of": name, "code": "sqrt-u8", "max": None, **blob.add(picture)}


def _pictures(trace: Trace, selection: Selection) -> dict[str, Array]:
    """Pictures of the attention weights that are not whole in the file."""
    found = {}
    for name, picture in trace.pictures.items():
        if any(not selection.tensors[name].is_whole(axis) for axis in range(3)):
            size = selection.level.picture
            found[name] = picture if size is None else pool(picture, size)
    return found


def _spoken(trace: Trace) -> Iterable[int]:
    """Every token that the page speaks of."""
    found = {token.id for row in trace.forward.question.rows.values() for token in row.tokens}

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("id"), int):
                found.add(value["id"])
            for each in value.values():
                walk(each)
        elif isinstance(value, list | tuple):
            for each in value:
                walk(each)

    walk([trace.answers, trace.analysis])
    return {i for i in found if i < trace.config.vocab_size}


def written(trace: Trace, checked: Check) -> dict[str, Any]:
    """What the oracle compared beyond what the page can compute again."""
    proof = trace.proof
    in_page = sum(checked.by_name.get(step.out, 0) for step in trace.steps)
    return {
        "checked": proof.checked - in_page,
        "all": proof.checked,
        "bad": sum(kind.bad for kind in proof.kinds.values()),
        "largest": proof.largest,
        "drift": proof.drift,
        "by_kind": [
            {"kind": name, "checked": kind.checked, "largest": kind.largest}
            for name, kind in sorted(proof.kinds.items())
        ],
        "oracle": "NumPy float64",
    }
