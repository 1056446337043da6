"""A forked child for what only another process can show: a kill, a lock held elsewhere, a limit, another user."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator

import pytest

from osnowa.files import system

OTHER_EXIT = 99  # the child's own code failed, its traceback is on standard error


def _start(body: Callable[[], int | None]) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of fork beside threads
        child = os.fork()
    if child == 0:
        code = OTHER_EXIT
        try:
            code = body() or 0
        except BaseException:  # noqa: BLE001 - the child must never run pytest's own code
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)
    return child


@pytest.fixture
def start_child() -> Iterator[Callable[[Callable[[], int | None]], int]]:
    """`start_child(body)` runs `body` in a forked child and gives its process id; no child outlives its test."""
    children: list[int] = []

    def start(body: Callable[[], int | None]) -> int:
        children.append(_start(body))
        return children[-1]

    yield start
    for child in children:
        with contextlib.suppress(ChildProcessError):  # the test has waited for it itself
            if os.waitpid(child, os.WNOHANG)[0] == 0:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


@pytest.fixture
def in_child() -> Callable[[Callable[[], int | None]], int]:
    """`in_child(body)` waits for it: the exit code that `body` returned, minus the signal that killed it, 99 if it raised."""

    def run(body: Callable[[], int | None]) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(_start(body), 0)[1])

    return run


_REAL_SYNC = system.sync


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of the syncs is what is tested; waiting for the disk some thousand times would show nothing more."""
    monkeypatch.setattr(system, "sync", lambda descriptor: None)


@pytest.fixture
def real_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the tests that show the real thing."""
    monkeypatch.setattr(system, "sync", _REAL_SYNC)
