"""One forward pass watched from outside: hooks on modules and taps, and nothing changed in the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from osnowa.explain.program import STACKS, layers_of, rotary_kinds, window_kinds
from osnowa.explain.question import Question, Row
from osnowa.explain.step import Array
from osnowa.model import Layout, Transformer, visible
from osnowa.model.module import Same
from osnowa.model.position import Relative, Rotary, Sinusoidal, Turn, bucket

Shaper = Callable[[Array], Array]
See = Callable[[str, Array], None]
"""Told the whole attention weights of each layer, "head query key", of which only some rows may be kept."""


@dataclass
class Watched:
    """What was seen: tensors by name without the batch axis, and the last scores before each softmax as `scores`."""

    tensors: dict[str, Array] = field(default_factory=dict)
    scores: dict[str, Array] = field(default_factory=dict)
    queries: dict[str, Array] = field(default_factory=dict)  # side -> rows of attention that are kept; absent: all


def layout_of(row: Row) -> Layout:
    """One document without padding; a prefix is seen from everywhere."""
    plain = Layout.plain(torch.tensor([row.ids]))
    if not row.prefix:
        return plain
    return Layout(plain.positions, plain.document_ids, torch.arange(len(row.tokens))[None] < row.prefix)


def segments_of(model: Transformer, row: Row) -> Tensor | None:
    """[1, seq] kinds of segment, where the model has any."""
    return torch.tensor([[token.segment or 0 for token in row.tokens]]) if model.config.num_segments else None


def ordinary(model: Transformer, question: Question) -> tuple[dict[str, Tensor], Tensor | None]:
    """The forward pass as everyone asks for it: hidden vectors of each stack, and the logits of the asked places."""
    hidden: dict[str, Tensor] = {}
    layouts = {side: layout_of(row) for side, row in question.rows.items()}
    if "enc" in question.rows:
        row = question.rows["enc"]
        hidden["enc"] = model.encode(torch.tensor([row.ids]), layouts["enc"], segments_of(model, row))
    if "dec" in question.rows:
        tokens = torch.tensor([question.rows["dec"].ids])
        hidden["dec"] = model.decode(tokens, layouts["dec"], hidden.get("enc"), layouts.get("enc"))
    return hidden, model.head(hidden[question.last][0, list(question.asked)])


@torch.inference_mode()
def watch(model: Transformer, question: Question, *, head: bool, queries: Mapping[str, Array], see: See) -> Watched:
    """The same pass while every module is looked at.

    `queries`: by stack the rows of "head query key" tensors that are kept, where not all are. `see` is told all weights.
    """
    found = Watched(queries=dict(queries))
    hidden: dict[str, Tensor] = {}
    layouts = {side: layout_of(row) for side, row in question.rows.items()}
    for side, row in question.rows.items():
        _surroundings(model, side, layouts[side], found)
        tokens = torch.tensor([row.ids])
        with _hooks(model, side, found, see):
            if side == "enc":
                hidden[side] = model.encode(tokens, layouts[side], segments_of(model, row))
            else:
                hidden[side] = model.decode(tokens, layouts[side], hidden.get("enc"), layouts.get("enc"))
    if head:
        with _head_hooks(model, "mlm" if question.last == "enc" else "next", found):
            model.head(hidden[question.last][0, list(question.asked)])
    if question.second is not None and model.next_sentence is not None:
        with _verdict_hooks(model.next_sentence, found):
            model.next_sentence(hidden["enc"][:, 0])
    return found


def _surroundings(model: Transformer, side: str, layout: Layout, found: Watched) -> None:
    """What the stack makes of positions alone, by the model's own functions."""
    config, stack = model.config, getattr(model, STACKS[side])
    for kind, window in enumerate(window_kinds(config)):
        seen = visible(layout, layout, stack.causal, window)[0, 0]
        found.tensors[f"{side}.visible.{kind}"] = seen.numpy().astype(np.uint8)
    position = stack.position
    if isinstance(position, Rotary):
        turns = position.rotations(layout.positions, torch.float32)
        for layer in range(len(config.rotary_bases) * len(config.rotary_factors)):
            turn = turns[layer % len(turns)]
            kind = rotary_kinds(config).index(
                (
                    config.rotary_bases[layer % len(config.rotary_bases)],
                    config.rotary_factors[layer % len(config.rotary_factors)],
                )
            )
            assert isinstance(turn, Turn)
            found.tensors[f"{side}.cos.{kind}"] = turn.cos[0, 0].numpy()
            found.tensors[f"{side}.sin.{kind}"] = turn.sin[0, 0].numpy()
    if isinstance(position, Relative):
        distance = layout.positions[:, None, :] - layout.positions[:, :, None]
        kinds = bucket(distance, position.causal, position.table.num_embeddings, position.furthest)
        found.tensors[f"{side}.kinds"] = kinds[0].numpy().astype(np.int32)
    if isinstance(position, Sinusoidal):
        nothing = torch.zeros(1, layout.positions.size(1), config.d_model)
        found.tensors[f"{side}.position"] = position.embed(nothing, layout.positions)[0].numpy()


