"""The only module that writes, syncs, renames or deletes: atomic publish, checksums, locks.

A folder is published whole or not at all: its files are written into `NAME.tmp-PID`, synced, listed with size and
SHA-256 in `MANIFEST.json` (which carries its own hash), and renamed. A folder without a sound manifest is not there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from osnowa.errors import BusyError, CannotCreateError, DamagedError, InputMissingError, OsnowaError, StorageError

MANIFEST = "MANIFEST.json"
FORMAT_VERSION = 1
_BLOCK = 1 << 20


# --- failures ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors at `path` into ours: no space and I/O errors 74, no permission to create 73."""
    try:
        yield
    except OSError as error:
        raise translate(error, path) from error


def translate(error: OSError, path: Path) -> OsnowaError:
    where = str(error.filename or path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(where, "no space left on the disk", "free some space and run the same command again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return CannotCreateError(where, f"can't be written ({os.strerror(error.errno)})", "choose another --out")
    if error.errno == errno.ENOENT:
        return InputMissingError(where, "no such file or folder", nearest_parent(Path(where)))
    return StorageError(where, f"input/output error ({error.strerror or error})", "check the disk and run again")


def nearest_parent(path: Path) -> str:
    """'the nearest existing folder is ...', for messages about missing paths."""
    for parent in path.absolute().parents:
        if parent.is_dir():
            return f"the nearest existing folder is {parent}"
    return ""


# --- single files -----------------------------------------------------------------------------------------------


def _sync(handle: IO[Any]) -> None:
    handle.flush()
    os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(path: Path, content: bytes | str) -> None:
    """Replace `path` by `content` atomically: a reader sees the old file or the new one, never a part.

    Raises:
        StorageError, CannotCreateError: the old file is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    with storage_errors(path):
        try:
            with temporary.open("wb") as handle:
                handle.write(data)
                _sync(handle)
            temporary.replace(path)
            sync_folder(path.parent)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def write_json(path: Path, value: object) -> None:
    write(path, json_text(value))


def json_text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def open_new(path: Path) -> BinaryIO:
    """A new binary file to stream into; for work folders and inside `publish` (which syncs it)."""
    with storage_errors(path):
        return path.open("wb", buffering=_BLOCK)


def open_append(path: Path) -> BinaryIO:
    """An append-only, unbuffered file, for logs of lines."""
    with storage_errors(path):
        return path.open("ab", buffering=0)


def save_tensors(path: Path, tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Torch tensors as a safetensors file; call it inside `publish`. Sorted by name, so equal tensors give equal bytes."""
    from safetensors.torch import save_file

    ordered = {name: tensors[name].detach().contiguous().cpu() for name in sorted(tensors)}
    with storage_errors(path):
        try:
            save_file(ordered, str(path), metadata={"format": "pt", **(metadata or {})})
        except Exception as error:  # safetensors wraps the system's error in its own class
            if "No space left" in str(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
            raise StorageError(str(path), f"can't be written ({error})") from error


def make_folder(path: Path) -> Path:
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def remove(path: Path) -> None:
    """Delete a file or a whole folder; what is not there is fine."""
    with storage_errors(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


# --- published folders ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Manifest:
    """What a published folder must hold: `{name: (size in bytes, sha256)}` and the publisher's own facts."""

    files: dict[str, tuple[int, str]]
    facts: dict[str, Any]


@contextlib.contextmanager
def publish(final: Path, facts: Mapping[str, Any] | None = None) -> Iterator[Path]:
    """Yield a work folder; when the block ends well it becomes `final`, with a manifest, synced; else nothing stays.

    `facts` (JSON) go into the manifest. An existing `final` is replaced only after the new one is whole.

    Raises:
        StorageError, CannotCreateError: `final` is as it was.
    """
    temporary = final.with_name(f"{final.name}.tmp-{os.getpid()}")
    with storage_errors(final):
        make_folder(final.parent)
        if temporary.exists():
            shutil.rmtree(temporary)
        temporary.mkdir()
        try:
            yield temporary
            seal(temporary, facts or {})
            _swap(temporary, final)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def seal(folder: Path, facts: Mapping[str, Any]) -> None:
    """Sync every file in `folder` and write its manifest."""
    files: dict[str, list[Any]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST):
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
        files[path.relative_to(folder).as_posix()] = [path.stat().st_size, sha256(path)]
    body = {"format": FORMAT_VERSION, "files": files, "facts": dict(facts)}
    body["own"] = _own_hash(body)
    with (folder / MANIFEST).open("wb") as handle:
        handle.write(json_text(body).encode())
        _sync(handle)
    for child in folder.rglob("*"):
        if child.is_dir():
            sync_folder(child)
    sync_folder(folder)


def _swap(temporary: Path, final: Path) -> None:
    if final.exists():
        old = final.with_name(f"{final.name}.old-{os.getpid()}")
        final.rename(old)
        temporary.rename(final)
        sync_folder(final.parent)
        shutil.rmtree(old, ignore_errors=True)
    else:
        temporary.rename(final)
        sync_folder(final.parent)


def _own_hash(body: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in body.items() if key != "own"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a published folder, checked against its own hash.

    Raises:
        DamagedError: missing, unreadable or altered.
        SettingsError: written by a newer version of osnowa.
    """
    path = folder / MANIFEST
    try:
        body = json.loads(path.read_bytes())
        version, own, files = body["format"], body["own"], body["files"]
    except FileNotFoundError:
        raise DamagedError(str(folder), f"has no {MANIFEST}, so it was never finished", "it is not used") from None
    except (ValueError, KeyError, TypeError):
        raise DamagedError(str(path), "is damaged", "it is not used") from None
    if isinstance(version, int) and version > FORMAT_VERSION:
        from osnowa.errors import SettingsError

        raise SettingsError(
            str(folder), f"has format {version}, this osnowa reads up to {FORMAT_VERSION}", "use the newer osnowa"
        )
    if own != _own_hash(body):
        raise DamagedError(str(path), "does not match its own checksum", "it is not used")
    return Manifest({name: (int(size), str(digest)) for name, (size, digest) in files.items()}, body["facts"])


def verify(folder: Path) -> Manifest:
    """Check every file of a published folder against its manifest; extra files are errors too.

    Raises:
        DamagedError: names the first file that is missing, extra, or differs in size or SHA-256.
    """
    manifest = read_manifest(folder)
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST}
    for extra in sorted(present - manifest.files.keys()):
        raise DamagedError(str(folder / extra), "is not in the manifest", "remove it")
    for name, (size, digest) in manifest.files.items():
        path = folder / name
        if name not in present:
            raise DamagedError(str(path), "is missing", "")
        if path.stat().st_size != size:
            raise DamagedError(str(path), f"has {path.stat().st_size} bytes, the manifest says {size}", "")
        if sha256(path) != digest:
            raise DamagedError(str(path), "does not match its SHA-256", "")
    return manifest


def clean_leftovers(folder: Path) -> list[str]:
    """Remove what killed processes left behind in `folder`, finishing a swap that was cut short; the names removed."""
    removed = []
    for path in sorted(folder.glob("*.old-*")):
        final = path.with_name(path.name.rsplit(".old-", 1)[0])
        if not final.exists():  # killed between the two renames: the old one is whole, the new one may be too
            fresh = [p for p in folder.glob(f"{final.name}.tmp-*") if (p / MANIFEST).exists()]
            (fresh[0] if fresh else path).rename(final)
    for path in sorted([*folder.glob("*.tmp-*"), *folder.glob("*.old-*")]):
        remove(path)
        removed.append(path.name)
    return removed


# --- locks ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def lock(folder: Path, name: str = "run.lock") -> Iterator[None]:
    """Hold `folder` for this process; the system frees it however the process ends.

    Raises:
        BusyError: another process holds it; names its pid, host and start time.
    """
    path = folder / name
    with storage_errors(path):
        handle = path.open("a+b")
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read(500).decode(errors="replace").strip() or "an unknown process"
            raise BusyError(
                str(folder), f"another run works here ({holder})", "wait for it or choose another --out"
            ) from None
        handle.truncate(0)
        handle.write(f"pid {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}".encode())
        handle.flush()
        yield
    finally:
        handle.close()


# --- reading ----------------------------------------------------------------------------------------------------


def read_json(path: Path) -> Any:
    """A JSON file of ours.

    Raises:
        InputMissingError, DamagedError
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputMissingError(str(path), "no such file", nearest_parent(path)) from None
    except ValueError as error:
        raise DamagedError(str(path), f"is not readable JSON ({error})") from None


def free_bytes(folder: Path) -> int:
    """Free space where `folder` is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


class LineLog:
    """An append-only file of JSON lines that never stops the work: a full disk is reported once and training goes on."""

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self.path, self.warn, self.broken = path, warn, False

    def append(self, record: Mapping[str, Any]) -> None:
        try:
            with open_append(self.path) as handle:
                handle.write((json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n").encode())
            self.broken = False
        except OsnowaError as error:
            if not self.broken:
                self.warn(f"{error} (training goes on; lines are lost until this is mended)")
            self.broken = True

    def keep(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Rewrite the log with the lines for which `wanted` is true (a resumed run drops what it will repeat)."""
        if not self.path.exists():
            return
        lines = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):  # a line torn by a kill
                if wanted(json.loads(line)):
                    lines.append(line + "\n")
        write(self.path, "".join(lines))
