"""Which numbers go into the file: everything where it fits, else rows in focus and the dimensions that are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from osnowa.explain.forward import Forward
from osnowa.explain.program import TOKEN_TABLE
from osnowa.explain.question import Question
from osnowa.explain.step import Array, Held
from osnowa.model import ModelConfig

SHORT = 64  # tokens of a text whose input vectors are all in the file


@dataclass(frozen=True)
class Level:
    """How much is kept; None: all.

    `focus`: how many rows at most; `dims`, `dims_head`: output dimensions whose weights are kept; `all_keys`: keys and
    values of every token; `all_scores`: attention between all tokens as numbers; `picture`: longest side of an attention picture, None: as it is.
    """

    focus: int | None = None
    dims: int | None = None
    dims_head: int | None = None
    all_scores: bool = True
    all_keys: bool = True
    picture: int | None = None


# From everything to the least; the first that fits is taken.
LEVELS = (
    Level(),
    Level(dims=64, dims_head=16),
    Level(dims=8, dims_head=4),
    Level(focus=12, dims=8, dims_head=4),
    Level(focus=12, dims=4, dims_head=2),
    Level(focus=8, dims=4, dims_head=1),
    Level(focus=12, dims=8, dims_head=4, all_scores=False),
    Level(focus=8, dims=4, dims_head=1, all_scores=False),
    Level(focus=8, dims=4, dims_head=1, all_scores=False, all_keys=False),
    Level(focus=8, dims=4, dims_head=1, all_scores=False, all_keys=False, picture=256),
    Level(focus=8, dims=4, dims_head=1, all_scores=False, all_keys=False, picture=128),
    Level(focus=4, dims=4, dims_head=1, all_scores=False, all_keys=False, picture=128),
    Level(focus=4, dims=4, dims_head=1, all_scores=False, all_keys=False, picture=64),
    Level(focus=2, dims=1, dims_head=1, all_scores=False, all_keys=False, picture=64),
    Level(focus=1, dims=1, dims_head=1, all_scores=False, all_keys=False, picture=32),
)


@dataclass(frozen=True)
class Selection:
    """Tensors and weights as they go into the file, the rows in focus and the dimensions shown."""

    level: Level
    tensors: dict[str, Held]
    focus: dict[str, tuple[int, ...]]
    dims: dict[str, list[int] | None]


def select(forward: Forward, config: ModelConfig, vocabulary: Array, level: Level) -> Selection:
    """What `level` keeps. `vocabulary`: the ids of tokens that the page speaks of, in rising order."""
    question = forward.question
    focus = {side: _focus(forward, side, level) for side in question.rows}
    found = {name: _cut(name, held, question, focus, vocabulary, level) for name, held in forward.tensors.items()}
    shown = {
        "d_model": _first(config.d_model, level.dims),
        "d_ff": _first(config.d_ff, level.dims),
        "d_head": _first(config.head_width, level.dims_head),
    }
    used = _used_rows(forward)
    for name, held in forward.weights.items():
        if len(held.shape) < 3:
            found[name] = _cut_weight(name, held, config, shown, used, vocabulary)
    return Selection(level, found, focus, shown)


def cut_chapter(name: str, held: Held, vocabulary: Array, level: Level) -> Held:
    """One tensor of a chapter: where the room is short, only those columns of a whole vocabulary that are spoken of.

    Probabilities go before logits: from whole logits every probability can still be computed.
    """
    if level.focus is None or held.axes[-1:] != ("vocab",):
        return held
    if name.endswith(".logits") and level.all_keys:
        return held
    return held.keep({len(held.shape) - 1: vocabulary})


def _first(size: int, count: int | None) -> list[int] | None:
    return None if count is None or count >= size else list(range(count))


def _focus(forward: Forward, side: str, level: Level) -> tuple[int, ...]:
    """All rows, or hidden places before the first ones; a decoder's last row is always there.

    Of a long text, whose attention is held in part, only the question's own places.
    """
    question, length = forward.question, len(forward.question.rows[side].tokens)
    if level.focus is None:
        return tuple(range(length))
    wanted = [*question.masks] if side == "enc" else [length - 1]
    in_part = not forward.tensors[f"{side}.0.attn.weights"].is_whole(1)
    first = question.focus(side) if in_part else range(length)
    wanted += [place for place in first if place not in wanted]
    return tuple(sorted(wanted[: level.focus]))


def _cut(
    name: str, held: Held, question: Question, focus: Mapping[str, tuple[int, ...]], vocabulary: Array, level: Level
) -> Held:
    """Rows in focus of one tensor of the pass."""
    if level.focus is None:
        return held
    part = name.split(".")[0]
    if part in ("mlm", "next"):
        rows = np.array(focus[question.last])
        return held.keep({0: rows, 1: vocabulary} if name.endswith(".p") else {0: rows})
    if part not in focus:
        return held
    rows, last = np.array(focus[part]), name.rsplit(".", 1)[-1]
    is_input = name.count(".") == 1 and held.axes == ("seq", "d_model") and last != "hidden"
    if is_input and len(question.rows[part].tokens) <= SHORT:
        return held
    if held.axes == ("head", "query", "key"):
        if level.all_scores:
            return held
        inner = last in ("dots", "capped", "biased") and not level.all_keys and ".cross." not in name
        return held.keep({1: rows, 2: rows} if inner else {1: rows})
    if last.startswith(("k", "v")) and held.axes == ("head", "seq", "d_head"):
        if level.all_keys:
            return held
        return held.keep({1: np.array(focus["enc"]) if ".cross." in name else rows})
    if ".cos." in name or ".sin." in name:
        return held if level.all_keys else held.keep({0: rows})
    return held.keep({1 if held.axes[0] == "head" else 0: rows})


def _used_rows(forward: Forward) -> dict[str, Array]:
    """By table which rows were looked up."""
    used: dict[str, set[int]] = {}
    for step in forward.steps:
        if step.op == "lookup":
            used.setdefault(step.inputs[0], set()).update(step.attrs["rows"])
    return {name: np.array(sorted(rows)) for name, rows in used.items()}


def _cut_weight(
    name: str,
    held: Held,
    config: ModelConfig,
    shown: Mapping[str, list[int] | None],
    used: Mapping[str, Array],
    vocabulary: Array,
) -> Held:
    """Rows of a table that were looked up, rows of a matrix that give the dimensions shown."""
    if name == TOKEN_TABLE or name.startswith("w.head.projection."):
        return held.keep({0: np.union1d(vocabulary, used[TOKEN_TABLE]) if name == TOKEN_TABLE else vocabulary})
    if name in used:
        return held if held.shape[0] <= SHORT else held.keep({0: used[name]})
    if len(held.shape) < 2 or ".position." in name:
        return held
    layer = name.split(".")[-2]
    if layer in ("query", "key", "value"):
        columns = shown["d_head"]
        if columns is None:
            return held
        heads = held.shape[0] // config.head_width
        rows = [head * config.head_width + column for head in range(heads) for column in columns]
        return held.keep({0: np.array(rows)})
    kept = shown["d_ff"] if layer in ("up", "gate") else shown["d_model"]
    return held if kept is None or layer in ("router", "verdict") else held.keep({0: np.array(kept)})
