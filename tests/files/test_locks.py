"""One run in one folder, whatever happens to the process that holds it."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from osnowa import files
from osnowa.errors import BusyError, CannotCreateError, StorageError
from osnowa.files import locks, system


def test_a_second_process_is_refused_and_told_who_works_there(tmp_path: Path, in_child: Callable[..., int]) -> None:
    parent = os.getpid()

    def body() -> int:
        with pytest.raises(BusyError) as caught:
            files.lock(tmp_path).__enter__()
        expected = (
            rf"{re.escape(str(tmp_path))}: another run works here \(pid {parent} on {re.escape(socket.gethostname())} "
            r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\); wait for it or choose another --out"
        )
        assert re.fullmatch(expected, str(caught.value))
        return caught.value.exit_code

    with files.lock(tmp_path):
        assert in_child(body) == 69


def test_a_second_lock_in_the_same_process_is_refused_too(tmp_path: Path) -> None:
    with files.lock(tmp_path), pytest.raises(BusyError, match=f"pid {os.getpid()} "):
        files.lock(tmp_path).__enter__()


def test_locks_of_other_names_and_folders_are_free(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with files.lock(tmp_path), files.lock(tmp_path / "other"), files.lock(tmp_path, "report.lock"):
        pass


@pytest.mark.parametrize("end", [None, KeyboardInterrupt, RuntimeError])
def test_the_lock_is_free_after_the_block_however_it_ends(tmp_path: Path, end: type[BaseException] | None) -> None:
    try:
        with files.lock(tmp_path):
            if end is not None:
                raise end
    except (KeyboardInterrupt, RuntimeError):
        pass
    assert (tmp_path / "run.lock").read_text() == ""
    with files.lock(tmp_path):
        assert (tmp_path / "run.lock").read_text().startswith(f"pid {os.getpid()} ")


def test_a_killed_process_holds_nothing(tmp_path: Path, start_child: Callable[..., int]) -> None:
    ready, told = os.pipe()

    def body() -> None:
        with files.lock(tmp_path):
            os.write(told, b"!")
            signal.pause()

    child = start_child(body)
    assert os.read(ready, 1) == b"!"
    with pytest.raises(BusyError, match=f"pid {child} "):
        files.lock(tmp_path).__enter__()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with files.lock(tmp_path):
        text = (tmp_path / "run.lock").read_text()
    assert f"pid {os.getpid()} " in text
    assert str(child) not in text.split(" on ")[0]


def test_a_program_started_under_the_lock_does_not_keep_it(tmp_path: Path) -> None:
    with files.lock(tmp_path):
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with files.lock(tmp_path):
            pass
    finally:
        process.communicate(b"\n")


def test_a_lock_in_a_folder_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(CannotCreateError, match=rf"RUN/run\.lock: .*nearest existing folder is {tmp_path}$"):
        files.lock(tmp_path / "RUN").__enter__()


def test_a_full_disk_refuses_the_lock_and_frees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(system, "write", full)
        with pytest.raises(StorageError, match=r"run\.lock: no space left"):
            files.lock(tmp_path).__enter__()
    with files.lock(tmp_path):
        pass


def test_a_holder_that_has_not_yet_written_its_name_is_still_a_holder(
    tmp_path: Path, in_child: Callable[..., int]
) -> None:
    def body() -> int:
        with pytest.raises(BusyError, match="an unknown process"):
            files.lock(tmp_path).__enter__()
        return 5

    with (tmp_path / "run.lock").open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert in_child(body) == 5


# --- marks on what is being written -----------------------------------------------------------------------------


def test_a_mark_is_taken_once_and_ends_with_its_block(tmp_path: Path) -> None:
    with locks.hold(tmp_path) as first, locks.hold(tmp_path) as second:
        assert (first, second) == (True, False)
    with locks.hold(tmp_path) as third:
        assert third is True


def test_what_is_gone_or_was_replaced_meanwhile_can_not_be_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with locks.hold(tmp_path / "nothing") as ours:
        assert ours is False
    path = tmp_path / "folder"
    path.mkdir()
    take = fcntl.flock

    def replaced_before(descriptor: int, operation: int) -> None:
        path.rename(tmp_path / "set aside")
        path.mkdir()
        take(descriptor, operation)

    monkeypatch.setattr(locks.fcntl, "flock", replaced_before)
    with locks.hold(path) as ours:
        assert ours is False


def test_without_locks_in_the_file_system_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks.fcntl, "flock", refuses)
    files.write(tmp_path / "file", "x")
    with files.publish(tmp_path / "cel") as work:
        files.write(work / "a", "x")
    assert files.verify(tmp_path / "cel").files.keys() == {"a"}
    with pytest.raises(StorageError, match="No locks available"):
        files.lock(tmp_path).__enter__()
