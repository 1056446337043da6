"""Single files and folders: replaced whole, streamed, read, removed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from osnowa.errors import DamagedError
from osnowa.files import system
from osnowa.files.failures import LEFTOVER, reading_errors, storage_errors
from osnowa.files.locks import hold

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

BLOCK = 1 << 20
# What a file system says that does not know the call at all (network folders, some overlays).
_UNKNOWN_CALL = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)


# --- writing ----------------------------------------------------------------------------------------------------


class _File(io.FileIO):
    """An open file that writes through `system`, all bytes or an OSError that names the file."""

    def __init__(self, path: Path, descriptor: int, mode: str) -> None:
        super().__init__(descriptor, mode)
        self.path = path

    def write(self, data: ReadableBuffer, /) -> int:
        view, done = memoryview(data).cast("B"), 0
        try:
            while done < len(view):
                done += system.write(self.fileno(), view[done:])
        except OSError as error:
            error.filename = str(self.path)
            raise
        return done


class _NewFile(_File):
    def write(self, data: ReadableBuffer, /) -> int:
        with storage_errors(self.path):
            return super().write(data)


class _AppendedFile(_File):
    def write(self, data: ReadableBuffer, /) -> int:
        end = self.seek(0, os.SEEK_END)
        try:
            return super().write(data)
        except OSError:
            with contextlib.suppress(OSError):
                system.truncate(self.fileno(), end)
            raise


def open_new(path: Path) -> BinaryIO:
    """A new binary file to stream into; for work folders and inside `publish` (which syncs it).

    Raises:
        StorageError, CannotCreateError: here, and whenever something is written or at the end.
    """
    with storage_errors(path):
        return cast(BinaryIO, io.BufferedWriter(_NewFile(path, system.create(path), "wb"), BLOCK))


def open_append(path: Path) -> BinaryIO:
    """An append-only, unbuffered file, for logs: a write is there whole, or not at all and raises OSError.

    Raises:
        StorageError, CannotCreateError: it can't be opened.
    """
    with storage_errors(path):
        return cast(BinaryIO, _AppendedFile(path, system.append(path), "ab"))


def write(path: Path, content: bytes | str) -> None:
    """Replace `path` by `content`; as `replacing`."""
    with replacing(path) as handle:
        handle.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary file to stream into, which becomes `path` atomically when the block ends well; else nothing stays.

    A reader sees the old file or the new one, never a part. A symbolic link is replaced, what it points to is not
    touched. One writer for one path at a time. An OSError of the block counts as one of writing.

    Raises:
        StorageError, CannotCreateError: the old file is untouched (only where names can't be exchanged, and the folder
            can't be synced, it may be the new one, whole).
    """
    with storage_errors(path):
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        with work_place(path, _make_file) as temporary, open_new(temporary) as handle:
            yield handle
            handle.flush()
            system.sync(handle.fileno())
            place(temporary, path)


def _make_file(path: Path) -> None:
    os.close(system.create(path))


def write_json(path: Path, value: object) -> None:
    """`value` as indented JSON; as `write`."""
    write(path, json_text(value))


