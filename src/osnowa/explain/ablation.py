"""What the answer would be without one head, or without one feed-forward network: the layers run again without it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from osnowa.explain.figures import layer_input
from osnowa.explain.forward import Forward
from osnowa.explain.program import STACKS, layers_of
from osnowa.explain.question import Question
from osnowa.explain.step import Array
from osnowa.explain.watch import layout_of
from osnowa.model import Transformer
from osnowa.model.attention import Remembered

# Multiplications and additions for all the passes: beyond it, on one core, it would take half a minute.
MOST_WORK = 1e12


def work(model: Transformer, question: Question) -> float:
    """About how many multiplications and additions it takes: without a part of a layer, that layer and those behind it
    are computed again."""
    config, layers = model.config, layers_of(model.config, question.last)
    tokens = sum(len(row.tokens) for row in question.rows.values())
    inside = model.parameter_count() - model.embedding.token.weight.numel()
    attention = layers * tokens * tokens * config.d_model
    parts = len(question.rows)
    return 1.0 * layers * (parts * config.num_heads + 1) * (tokens * inside + attention)


class Ablation:
    """Runs the last stack's layers with one part left out in each row of a batch."""

    def __init__(self, model: Transformer, forward: Forward, place: int, candidates: Sequence[int]) -> None:
        self.model, self.forward, self.place = model, forward, place
        self.candidates = torch.tensor(list(candidates))
        question = forward.question
        self.side = question.last
        self.stack = getattr(model, STACKS[self.side])
        layout = layout_of(question.rows[self.side])
        memory, memory_layout = None, None
        if self.side == "dec" and "enc" in question.rows:
            memory, memory_layout = self._tensor("enc.hidden"), layout_of(question.rows["enc"])
        with torch.inference_mode():
            self.remembered: list[Remembered] = [each for each in self.stack.remembered(memory, None) if each]
        x = self._tensor(layer_input(forward, self.side, 0))
        self.masks, self.memory_mask, self.rotations = self.stack.surroundings(x, layout, memory_layout, None)

    def _tensor(self, name: str) -> Tensor:
        """[1, seq, d_model]"""
        return torch.from_numpy(np.array(self.forward.tensors[name].array)[None])

    @torch.inference_mode()
    def run(self) -> dict[str, Array | None]:
        """ "p" [candidate] of the whole model, "without_head" and "without_cross_head" [layer, head, candidate],
        "without_ffn" [layer, candidate]."""
        heads, cross, networks = list[Array](), list[Array](), list[Array]()
        config, layers = self.model.config, len(self.stack.blocks)
        count = config.num_heads
        rows = count + 1 + (count if self.remembered else 0)
        for layer in range(layers):
            with _silence(self.stack.blocks[layer], config.head_width, count):
                found = self.answer(layer, rows)
            heads.append(found[:count])
            networks.append(found[count])
            cross += [found[count + 1 :]] if self.remembered else []
        return {
            "p": self.answer(layers - 1, 1)[0],
            "without_head": np.stack(heads),
            "without_cross_head": np.stack(cross) if cross else None,
            "without_ffn": np.stack(networks),
        }

    def answer(self, first: int, rows: int) -> Array:
        """[row, candidate] probabilities at the place, from layer `first` on, for `rows` copies of what goes into it."""
        x = self._tensor(layer_input(self.forward, self.side, first)).repeat(rows, 1, 1)
        memory = [tuple(each.expand(rows, -1, -1, -1) for each in both) for both in self.remembered]
        memory_mask = None if self.memory_mask is None else self.memory_mask.repeat(rows, 1, 1, 1)
        windows, turns = self.stack.windows, self.rotations
        for layer in range(first, len(self.stack.blocks)):
            mask = self.masks[windows[layer % len(windows)]]
            x = self.stack.blocks[layer](
                x, mask, turns[layer % len(turns)], memory[layer] if memory else None, memory_mask
            )
        p = self.model.head(self.stack.final_norm(x)[:, self.place]).softmax(-1)
        return p[:, self.candidates].numpy()


@contextmanager
def _silence(block: Any, width: int, heads: int) -> Iterator[None]:
    """In this block row h loses head h of self-attention, row `heads` the network, the rows behind it the heads
    across."""

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
