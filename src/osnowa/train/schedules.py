"""How the learning rate moves: warm-up, then linear, cosine, stable with a decay at the end, or 1 / sqrt(step)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

ScheduleName = Literal["linear", "cosine", "wsd", "inverse-sqrt"]


def linear(progress: float, decay_share: float) -> float:
    return 1 - progress


def cosine(progress: float, decay_share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * progress))


def stable_then_decay(progress: float, decay_share: float) -> float:
    """Warm-up-stable-decay (Hu et al. 2024, MiniCPM): constant, then linear to zero over the last `decay_share`."""
    return min(1.0, (1 - progress) / decay_share)


SCHEDULES: dict[str, Callable[[float, float], float]] = {
    "linear": linear,
    "cosine": cosine,
    "wsd": stable_then_decay,
}


def learning_rate_factor(step: int, *, steps: int, warmup: int, schedule: ScheduleName, decay_share: float) -> float:
    """The factor in (0, 1] for update `step` of 1 .. steps: linear warm-up, then the schedule.

    The last update still has a little rate (the schedule reaches zero just after it).
    """
    if step <= warmup:
        return step / (warmup + 1)
    if schedule == "inverse-sqrt":  # Vaswani et al. 2017, equation 3: it never ends at zero
        return math.sqrt((warmup + 1) / step)
    progress = (step - 1 - warmup) / max(1, steps - warmup)
    if schedule == "wsd":  # the decay is a share of the whole run, not of what follows the warm-up
        decay_share = min(1.0, decay_share * steps / max(1, steps - warmup))
    return SCHEDULES[schedule](progress, decay_share)
