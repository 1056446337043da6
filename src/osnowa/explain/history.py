"""How a model learned: the paths of words in one fixed plane, their neighbours then and now, the same sentences asked again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from osnowa.explain.chapter import Chapter
from osnowa.train.snapshots import Asked, Snapshot

F64 = NDArray[np.float64]
NEIGHBOURS = 5
MOST_POINTS = 400  # of each loss curve; more can't be told apart


def history(
    snapshots: Sequence[Snapshot], metrics: Iterable[Mapping[str, Any]], token: Callable[[int], str]
) -> Chapter | None:
    """The block `history` of the index; None without snapshots.

    `snapshots` are those of one run in any order; one that does not belong to the newest (other words, width or
    sentences) is left out. `metrics` are the lines of metrics.jsonl; `token` spells an id for people.
    """
    alike = belonging_together(snapshots)
    if not alike:
        return None
    newest = alike[-1]
    chapter = Chapter({"steps": [each.step for each in alike], "loss": curves(metrics)})
    probes: dict[str, Any] = {"tokens": [_named(index, token) for index in newest.ids.tolist()], "all": None}
    vectors = np.stack([np.asarray(each.embeddings, dtype=np.float64) for each in alike])
    plane, explained = fixed_plane(vectors)
    probes["plane"] = chapter.add("history.plane", plane, "snapshot probe axis")
    probes["explained"] = explained
    probes["neighbours"] = neighbours(vectors, newest.ids.tolist(), token)
    chapter.block["probes"] = probes
    chapter.block["sentences"] = [
        sentence(chapter, number, [each.sentences[number] for each in alike], token)
        for number in range(len(newest.sentences))
    ]
    return chapter


def belonging_together(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Those with the words and sentences of the newest, in the order of their steps."""
    ordered = sorted(snapshots, key=lambda each: each.step)

    def same(each: Snapshot) -> bool:
        newest = ordered[-1]
        asked, latest = ([(a.text, a.tokens) for a in one.sentences] for one in (each, newest))
        shapes = each.embeddings.shape == newest.embeddings.shape
        return shapes and torch.equal(each.ids, newest.ids) and asked == latest

    return [each for each in ordered if same(each)]


def fixed_plane(vectors: F64) -> tuple[F64, list[float]]:
    """Places [snapshot, probe, 2] on the two directions in which all vectors of all snapshots differ most.

    One plane for all of them, so that axes never jump; the sign of a direction is that its largest component is
    positive. Also the share of the variance along each.
    """
    flat = vectors.reshape(-1, vectors.shape[-1])
    if not len(flat):
        return np.zeros((*vectors.shape[:2], 2)), [0.0, 0.0]
    centred = flat - flat.mean(0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    axes = directions[:, ::-1][:, :2].T
    axes = axes * np.sign(axes[np.arange(2), np.abs(axes).argmax(1)])[:, None]
    share = np.maximum(values[::-1][:2], 0) / max(float(values.sum()), np.finfo(np.float64).tiny)
    return (centred @ axes.T).reshape(*vectors.shape[:2], 2), share.tolist()


def neighbours(vectors: F64, ids: Sequence[int], token: Callable[[int], str]) -> list[list[list[dict[str, Any]]]]:
    """For each probe and snapshot the nearest other probes by cosine, the nearest first."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit = vectors / np.maximum(length, np.finfo(np.float64).tiny)
    told: list[list[list[dict[str, Any]]]] = [[] for _ in ids]
    for moment in unit:
        cosine = moment @ moment.T
        np.fill_diagonal(cosine, -np.inf)
        nearest = np.argsort(-cosine, axis=1, kind="stable")[:, : min(NEIGHBOURS, max(0, len(ids) - 1))]
        for probe, others in enumerate(nearest.tolist()):
            told[probe].append([{**_named(ids[o], token), "cosine": round(float(cosine[probe, o]), 6)} for o in others])
    return told


def sentence(chapter: Chapter, number: int, asked: Sequence[Asked], token: Callable[[int], str]) -> dict[str, Any]:
    """One fixed sentence: its answer and how the model looked at it, at each snapshot."""
    name = f"history.attention.{number}"
    shapes = {tuple(each.attention.shape) for each in asked}
    if len(shapes) == 1:
        chapter.pictures[name] = np.ascontiguousarray(torch.stack([each.attention for each in asked]).numpy())
    return {
        "text": asked[-1].text,
        "answer": asked[-1].answer,
        "answers": [_answer(each, token) for each in asked],
        "attention": name if name in chapter.pictures else None,
        "tokens": [token(index) for index in asked[-1].tokens],
    }


def _answer(asked: Asked, token: Callable[[int], str]) -> dict[str, Any]:
    if asked.said is not None:
        return {"text": asked.said}
    return {"top": [{"token": token(index), "p": chance} for index, chance in asked.top]}


def _named(index: int, token: Callable[[int], str]) -> dict[str, Any]:
    return {"id": index, "token": token(index)}


def curves(metrics: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Loss on what was asked, of training and of held-out text, by step; the latest word on a step counts.

    Long curves are thinned to 400 points, each the mean of its stretch.
    """
    found: dict[str, dict[int, float]] = {"train": {}, "held_out": {}}
    for line in metrics:
        kind, step, loss = line.get("kind"), line.get("step"), line.get("token_loss")
        if kind in found and isinstance(step, int) and isinstance(loss, int | float):
            found[kind][step] = float(loss)
    train, held_out = (thinned(sorted(each.items())) for each in found.values())
    return {"step": train[0], "train": train[1], "held_out_step": held_out[0], "held_out": held_out[1]}


def thinned(points: Sequence[tuple[int, float]]) -> tuple[list[float], list[float]]:
    """Steps and values, the means of at most 400 stretches of equal length."""
    if len(points) <= MOST_POINTS:
        return [step for step, _ in points], [value for _, value in points]
    pieces = np.array_split(np.asarray(points, dtype=np.float64), MOST_POINTS)
    means = np.stack([piece.mean(0) for piece in pieces])
    return means[:, 0].round().tolist(), means[:, 1].tolist()
