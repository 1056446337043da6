"""The oracle's verdict on a trace: how many numbers were compared, how many differ, and by how much at most."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from osnowa.explain.forward import Forward
from osnowa.explain.oracle import Input, Oracle
from osnowa.explain.step import Array, Held
from osnowa.model import ModelConfig

TOLERANCE = 1e-4


@dataclass
class Kind:
    """What came of the tensors that one operation makes."""

    checked: int = 0
    bad: int = 0
    largest: float = 0.0


@dataclass
class Proof:
    """By operation what was compared; `bad` names the tensors in which a number differs, `absent` those not compared.

    `drift`: the largest difference where nothing was taken from the trace. It is above `largest` only where float32
    rounding has grown beyond the tolerance on its way through the layers: then each Add & Norm was begun anew from the
    trace's own numbers, and what is told is what each of these parts gives.
    """

    kinds: dict[str, Kind] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    drift: float = 0.0

    @property
    def checked(self) -> int:
        return sum(kind.checked for kind in self.kinds.values())

    @property
    def largest(self) -> float:
        return max((kind.largest for kind in self.kinds.values()), default=0.0)


def errors(stored: Array, computed: Array) -> Array:
    """|computed - stored| / max(1, |stored|), number by number; what is no number is an infinite error."""
    stored = stored.astype(np.float64)
    distance = np.abs(computed - stored) / np.maximum(1, np.abs(stored))
    return np.where(np.isfinite(distance), distance, np.inf)


def prove(forward: Forward, config: ModelConfig, *, head: bool = True) -> Proof:
    """Compare every tensor of a pass with the oracle's, which computes from the ids to the end; see `Proof.drift`."""
    proof = _compare(forward, config, head, follow=False)
    proof.drift = proof.largest
    if proof.bad:
        drift = proof.drift
        proof = _compare(forward, config, head, follow=True)
        proof.drift = drift
    return proof


def _compare(forward: Forward, config: ModelConfig, head: bool, follow: bool) -> Proof:
    question = forward.question
    inputs = {
        side: Input(row.ids, [token.segment or 0 for token in row.tokens], row.prefix)
        for side, row in question.rows.items()
    }
    weights = {name[2:]: held.array for name, held in forward.weights.items()}
    followed = {name: held.array for name, held in forward.tensors.items()} if follow else None
    oracle = Oracle(config.model_dump(), weights, followed)
    made_by = {step.out: step.op for step in forward.steps}
    proof, met = Proof(), set()
    pair = question.second is not None
    for name, numbers in oracle.tensors(inputs, question.asked, head=head, pair=pair):
        held = forward.tensors.get(name)
        if held is None:
            proof.absent.append(name)
            continue
        met.add(name)
        found = errors(held.array, _cut(numbers, held))
        kind = proof.kinds.setdefault(made_by[name], Kind())
        kind.checked += found.size
        kind.bad += int((found > TOLERANCE).sum())
        kind.largest = max(kind.largest, float(found.max(initial=0.0)))
        if (found > TOLERANCE).any():
            proof.bad.append(name)
    proof.absent += [name for name in forward.tensors if name not in met]
    return proof


def _cut(numbers: Array, held: Held) -> Array:
    """The oracle's numbers at the places that the trace has; heads were asked for these places alone."""
    for axis, kept in enumerate(held.kept):
        if kept is not None and numbers.shape[axis] != len(kept):
            numbers = np.take(numbers, kept, axis=axis)
    return numbers
