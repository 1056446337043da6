"""How fast steps pass and how long the rest will take; evaluations and other pauses are counted apart."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 30.0  # the moving average looks this far back
PAUSE_FACTOR = (
    10.0  # an interval this many times longer per step than usual was a pause (a stopped or sleeping machine)
)


class Pace:
    """A moving average of seconds per step, and the pauses that came between steps.

    `step` closes an interval of training; `pause` says that what follows is not training; `go_on` begins a new
    interval. Only the monotonic clock is used, so a clock that jumps back changes nothing.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.steps = 0  # since the start, pauses or not
        self.paused = 0.0  # seconds
        self._recent: deque[tuple[int, float]] = deque()  # (steps, seconds) of the intervals in the window
        self._usual: deque[float] = deque(maxlen=15)  # seconds per step of the last intervals
        self._recent_steps, self._recent_seconds = 0, 0.0
        self._last: tuple[int, float] | None = None  # step and time where the interval began
        self._left_at: tuple[int, float] | None = None  # where the training paused

    def step(self, step: int) -> None:
        """`step` is done."""
        now = self.clock()
        if self._last is not None and step > self._last[0]:
            self._add(step - self._last[0], now - self._last[1])
        self._last, self._left_at = (step, now), None

    def pause(self) -> None:
        """Training rests from the last step on."""
        if self._last is not None:
            self._left_at, self._last = self._last, None

    def go_on(self, step: int) -> None:
        """Training takes up again after `step`."""
        now = self.clock()
        self.pause()
        if self._left_at is not None:
            self.paused += now - self._left_at[1]
        self._last, self._left_at = (step, now), None

    def _add(self, steps: int, seconds: float) -> None:
        self.steps += steps
        if seconds > 1.0 and len(self._usual) >= 3 and seconds / steps > PAUSE_FACTOR * statistics.median(self._usual):
            self.paused += seconds
            return
        self._usual.append(seconds / steps)
        self._recent.append((steps, seconds))
        self._recent_steps += steps
        self._recent_seconds += seconds
        while self._recent_seconds > WINDOW_SECONDS and len(self._recent) > 3:
            old_steps, old_seconds = self._recent.popleft()
            self._recent_steps -= old_steps
            self._recent_seconds -= old_seconds

    def seconds_per_step(self) -> float | None:
        """Of the last half minute, pauses left out; None before the first whole interval."""
        return self._recent_seconds / self._recent_steps if self._recent_steps else None

    def seconds_left(self, remaining: int) -> float | None:
        """For `remaining` steps: training at the present pace, and pauses as often as they came so far."""
        pace = self.seconds_per_step()
        if pace is None:
            return None
        return max(0, remaining) * (pace + self.paused / max(1, self.steps))
