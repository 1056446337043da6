"""One process at a time: a lock on a folder, and a mark on what is being written that ends with its writer."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from osnowa.errors import BusyError
from osnowa.files import system
from osnowa.files.failures import storage_errors


@contextlib.contextmanager
def lock(folder: Path, name: str = "run.lock", *, where: Path | None = None) -> Iterator[None]:
    """Hold `folder` for this process; the system frees it however the process ends.

    The holder may remove `folder` before the end of the block. `where` is what the error names instead of it.

    Raises:
        BusyError: another process holds it; names its pid, host and start time.
        StorageError, CannotCreateError: the lock can't be written.
    """
    path = folder / name
    with storage_errors(path):
        descriptor = system.append(path)
    try:
        with storage_errors(path):
            if not _take(descriptor, path):
                holder = os.pread(descriptor, 500, 0).decode(errors="replace").strip() or "an unknown process"
                raise BusyError(
                    str(where or folder), f"another run works here ({holder})", "wait for it or choose another --out"
                )
            text = f"pid {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}"
            system.truncate(descriptor, 0)
            system.write(descriptor, memoryview(text.encode()))
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # the next one to be refused must not read of us
                system.truncate(descriptor, 0)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def hold(path: Path) -> Iterator[bool]:
    """Mark the file or folder at `path` as in work until the block ends or the process dies, however it dies.

    Yields False when another process works on it, or it is gone. Where the file system has no locks nothing can be
    marked, and it yields True: then only the lock of the run keeps others away.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:  # a link can't be marked, nor can anything when handles are used up
        yield error.errno != errno.ENOENT
        return
    try:
        yield _mark(descriptor, path)
    finally:
        os.close(descriptor)


def _mark(descriptor: int, path: Path) -> bool:
    try:
        return _take(descriptor, path)
    except OSError:
        return True


def _take(descriptor: int, path: Path) -> bool:
    """Lock an open file; False when another process holds it or has put another one at `path` or removed it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
