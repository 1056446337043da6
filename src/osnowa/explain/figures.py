"""Figures of each layer and head: where attention goes, how spread it is, how much a layer turns its vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from osnowa.explain.forward import Forward
from osnowa.explain.program import layers_of
from osnowa.explain.question import Question
from osnowa.explain.sides import spell
from osnowa.explain.step import Array
from osnowa.explain.watch import layout_of
from osnowa.model import ModelConfig, visible
from osnowa.tokenizer import Tokenizer

CLEAR = 0.5  # mean share of its attention that a head gives to one kind of place, from which on it is named so
EVEN = 0.95  # entropy, as a share of the largest possible one, from which on a head looks everywhere alike
NEIGHBOURS = 5


class Figures:
    """Watches attention weights as they come and keeps figures of them alone."""

    def __init__(self, question: Question, tokenizer: Tokenizer, config: ModelConfig) -> None:
        self.question, self.config, self.separator = question, config, tokenizer.specials.get("sep")
        self.entropy: dict[str, list[float]] = {}
        self.tags: dict[str, list[dict[str, Any]]] = {}

    def see(self, name: str, weights: Array) -> None:
        """`weights` "head query key" of one layer."""
        side, at = name.split(".")[0], name.removesuffix(".weights")
        exact = weights.astype(np.float64)
        spread = -(exact * np.log(np.maximum(exact, 1e-300))).sum(-1)
        self.entropy[at] = [float(each) for each in spread.mean(-1)]
        if at.endswith(".cross"):
            self.tags[at] = [{"tag": None, "value": float(each)} for each in exact.max(-1).mean(-1)]
            return
        most = np.log(self._seen(side, int(at.split(".")[1])))
        evenness = np.where(most > 0, spread / np.where(most > 0, most, 1), 1).mean(-1)
        ids = np.array(self.question.rows[side].ids)
        self.tags[at] = [self._tag(head, float(even), ids) for head, even in zip(exact, evenness, strict=True)]

    def _seen(self, side: str, layer: int) -> Array:
        """[query] how many keys it can look at."""
        layout = layout_of(self.question.rows[side])
        window = self.config.windows[layer % len(self.config.windows)]
        return visible(layout, layout, side == "dec", window)[0, 0].sum(-1).numpy()

    def _tag(self, head: Array, even: float, ids: Array) -> dict[str, Any]:
        """The kind of place that gets most of one head's attention, and its mean share."""
        shares = {
            "previous": _mean(np.diagonal(head, -1)),
            "next": _mean(np.diagonal(head, 1)),
            "self": _mean(np.diagonal(head)),
            "first": _mean(head[1:, 0]),
        }
        if self.separator is not None and (ids == self.separator).any():
            shares["separator"] = _mean(head[:, ids == self.separator].sum(-1))
        tag, value = max(shares.items(), key=lambda item: item[1])
        if value >= CLEAR:
            return {"tag": tag, "value": value}
        return {"tag": "uniform", "value": even} if even >= EVEN else {"tag": None, "value": value}


def _mean(numbers: Array) -> float:
    return float(numbers.mean()) if numbers.size else 0.0


def layer_figures(forward: Forward, config: ModelConfig, figures: Figures) -> dict[str, list[dict[str, Any]]]:
    """For each stack and layer: how far it turns each vector, how spread its heads look, who writes how much."""
    return {
        side: [_layer(forward, config, figures, side, layer) for layer in range(layers_of(config, side))]
        for side in forward.question.rows
    }


def _layer(forward: Forward, config: ModelConfig, figures: Figures, side: str, layer: int) -> dict[str, Any]:
    tensors, at = forward.tensors, f"{side}.{layer}"

    def of(name: str) -> Array:
        return tensors[name].array.astype(np.float64)

    before, after = of(layer_input(forward, side, layer)), of(layer_output(forward, side, layer))
    lengths = np.linalg.norm(before, axis=-1) * np.linalg.norm(after, axis=-1)
    cosine = (before * after).sum(-1) / np.maximum(lengths, 1e-30)
    written = {}
    for part, last in (("attn", "out"), ("cross", "out"), ("ffn", "down")):
        name = f"{at}.{part}.out_norm" if f"{at}.{part}.out_norm" in tensors else f"{at}.{part}.{last}"
        if name in tensors:
            written[part] = float(np.linalg.norm(of(name), axis=-1).mean())
    total = sum(written.values())
    attention = written["attn"] + written.get("cross", 0.0)
    return {
        "cosine_in_out": [float(each) for each in cosine],
        "entropy": figures.entropy[f"{at}.attn"],
        "cross_entropy": figures.entropy.get(f"{at}.cross"),
        "attn_share": attention / total if total else 0.0,
    }


def layer_input(forward: Forward, side: str, layer: int) -> str:
    """The name of what goes into a layer."""
    if layer:
        return layer_output(forward, side, layer - 1)
    return f"{side}.input" if f"{side}.input" in forward.tensors else f"{side}.sum"


def layer_output(forward: Forward, side: str, layer: int) -> str:
    """The name of what comes out of a layer."""
    name = f"{side}.{layer}.ffn.after"
    return name if name in forward.tensors else f"{side}.{layer}.ffn.sum"


def tags_of(forward: Forward, config: ModelConfig, figures: Figures, part: str = "attn") -> dict[str, Any]:
    """For each stack, layer and head its tag."""
    return {
        side: [figures.tags[f"{side}.{layer}.{part}"] for layer in range(layers_of(config, side))]
        for side in forward.question.rows
        if f"{side}.0.{part}" in figures.tags
    }


def neighbours(forward: Forward, tokenizer: Tokenizer) -> dict[str, list[list[dict[str, Any]]]]:
    """For each place the vocabulary entries whose vectors point the same way, by cosine, without itself."""
    table = forward.weights["w.embedding.token.weight"].array
    lengths = np.maximum(np.linalg.norm(table, axis=-1), 1e-30)
    known: dict[int, list[dict[str, Any]]] = {}
    for token in {i for row in forward.question.rows.values() for i in row.ids}:
        cosine = table @ table[token] / (lengths * lengths[token])
        cosine[token] = -np.inf
        cosine[tokenizer.vocab_size :] = -np.inf
        nearest = np.argpartition(-cosine, NEIGHBOURS)[:NEIGHBOURS]
        nearest = nearest[np.argsort(-cosine[nearest], kind="stable")]
        known[token] = [
            {"id": int(i), "token": spell(tokenizer, int(i)), "cosine": float(cosine[i])}
            for i in nearest
            if np.isfinite(cosine[i])
        ]
    return {side: [known[i] for i in row.ids] for side, row in forward.question.rows.items()}