def json_text(value: object) -> str:
    """JSON with letters as they are; halves of surrogates (from file names that are not UTF-8) as escapes."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()


# --- putting in place -------------------------------------------------------------------------------------------


_NUMBERS = itertools.count(1)


@contextlib.contextmanager
def work_place(final: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """A new path beside `final`, made by `make` and marked as in work; what is there at the end is removed.

    Its name is `NAME.tmp-PID-NUMBER` and never used again, so that nobody who cleans up can take one for another.
    """
    for number in _NUMBERS:
        temporary = beside(final, number)
        try:
            make(temporary)
        except FileExistsError:  # of a dead process that had our id
            continue
        with hold(temporary) as ours:
            if ours:
                try:
                    yield temporary
                finally:
                    discard(temporary)
                return


def beside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.tmp-{os.getpid()}-{number}")


def place(temporary: Path, final: Path) -> None:
    """Put `temporary` at `final` in one step; what was there is then at `temporary` (a replaced file may be gone).

    When the folder can't be synced afterwards, the step is taken back and the error raised: the save failed.
    """
    with hold(final):  # so that nobody clears away what was there before the step is safe
        replacing = os.path.lexists(final)
        if replacing:
            _exchange(temporary, final)
        else:
            system.rename(temporary, final)
        try:
            sync_folder(final.parent)
        except OSError:
            with contextlib.suppress(OSError):
                if not replacing:
                    system.rename(final, temporary)
                elif os.path.lexists(temporary):
                    _exchange(temporary, final)
            raise


def _exchange(one: Path, other: Path) -> None:
    try:
        system.exchange(one, other)
    except OSError as error:
        if error.errno not in _UNKNOWN_CALL:
            raise
        if not one.is_dir():
            system.rename(one, other)  # a file replaces a file in one step everywhere
            return
        old = one.with_name(".old-".join(one.name.rsplit(".tmp-", 1)))
        system.rename(other, old)
        try:  # killed between these two: clean_leftovers takes the second step
            system.rename(one, other)
        except OSError:
            system.rename(old, other)
            raise
        with contextlib.suppress(OSError):  # else it stays for clean_leftovers
            system.rename(old, one)


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        system.sync(descriptor)
    except OSError as error:
        if error.errno not in _UNKNOWN_CALL:
            raise
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> Path:
    """`path` and what is missing above it, synced into their parents.

    Raises:
        StorageError, CannotCreateError
    """
    with storage_errors(path):
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            with contextlib.suppress(FileExistsError):  # another process was faster
                system.make_folder(folder)
            sync_folder(folder.parent)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    return path


# --- removing ---------------------------------------------------------------------------------------------------


def remove(path: Path) -> None:
    """Delete a file or a whole folder; what is not there is fine.

    A folder is renamed first, so that a half-deleted one is never taken for a damaged one.

    Raises:
        StorageError, CannotCreateError
    """
    with storage_errors(path):
        doomed = path
        if path.is_dir() and not path.is_symlink() and not LEFTOVER.fullmatch(path.name):
            doomed = beside(path, next(_NUMBERS))
            with contextlib.suppress(FileNotFoundError):
                system.rename(path, doomed)
        remove_tree(doomed)


def remove_tree(path: Path) -> None:
    """What stands at `path`, links not followed; others may be deleting the same at the same time."""
    with contextlib.suppress(FileNotFoundError):
        if path.is_symlink() or not path.is_dir():
            system.unlink(path)
            return
        with os.scandir(path) as entries:
            children = sorted(Path(entry.path) for entry in entries)
        for child in children:
            remove_tree(child)
        system.remove_folder(path)


def discard(path: Path) -> None:
    """`remove_tree` that must not hide a better error; what stays is for `clean_leftovers`."""
    with contextlib.suppress(OSError):
        remove_tree(path)


# --- reading ----------------------------------------------------------------------------------------------------


def walk(folder: Path) -> Iterator[Path]:
    """Everything inside `folder`, sorted, a folder before its content; links are not followed."""
    with os.scandir(folder) as entries:
        children = sorted(Path(entry.path) for entry in entries)
    for child in children:
        yield child
        if child.is_dir() and not child.is_symlink():
            yield from walk(child)


def sha256(path: Path) -> str:
    """Raises: InputMissingError, StorageError."""
    digest = hashlib.sha256()
    with reading_errors(path), path.open("rb") as handle:
        while block := handle.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def read_json(path: Path) -> Any:
    """A JSON file of ours.

    Raises:
        InputMissingError, StorageError: it can't be read.
        DamagedError: it is not JSON.
    """
    with reading_errors(path):
        content = path.read_bytes()
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DamagedError(str(path), f"is not readable JSON ({error})") from None


def free_bytes(folder: Path) -> int:
    """Free space where `folder` is, or will be."""
    with storage_errors(folder):
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free
