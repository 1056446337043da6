"""Ctrl-C and SIGTERM: the first finishes the step and saves, the second stops at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Interruption:
    """Which signal asked to stop, if any; call it to ask whether one did."""

    def __init__(self) -> None:
        self.signal_number: int | None = None

    def __call__(self) -> bool:
        return self.signal_number is not None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """First signal: remember. Second: stop here; the last checkpoint is whole."""
        if self.signal_number is not None:
            raise KeyboardInterrupt
        self.signal_number = number


@contextlib.contextmanager
def listening() -> Iterator[Interruption]:
    """Catch SIGINT and SIGTERM while the block runs, and let a closed terminal (SIGHUP) pass.

    Only the main thread may; elsewhere nothing is caught.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGINT, interruption.handle)
        signal.signal(signal.SIGTERM, interruption.handle)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
