"""The system's errors in our words and with our exit codes, told apart by whether we were reading or writing."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from osnowa.errors import CannotCreateError, InputMissingError, OsnowaError, StorageError

# What is being written stands under such a name until it is whole; `old` only where names can't be exchanged.
LEFTOVER = re.compile(r"(?P<final>.+)\.(?P<kind>tmp|old)-(?P<number>\d+-\d+)", re.DOTALL)

_REFUSED = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_TOO_MANY = {errno.EMFILE, errno.ENFILE}
_DISK = {*_FULL, *_TOO_MANY, errno.EIO, errno.EFBIG, errno.EROFS}


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors while writing at `path` into ours: no space and I/O errors 74, not allowed 73."""
    try:
        yield
    except OSError as error:
        raise translate(error, path) from error


@contextlib.contextmanager
def reading_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors while reading `path` into ours: not there or not readable 66, I/O errors 74."""
    try:
        yield
    except OSError as error:
        raise _translate_reading(error, path) from error


@contextlib.contextmanager
def work_errors(folder: Path) -> Iterator[None]:
    """The same for a caller's own code that fills `folder`: errors of any other kind are not about files and pass."""
    try:
        yield
    except OSError as error:
        named = isinstance(error.filename, (str, bytes))
        if named and not Path(os.path.abspath(os.fsdecode(error.filename))).is_relative_to(folder.absolute()):
            raise _translate_reading(error, folder) from error
        if named or error.errno in _DISK:
            raise translate(error, folder) from error
        raise


def translate(error: OSError, path: Path) -> OsnowaError:
    """What went wrong while writing; `path` is named where the error names none."""
    where = _wanted_name(error, path)
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return StorageError(where, "no space left on the disk", "free some space and run the same command again")
    if error.errno == errno.ENOENT:
        return CannotCreateError(where, "can't be written, its folder is not there", nearest_parent(Path(where)))
    if error.errno in _REFUSED:
        return CannotCreateError(where, f"can't be written ({reason})", "choose another --out")
    return _broken(error, where)


def _translate_reading(error: OSError, path: Path) -> OsnowaError:
    where = _wanted_name(error, path)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return InputMissingError(where, "no such file or folder", nearest_parent(Path(where)))
    if error.errno in _REFUSED:
        return InputMissingError(where, f"can't be read ({error.strerror})", "check its permissions")
    return _broken(error, where)


def _broken(error: OSError, where: str) -> StorageError:
    if error.errno in _TOO_MANY:
        return StorageError(where, "too many open files", "close other programs or raise `ulimit -n`")
    if error.errno == errno.EFBIG:
        return StorageError(where, "is larger than this disk or `ulimit -f` allows", "choose another --out")
    return StorageError(where, f"input/output error ({error.strerror or error})", "check the disk and run again")


def _wanted_name(error: OSError, path: Path) -> str:
    """The path as the user knows it, without the name of the work folder."""
    name = Path(os.fsdecode(error.filename)) if isinstance(error.filename, (str, bytes)) else path
    parts = [found["final"] if (found := LEFTOVER.fullmatch(part)) else part for part in name.parts]
    return str(Path(*parts))


def nearest_parent(path: Path) -> str:
    """'the nearest existing folder is ...', for messages about missing paths."""
    for parent in path.absolute().parents:
        if os.path.isdir(parent):
            return f"the nearest existing folder is {parent}"
    return ""
