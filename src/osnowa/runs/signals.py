"""Ctrl-C and SIGTERM: the first finishes the step and saves, the second stops at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from osnowa.errors import InterruptedRun


class Interruption:
    """Which signal asked to stop, if any; call it to ask whether one did.

    While `patient` is set (training) the first signal waits for the end of the step; otherwise it stops at once.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self.patient = False

    def __call__(self) -> bool:
        return self.signal_number is not None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Remember the first signal; stop here on the second, or at once when there is nothing to save."""
        if self.signal_number is not None or not self.patient:
            raise InterruptedRun(
                "pretrain",
                "stopped",
                "what was published is whole; run the same command to go on",
                signal_number=number,
            )
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
