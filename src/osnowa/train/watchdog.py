"""The watchdog: when no step ends for long, it prints every thread's stack, so that a hang explains itself."""

from __future__ import annotations

import faulthandler
import sys

SILENT_SECONDS = 120.0
PATIENCE = 10.0  # times the slowest step: a large model is slow, not hanging


class Watchdog:
    """Armed before each step. What counts as long follows the slowest step so far, and is at least two minutes."""

    def __init__(self) -> None:
        self.slowest = 0.0  # seconds

    @property
    def seconds(self) -> float:
        """How long it waits now."""
        return max(SILENT_SECONDS, PATIENCE * self.slowest)

    def saw(self, seconds: float) -> None:
        """A step, or looking at held-out text, took so long."""
        self.slowest = max(self.slowest, seconds)

    def arm(self) -> None:
        """Wait from now on; whatever it waited for before is over."""
        stream = sys.__stderr__
        try:
            if stream is not None:
                faulthandler.dump_traceback_later(self.seconds, file=stream)
        except (ValueError, OSError, AttributeError):  # standard error is closed or has no descriptor
            pass

    def rest(self) -> None:
        """Wait for nothing."""
        faulthandler.cancel_dump_traceback_later()
