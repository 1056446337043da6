"""The progress of a preparation: one bar per phase, in the look of the training's bar."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, Self, TextIO

from osnowa.train.screen import Screen, duration


class Moving(Protocol):
    """How far a phase of the preparation is."""

    @property
    def phase(self) -> str: ...
    @property
    def done(self) -> int | float: ...
    @property
    def total(self) -> int | float | None: ...
    @property
    def unit(self) -> str: ...


class PhaseBar:
    """The progress of a preparation, one bar per phase; pass the object itself where a progress function is asked."""

    def __init__(
        self, *, quiet: bool = False, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.screen, self.clock = Screen(stream, quiet=quiet, clock=clock), clock
        self._last: Moving | None = None
        self._start = clock()

    def __call__(self, progress: Moving) -> None:
        """`progress` has `phase`, `done`, `total` (None or 0: not known) and `unit`."""
        if self._last is not None and self._last.phase != progress.phase:
            self._finish()
        if self._last is None:
            self._start = self.clock()
        self._last = progress
        if self.screen.due():
            self._show()

    def _show(self) -> None:
        assert self._last is not None
        last = self._last
        count = amount(last.done, last.total, last.unit)
        spent = self.clock() - self._start
        left = ""
        if last.total and 0 < last.done < last.total and spent > 1:
            left = f"{duration(spent / last.done * (last.total - last.done))} left"
        self.screen.show(
            name=last.phase,
            done=last.done,
            total=last.total or None,
            fields=lambda narrow: {"count": count, "clock": left if narrow else f"{left}  {duration(spent)}".strip()},
            line=f"{last.phase}: {count}" + (f", {left}" if left else ""),
        )

    def _finish(self) -> None:
        if self._last is not None:
            self._show()
            self.screen.finish_task()
        self._last = None

    def close(self) -> None:
        self._finish()
        self.screen.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def amount(done: float, total: float | None, unit: str) -> str:
    """'120/812 files', '3.4/14.2 MB', '120 files' where the total is not known."""
    divisor, word, digits = (1e6, "MB", 1) if unit in ("byte", "bytes") else (1, unit, 0)
    parts = [f"{part / divisor:,.{digits}f}" for part in ((done, total) if total else (done,))]
    return f"{'/'.join(parts)} {word}".rstrip()
