"""Every tensor of one forward pass under its name, and the steps that made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from osnowa.errors import SettingsError
from osnowa.explain.ops import evaluate
from osnowa.explain.program import write_program
from osnowa.explain.question import Question
from osnowa.explain.step import Array, Held, Step
from osnowa.explain.watch import See, Watched, ordinary, watch
from osnowa.model import Transformer

# Attention scores of all layers that are kept whole; beyond it only the rows of the focus are, and pictures of all.
MOST_SCORES = 64 << 20


@dataclass(frozen=True)
class Forward:
    """The tensors of one pass by name, the steps in their order, and the model's parameters under "w." names."""

    question: Question
    tensors: dict[str, Held]
    steps: tuple[Step, ...]
    weights: dict[str, Held]
    difference: float  # largest, between the logits (hidden vectors without a head) of this pass and the ordinary one

    def all(self) -> dict[str, Held]:
        """Tensors and weights."""
        return {**self.tensors, **self.weights}


def run(
    model: Transformer, question: Question, *, head: bool = True, see: See = lambda _name, _weights: None
) -> Forward:
    """One pass of a float32 model on the processor, watched.

    `head`: whether the model's vocabulary head was trained. `see` is told all attention weights of each layer.

    Raises:
        SettingsError: another kind of numbers, or another device.
    """
    weight = model.embedding.token.weight
    if weight.dtype != torch.float32 or weight.device.type != "cpu":
        raise SettingsError(
            "explain", f"looks at float32 on the processor, not at {weight.dtype} on {weight.device}", "load it so"
        )
    queries = _queries(model, question)
    watched = watch(model, question, head=head, queries=queries, see=see)
    hides = {name: bool((x == 0).any()) for name, x in watched.tensors.items() if ".visible." in name}
    steps = write_program(model.config, question, hides, head=head)
    weights = parameters(model)
    tensors = _derive(steps, watched, question, weights)
    return Forward(question, tensors, tuple(steps), weights, _difference(model, question, tensors, head))


def parameters(model: Transformer) -> dict[str, Held]:
    """Every parameter once, under "w." and its name; no copies."""
    found = {}
    for name, parameter in model.named_parameters():
        numbers = parameter.detach().numpy()
        axes = ("out", "in") if numbers.ndim == 2 else ("out",) if numbers.ndim == 1 else ("expert", "out", "in")
        found[f"w.{name}"] = Held.whole(numbers, axes)
    return found


def _queries(model: Transformer, question: Question) -> dict[str, Array]:
    """By stack the query rows that are kept, where all rows would be too much memory."""
    config = model.config
    found = {}
    for side, row in question.rows.items():
        layers = config.encoder_layers if side == "enc" else config.decoder_layers
        longest = max(len(each.tokens) for each in question.rows.values())
        if layers * config.num_heads * len(row.tokens) * longest * 4 > MOST_SCORES:
            found[side] = np.array(question.focus(side))
    return found


def _derive(steps: list[Step], watched: Watched, question: Question, weights: Mapping[str, Held]) -> dict[str, Held]:
    """All tensors of the program: those that a hook saw as it saw them, the others computed from those before them."""
    before = {step.inputs[0]: step.out.rpartition(".")[0] for step in steps if step.out.endswith(".weights")}
    tensors: dict[str, Held] = {}
    known: dict[str, Held] = dict(weights)
    for step in steps:
        rows = _rows(step, watched, question)
        kept = tuple(rows if i == _row_axis(step) else None for i in range(len(step.shape)))
        if step.out in before:
            array = watched.scores[before[step.out]]
        elif step.out in watched.tensors:
            array = watched.tensors[step.out]
        else:
            array = _compute(step, known, kept)
        held = Held(np.ascontiguousarray(array), step.axes, step.shape, kept)
        expected = tuple(size if k is None else len(k) for size, k in zip(step.shape, kept, strict=True))
        assert held.array.shape == expected, f"{step.out}: {held.array.shape}, not {expected}"
        tensors[step.out] = known[step.out] = held
    return tensors


def _row_axis(step: Step) -> int | None:
    if step.axes == ("head", "query", "key"):
        return 1
    return 0 if step.part in ("mlm", "next") else None


def _rows(step: Step, watched: Watched, question: Question) -> tuple[int, ...] | None:
    """The places of the row axis that are kept; None: all."""
    if step.axes == ("head", "query", "key") and not step.out.endswith(".bias"):
        rows = watched.queries.get(step.part.split(".")[0])
        return None if rows is None else tuple(int(i) for i in rows)
    return question.asked if step.part in ("mlm", "next") else None


def _compute(step: Step, known: Mapping[str, Held], kept: tuple[tuple[int, ...] | None, ...]) -> Array:
    wanted = [
        np.arange(size) if k is None else np.asarray(k, dtype=np.int64)
        for size, k in zip(step.shape, kept, strict=True)
    ]
    found = evaluate(step, known, wanted)
    assert found is not None, f"{step.out} can't be computed from {step.inputs}"
    return found[1].astype(np.float32)


@torch.inference_mode()
def _difference(model: Transformer, question: Question, tensors: Mapping[str, Held], head: bool) -> float:
    """Largest distance between this pass and one that nobody watches."""
    hidden, logits = ordinary(model, question)
    name = ("mlm" if question.last == "enc" else "next") + ".logits"
    if head and logits is not None:
        return float(np.abs(logits.numpy() - tensors[name].array).max())
    return float(np.abs(hidden[question.last][0].numpy() - tensors[f"{question.last}.hidden"].array).max())
