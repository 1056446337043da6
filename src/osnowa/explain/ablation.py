"""What the answer would be without one head, or without one feed-forward network: the model run again without it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from osnowa.explain.program import STACKS, layers_of
from osnowa.explain.question import Question
from osnowa.explain.step import Array
from osnowa.explain.watch import layout_of, segments_of
from osnowa.model import Layout, Transformer

# Multiplications and additions for all the passes: beyond it, on one core, it would take about a minute.
MOST_WORK = 2e12


def work(model: Transformer, question: Question) -> float:
    """About how many multiplications and additions `without` needs."""
    config, layers = model.config, layers_of(model.config, question.last)
    tokens = sum(len(row.tokens) for row in question.rows.values())
    inside = model.parameter_count() - model.embedding.token.weight.numel()
    attention = layers * tokens * tokens * config.d_model
    parts = 2 if len(question.rows) == 2 else 1
    return 2.0 * layers * (parts * config.num_heads + 1) * (tokens * inside + attention)


class Ablation:
    """Runs the last stack with one part left out in each row of a batch."""

    def __init__(self, model: Transformer, question: Question, place: int, candidates: Sequence[int]) -> None:
        self.model, self.question, self.place = model, question, place
        self.candidates = torch.tensor(list(candidates))
        self.stack = getattr(model, STACKS[question.last])
        self.layouts = {side: layout_of(row) for side, row in question.rows.items()}
        self.memory: Tensor | None = None

    @torch.inference_mode()
    def run(self) -> dict[str, Array | None]:
        """"p" [candidate] of the whole model, "without_head" and "without_cross_head" [layer, head, candidate],
        "without_ffn" [layer, candidate]."""
        if self.question.last == "dec" and "enc" in self.question.rows:
            row = self.question.rows["enc"]
            tokens = torch.tensor([row.ids])
            self.memory = self.model.encode(tokens, self.layouts["enc"], segments_of(self.model, row))
        heads: list[Array] = []
        cross: list[Array] = []
        networks: list[Array] = []
        for block in self.stack.blocks:
            found = self.pass_without(block)
            count = self.model.config.num_heads
            heads.append(found[:count])
            networks.append(found[count])
            cross += [found[count + 1 :]] if self.memory is not None else []
        return {
            "p": self.answer(1)[0],
            "without_head": np.stack(heads),
            "without_cross_head": np.stack(cross) if cross else None,
            "without_ffn": np.stack(networks),
        }

    def pass_without(self, block: Any) -> Array:
        """One pass for one layer: row by row without each head, without the network, without each head across."""
        count = self.model.config.num_heads
        rows = count + 1 + (count if self.memory is not None else 0)
        with _silence(block, self.model.config.head_width, count):
            return self.answer(rows)

    def answer(self, rows: int) -> Array:
        """[row, candidate] probabilities at the place."""
        model, side = self.model, self.question.last
        row = self.question.rows[side]
        tokens, layout = torch.tensor([row.ids]).repeat(rows, 1), _repeat(self.layouts[side], rows)
        if side == "enc":
            segments = segments_of(model, row)
            hidden = model.encode(tokens, layout, None if segments is None else segments.repeat(rows, 1))
        elif self.memory is None:
            hidden = model.decode(tokens, layout)
        else:
            memory = self.memory.expand(rows, -1, -1)
            hidden = model.decode(tokens, layout, memory, _repeat(self.layouts["enc"], rows))
        p = model.head(hidden[:, self.place]).softmax(-1)
        return p[:, self.candidates].numpy()


def _repeat(layout: Layout, rows: int) -> Layout:
    return layout.take(torch.zeros(rows, dtype=torch.long))


@contextmanager
def _silence(block: Any, width: int, heads: int) -> Iterator[None]:
    """Row h loses head h of self-attention, row `heads` the network, the rows behind it the heads across."""

    def mute(first: int) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            x = inputs[0].clone()
            for head in range(heads):
                x[first + head, :, head * width : (head + 1) * width] = 0
            return (x,)

        return hook

    def drop(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        output = output.clone()
        output[heads] = 0
        return output

    handles = [
        block.attention.output.register_forward_pre_hook(mute(0)),
        block.feed_forward.register_forward_hook(drop),
    ]
    if hasattr(block, "cross_attention"):
        handles.append(block.cross_attention.output.register_forward_pre_hook(mute(heads + 1)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
