"""Small snapshots of what a model knows, kept at steps that grow apart: when they are due, and how they lie on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from osnowa import files
from osnowa.errors import DamagedError

FOLDER = "probe"
_TENSORS, _ANSWERS = "tensors.safetensors", "answers.json"


@dataclass(frozen=True)
class Asked:
    """A fixed sentence and what the model makes of it at one moment.

    `tokens` are the ids that it reads, `answer` what stands in the corpus; `top` the best tokens for its gap as (id,
    probability), or `said` how it goes on. `attention` [layer, head, n, n] are the square roots of its attention
    weights as bytes, pooled to n places where the sentence has more.
    """

    text: str
    answer: str
    tokens: tuple[int, ...]
    top: tuple[tuple[int, float], ...]
    said: str | None
    attention: Tensor


@dataclass(frozen=True)
class Snapshot:
    """The probe tokens' vectors [probe, d_model] in float32 and the fixed sentences, after `step` updates."""

    step: int
    ids: Tensor
    embeddings: Tensor
    sentences: tuple[Asked, ...]


def snapshot_steps(steps: int, most: int) -> frozenset[int]:
    """0, 1, 2, 5, 10, 20, 50 ... and the last of `steps`; where these are more than `most`, thinned evenly to so many."""
    if most < 2:
        return frozenset([steps][:most])
    power, found = 1, [0]
    while power < steps:
        found += [power * factor for factor in (1, 2, 5) if power * factor < steps]
        power *= 10
    found.append(steps)
    if len(found) <= most:
        return frozenset(found)
    return frozenset(found[round(place * (len(found) - 1) / (most - 1))] for place in range(most))


def save_snapshot(run: Path, snapshot: Snapshot) -> Path:
    """Publish RUN/probe/step-N; equal snapshots are equal bytes, and one of the same step is replaced.

    Raises:
        StorageError, CannotCreateError: what was there is as it was.
    """
    final = files.make_folder(run / FOLDER) / f"step-{snapshot.step:09d}"
    told = [
        {"text": each.text, "answer": each.answer, "tokens": each.tokens, "top": each.top, "said": each.said}
        for each in snapshot.sentences
    ]
    tensors = {"ids": snapshot.ids, "embeddings": snapshot.embeddings}
    tensors |= {f"attention.{number}": each.attention for number, each in enumerate(snapshot.sentences)}
    with files.publish(final, {"kind": "snapshot", "step": snapshot.step}) as work:
        files.save_tensors(work / _TENSORS, tensors)
        files.write(work / _ANSWERS, files.json_text(told))
    return final


def kept_snapshots(run: Path) -> list[Path]:
    """The snapshot folders of a run in the order of their steps; empty for a run without."""
    found = [path for path in (run / FOLDER).glob("step-*") if path.name.removeprefix("step-").isdigit()]
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))


def load_snapshot(folder: Path) -> Snapshot:
    """One snapshot, every file checked.

    Raises:
        DamagedError: altered, or not a snapshot.
        SettingsError: written by a newer osnowa.
    """
    manifest = files.verify(folder)
    try:
        tensors = load_file(folder / _TENSORS)
        told: Sequence[dict[str, Any]] = json.loads((folder / _ANSWERS).read_bytes())
        sentences = tuple(_asked(each, tensors[f"attention.{number}"]) for number, each in enumerate(told))
        return Snapshot(int(manifest.facts["step"]), tensors["ids"], tensors["embeddings"], sentences)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DamagedError(str(folder), f"can't be read ({error})", "it is not used") from None


def _asked(told: dict[str, Any], attention: Tensor) -> Asked:
    top = tuple((int(token), float(chance)) for token, chance in told["top"])
    return Asked(told["text"], told["answer"], tuple(told["tokens"]), top, told["said"], attention)
