"""The page's own check, in Python: each step computed again from the numbers of the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from osnowa.explain.ops import evaluate
from osnowa.explain.proof import TOLERANCE, errors
from osnowa.explain.step import Held, Step


@dataclass
class Check:
    """How many numbers have their operands in the file, how many of them differ, and in which tensors."""

    checked: int = 0
    bad: int = 0
    largest: float = 0.0
    wrong: list[str] = field(default_factory=list)
    by_name: dict[str, int] = field(default_factory=dict)


def check(steps: Iterable[Step], tensors: Mapping[str, Held]) -> Check:
    """Compute every step again, as far as what it needs is in `tensors`."""
    found = Check()
    for step in steps:
        held = tensors.get(step.out)
        if held is None:
            continue
        made = evaluate(step, tensors, [held.places(axis) for axis in range(len(held.shape))])
        if made is None:
            continue
        places, numbers = made
        stored = held.array
        for axis, wanted in enumerate(places):
            if len(wanted) != stored.shape[axis]:
                stored = np.take(stored, np.searchsorted(held.places(axis), wanted), axis=axis)
        error = errors(stored, numbers)
        found.checked += error.size
        found.by_name[step.out] = error.size
        found.largest = max(found.largest, float(error.max(initial=0.0)))
        if (error > TOLERANCE).any():
            found.bad += int((error > TOLERANCE).sum())
            found.wrong.append(step.out)
    return found
