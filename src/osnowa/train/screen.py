"""Progress on standard error: a live bar on a terminal, plain lines elsewhere, silence once nobody can read it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

LINE_SECONDS = 5.0  # between two plain lines
FRAME_SECONDS = 0.25  # between two frames of the bar; one takes about 2 ms, so under 1 % of the time
NARROW = 72  # columns; below it the bar shows less


class Sink:
    """A text stream that goes quiet when it breaks (terminal closed, pipe broken, disk full) instead of raising."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.broken = stream, False
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        if not self.broken:
            try:
                try:
                    self.stream.write(text)
                except UnicodeEncodeError:
                    self.stream.write(text.encode("ascii", "replace").decode())
            except (OSError, ValueError):  # ValueError: the stream was closed
                self.broken = True
        return len(text)

    def flush(self) -> None:
        if not self.broken:
            try:
                self.stream.flush()
            except (OSError, ValueError):
                self.broken = True

    def isatty(self) -> bool:
        try:
            return not self.broken and self.stream.isatty()
        except (OSError, ValueError):
            return False


class Screen:
    """Either a bar or plain lines: `show` what moves, `say` what stays.

    A caller gives `show` the same line in two shapes: fields for the bar and a function for the plain line, which is
    called only when a line is due.
    """

    def __init__(
        self, stream: TextIO | None = None, *, quiet: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.sink = Sink(stream if stream is not None else sys.stderr)
        self.quiet, self.clock = quiet, clock
        self._next = -float("inf")  # when the next frame or line is due
        self._line = ""  # the last plain one
        self._console: Console | None = None
        self._progress: Progress | None = None
        self._task: Any = None
        if not quiet and self.sink.isatty():
            self._open_bar()

    @property
    def live(self) -> bool:
        return self._progress is not None

    def _open_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        plain: dict[str, Any] = {"markup": False}  # "[MASK]" is text, not a style
        columns = [
            TextColumn("{task.description}", style="bold", **plain),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[count]}", justify="right", **plain),
            TextColumn("{task.fields[detail]}", style="cyan", **plain),
            TextColumn("{task.fields[clock]}", style="dim", justify="right", **plain),
        ]
        self._console = Console(file=self.sink, highlight=False)  # type: ignore[arg-type]
        # No refresh thread: it would take the interpreter from the training at moments of its own.
        self._progress = Progress(
            *columns,
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            expand=True,
        )

    def due(self) -> bool:
        """Whether a new frame or line would be shown now."""
        return not self.quiet and not self.sink.broken and self.clock() >= self._next

    def show(
        self, *, name: str, done: float, total: float | None, fields: Callable[[bool], dict[str, str]], line: str
    ) -> None:
        """Draw the bar with `fields(narrow)`, or print `line` where there is no bar. Ask `due` first, or show at once."""
        if self.quiet or self.sink.broken:
            return
        self._next = self.clock() + (FRAME_SECONDS if self._progress else LINE_SECONDS)
        if self._progress is None:
            if line != self._line:
                self._line = line
                self._print(line)
            return
        values: dict[str, Any] = {
            "count": "",
            "detail": "",
            "clock": "",
            **fields(self._progress.console.width < NARROW),
        }
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task(name, total=total, **values)
            self._progress.update(self._task, completed=done)
        else:
            self._progress.update(self._task, description=name, completed=done, total=total, **values)
        self._progress.refresh()

    def say(self, text: str, *, even_if_quiet: bool = False) -> None:
        """A line that stays, above the bar if there is one."""
        if self.quiet and not even_if_quiet:
            return
        if self._console is not None:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            self._print(text)

    def _print(self, text: str) -> None:
        self.sink.write(text + "\n")
        self.sink.flush()

    def finish_task(self) -> None:
        """Leave the bar as it stands and begin a new one with the next `show`."""
        self._next = -float("inf")
        if self._progress is not None and self._task is not None:
            self._progress.refresh()
            self._progress.stop()
            self._task = None
            self._open_bar()

    def close(self) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.stop()
            self._task = None


def duration(seconds: float) -> str:
    """Seconds as a clock: '0:07', '2:10', '1:02:10'."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
