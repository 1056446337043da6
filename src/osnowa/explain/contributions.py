"""A logit as a sum: what each head, each feed-forward network and the embedding add to it on the direct path.

All later norms and the gate of the head are taken as they were in this pass (frozen), so that everything between a part
and the logit is linear; what is left when all parts are added up is the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from osnowa.explain.forward import Forward
from osnowa.explain.program import STACKS, layers_of
from osnowa.explain.step import Array, Held
from osnowa.model import ModelConfig


@dataclass(frozen=True)
class Contributions:
    """`values` [candidate, part]; `parts` says what each is; `logits` [candidate] are the sums, the rest included."""

    parts: list[dict[str, Any]]
    values: Array
    logits: Array


class _Reader:
    """What is read off the vector at one place, pulled back through the model: one row for each candidate."""

    def __init__(self, forward: Forward, config: ModelConfig, place: int, candidates: Sequence[int]) -> None:
        self.forward, self.config, self.place = forward, config, place
        self.candidates = list(candidates)
        self.side = forward.question.last
        self.parts: list[dict[str, Any]] = []
        self.columns: list[Array] = []
        self.norm_bias = np.zeros(len(self.candidates))
        self.head_bias = np.zeros(len(self.candidates))
        self.read = np.zeros((len(self.candidates), config.d_model))

    def weight(self, name: str) -> Array:
        return self.forward.weights[f"w.{name}"].array.astype(np.float64)

    def has(self, name: str) -> bool:
        return name in self.forward.tensors or f"w.{name}" in self.forward.weights

    def at(self, name: str) -> Array:
        """The vector of a tensor at the place."""
        held: Held = self.forward.tensors[name]
        return held.at({0: np.array([self.place])})[0]

    def add(self, column: Array, kind: str, layer: int | None = None, head: int | None = None, **more: str) -> None:
        self.parts.append({"kind": kind, "layer": layer, "head": head, **more})
        self.columns.append(column)

    def through_norm(self, read: Array, module: str, x: Array) -> Array:
        """`read` as it looks at what goes into a norm, whose scale is that of this pass; its bias is booked."""
        config, gain = self.config, self.weight(f"{module}.weight")
        if self.has(f"{module}.bias"):
            self.norm_bias = self.norm_bias + read @ self.weight(f"{module}.bias")
        if config.norm == "rmsnorm":
            gain = gain + 1 if config.norm_offset else gain
            return read * (gain / math.sqrt(np.square(x).mean() + config.norm_eps))
        scaled = read * (gain / math.sqrt(x.var() + config.norm_eps))
        return scaled - scaled.mean(-1, keepdims=True)


def contributions(forward: Forward, config: ModelConfig, place: int, candidates: Sequence[int]) -> Contributions:
    """The parts of the logits of `candidates` at one place of the stack that the answer comes out of."""
    reader = _Reader(forward, config, place, candidates)
    logits = _through_head(reader)
    if config.norm_placement != "post":
        last = layers_of(config, reader.side) - 1
        stack = STACKS[reader.side]
        reader.read = reader.through_norm(
            reader.read, f"{stack}.final_norm", reader.at(f"{reader.side}.{last}.ffn.sum")
        )
    for layer in reversed(range(layers_of(config, reader.side))):
        _through_layer(reader, layer)
    _embedding(reader)
    reader.add(reader.norm_bias, "norm_bias")
    reader.add(reader.head_bias, "head_bias")
    known = np.stack(reader.columns, 1)
    reader.add(logits - known.sum(1), "rest")
    return Contributions(reader.parts, np.column_stack((known, reader.columns[-1])), logits)


def _through_head(reader: _Reader) -> Array:
    """From the logits to the contextual vector; the logits."""
    config, side = reader.config, reader.side
    at = "mlm" if side == "enc" else "next"
    chosen = np.array(reader.candidates)
    logits = reader.at(f"{at}.logits")[chosen]
    table = "embedding.token.weight" if config.tie_embeddings else "head.projection.weight"
    read = reader.forward.weights[f"w.{table}"].array[chosen].astype(np.float64)
    booked = reader.weight("head.projection.bias")[chosen] if config.head_bias else np.zeros(len(chosen))
    if config.logit_softcap is not None:
        raw = reader.at(f"{at}.raw")[chosen]
        bent = np.where(raw == 0, 1.0, logits / np.where(raw == 0, 1.0, raw))
        read, booked = read * bent[:, None], booked * bent
    read = read * config.logit_scale
    reader.head_bias = booked
    if config.head_transform:
        before = reader.norm_bias.copy()
        read = reader.through_norm(read, "head.transform.norm", reader.at(f"{at}.act"))
        booked_norm, reader.norm_bias = reader.norm_bias - before, before
        dense, act = reader.at(f"{at}.dense"), reader.at(f"{at}.act")
        read = read * np.where(dense == 0, 0.5, act / np.where(dense == 0, 1.0, dense))
        reader.head_bias = reader.head_bias + booked_norm
        if config.head_transform_bias:
            reader.head_bias = reader.head_bias + read @ reader.weight("head.transform.dense.bias")
        read = read @ reader.weight("head.transform.dense.weight")
    reader.read = read
    return logits


def _through_layer(reader: _Reader, layer: int) -> None:
    """Feed-forward, attention across and self-attention of one layer, in the order in which we come to them."""
    stack = STACKS[reader.side]
    at, block = f"{reader.side}.{layer}", f"{stack}.blocks.{layer}"
    change = _through_residual(reader, f"{at}.ffn", f"{block}.feed_forward_residual")
    reader.add(change @ reader.at(f"{at}.ffn.down"), "ffn", layer)
    for part, module, residual, kind in (
        ("cross", "cross_attention", "cross_residual", "cross_head"),
        ("attn", "attention", "attention_residual", "head"),
    ):
        if not reader.has(f"{at}.{part}.sum"):
            continue
        change = _through_residual(reader, f"{at}.{part}", f"{block}.{residual}")
        output = f"{block}.{module}.output"
        if reader.config.attention_bias:
            name = {} if part == "attn" else {"name": part}
            reader.add(change @ reader.weight(f"{output}.bias"), "attn_bias", layer, None, **name)
        inside = change @ reader.weight(f"{output}.weight")
        joined, width = reader.at(f"{at}.{part}.joined"), reader.config.head_width
        for head in range(reader.config.num_heads):
            columns = slice(head * width, (head + 1) * width)
            reader.add(inside[:, columns] @ joined[columns], kind, layer, head)


def _through_residual(reader: _Reader, at: str, residual: str) -> Array:
    """Back through Add & Norm: `read` goes on to what was added to; what reads the change is given back."""
    placement = reader.config.norm_placement
    if placement == "post":
        reader.read = reader.through_norm(reader.read, f"{residual}.norm_after", reader.at(f"{at}.sum"))
    if placement == "sandwich":
        last = "down" if at.endswith(".ffn") else "out"
        return reader.through_norm(reader.read, f"{residual}.norm_out", reader.at(f"{at}.{last}"))
    return reader.read


def _embedding(reader: _Reader) -> None:
    side = reader.side
    if reader.config.input_norm:
        reader.read = reader.through_norm(reader.read, f"{STACKS[side]}.input_norm", reader.at(f"{side}.sum"))
    for name in ("token", "segment", "position"):
        source = "scaled" if name == "token" and reader.has(f"{side}.scaled") else name
        if reader.has(f"{side}.{source}"):
            reader.add(reader.read @ reader.at(f"{side}.{source}"), "embedding", name=name)