@contextmanager
def _hooks(model: Transformer, side: str, found: Watched, see: See) -> Iterator[None]:
    """Hooks on everything that one stack runs through."""
    stack = getattr(model, STACKS[side])
    with _Hooks(found) as hooks:
        hooks.on(model.embedding.token, f"{side}.token")
        if model.embedding.segment is not None:
            hooks.on(model.embedding.segment, f"{side}.segment")
        table = getattr(stack.position, "table", None)
        if isinstance(stack.position, Relative):
            hooks.on(table, f"{side}.bias", lambda x: x.transpose(2, 0, 1))
        elif table is not None:
            hooks.on(table, f"{side}.position")
        hooks.on(stack.embedded, f"{side}.sum")
        hooks.on(stack.input_norm, f"{side}.input")
        hooks.on(stack.final_norm, f"{side}.hidden", identity=True)
        for layer in range(layers_of(model.config, side)):
            block, at = stack.blocks[layer], f"{side}.{layer}"
            hooks.attention(block.attention, block.attention_residual, f"{at}.attn", side, see)
            if hasattr(block, "cross_attention"):
                hooks.attention(block.cross_attention, block.cross_residual, f"{at}.cross", side, see)
            hooks.feed_forward(block.feed_forward, block.feed_forward_residual, f"{at}.ffn")
        yield


@contextmanager
def _head_hooks(model: Transformer, at: str, found: Watched) -> Iterator[None]:
    head = model.head
    with _Hooks(found, batch=False) as hooks:
        if model.config.head_transform:
            hooks.on(head.transform.dense, f"{at}.dense")
            hooks.on(head.transform.norm, f"{at}.norm")
        if model.config.logit_softcap is not None:
            hooks.on(head.projection, f"{at}.raw")
        hooks.on(head.logits, f"{at}.logits", identity=True)
        yield


@contextmanager
def _verdict_hooks(head: nn.Module, found: Watched) -> Iterator[None]:
    with _Hooks(found) as hooks:
        hooks.on(head.pooler, "nsp.pooler")
        hooks.on(head.pooled, "nsp.pooled", identity=True)
        hooks.on(head.verdict, "nsp.logits")
        yield


class _Hooks:
    """Forward hooks that are gone at the end of the block. An absent part (an identity) is passed over."""

    def __init__(self, found: Watched, batch: bool = True) -> None:
        self.found, self.batch = found, batch
        self.handles: list[Any] = []

    def __enter__(self) -> _Hooks:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()

    def on(self, module: Any, name: str, shape: Shaper | None = None, *, identity: bool = False) -> None:
        """Keep what `module` gives under `name`."""
        if type(module) is Same and not identity:
            return

        def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            seen = self._array(output)
            self.found.tensors[name] = (seen if shape is None else shape(seen)).copy()

        self.handles.append(module.register_forward_hook(keep))

    def _array(self, output: Tensor) -> Array:
        return (output[0] if self.batch else output).detach().numpy()

    def attention(self, module: Any, residual: Any, at: str, side: str, see: See) -> None:
        """An attention and the Add & Norm around it."""

        def heads(x: Array) -> Array:
            return x.reshape(len(x), -1, module.d_head).transpose(1, 0, 2)

        rows = self.found.queries.get(side)

        def cut(x: Array) -> Array:
            return x if rows is None else x[:, rows]

        def weigh(x: Array) -> Array:
            see(f"{at}.weights", x)
            return cut(x)

        for letter, name in (("q", "query"), ("k", "key"), ("v", "value")):
            self.on(getattr(module, name), f"{at}.{letter}", heads)
        self.on(module.query_norm, f"{at}.q_norm")
        self.on(module.key_norm, f"{at}.k_norm")
        self.on(module.weights, f"{at}.weights", weigh)
        self.on(module.context, f"{at}.context")
        self.on(module.output, f"{at}.out")
        self.residual(residual, at)

        def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            self.found.scores[at] = cut(self._array(output)).copy()

        self.handles.append(module.scores.register_forward_hook(keep))

    def feed_forward(self, module: Any, residual: Any, at: str) -> None:
        """A feed-forward network and the Add & Norm around it."""
        if hasattr(module, "router"):
            # A router sees all tokens of all rows one below the other: there is no batch axis.
            flat = _Hooks(self.found, batch=False)
            flat.on(module.router, f"{at}.router")
            flat.on(module.routing, f"{at}.routed")
            self.handles += flat.handles
            self.on(module, f"{at}.down")
        else:
            gated = hasattr(module, "gate")
            if gated:
                self.on(module.gate, f"{at}.gate")
            self.on(module.up, f"{at}.up")
            self.on(module.activated, f"{at}.{'gated' if gated else 'act'}")
            self.on(module.down, f"{at}.down")
        self.residual(residual, at)

    def residual(self, residual: Any, at: str) -> None:
        self.on(residual.norm_in, f"{at}.in")
        self.on(residual.norm_out, f"{at}.out_norm")
        self.on(residual.added, f"{at}.sum")
        self.on(residual.norm_after, f"{at}.after")
