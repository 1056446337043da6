"""The system's calls that change the disk, one function each, called as `system.NAME` so that a test can replace it."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h


def create(path: Path) -> int:
    """A descriptor of a new, empty file."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)


def append(path: Path) -> int:
    """A descriptor that reads anywhere and writes at the end; the file is made when it is not there."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)


def write(descriptor: int, data: memoryview) -> int:
    """How many of the bytes were written: fewer than asked when the disk is about to be full."""
    return os.write(descriptor, data)


def truncate(descriptor: int, size: int) -> None:
    os.ftruncate(descriptor, size)


def sync(descriptor: int) -> None:
    os.fsync(descriptor)


def rename(old: Path, new: Path) -> None:
    os.rename(old, new)


def exchange(one: Path, other: Path) -> None:
    """Two names swap what they stand for, in one step (renameat2 of Linux; Python has no name for it).

    Raises:
        OSError: ENOSYS, EINVAL or EOPNOTSUPP where the system or the file system can't.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), str(one))
    if library.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one))


def make_folder(path: Path) -> None:
    os.mkdir(path)


def unlink(path: Path) -> None:
    os.unlink(path)


def remove_folder(path: Path) -> None:
    """An empty folder is gone."""
    os.rmdir(path)
