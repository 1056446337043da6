"""Folders that are there whole or not at all, with a manifest of sizes and checksums that says so."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osnowa.errors import CannotCreateError, DamagedError, OsnowaError, SettingsError
from osnowa.files import system
from osnowa.files.failures import LEFTOVER, reading_errors, storage_errors, work_errors
from osnowa.files.locks import hold
from osnowa.files.sealed import own_hash, sealed_text
from osnowa.files.single import (
    make_folder,
    open_new,
    place,
    remove,
    sha256,
    sync_folder,
    walk,
    work_place,
)

MANIFEST = "MANIFEST.json"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Manifest:
    """What a published folder must hold: `{name: (size in bytes, sha256)}` and the publisher's own facts."""

    files: dict[str, tuple[int, str]]
    facts: dict[str, Any]


# --- publishing -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def publish(final: Path, facts: Mapping[str, Any] | None = None) -> Iterator[Path]:
    """Yield a work folder; when the block ends well it becomes `final`, with a manifest, synced; else nothing stays.

    `facts` (JSON) go into the manifest. An existing `final` is replaced in one step after the new one is whole. A
    `final` that is a symbolic link is replaced itself; what it points to is not touched.

    Raises:
        StorageError, CannotCreateError: `final` is as it was; also when it holds files that are not ours.
        InputMissingError: the block could not read one of its inputs.
    """
    with storage_errors(final):
        _refuse_strangers(final)
        make_folder(final.parent)
    with contextlib.ExitStack() as stack:
        with storage_errors(final):
            temporary = stack.enter_context(work_place(final, system.make_folder))
        with work_errors(temporary):
            yield temporary
        with storage_errors(final):
            seal(temporary, facts or {})
            _refuse_strangers(final, {path.name for path in walk(temporary)})
            place(temporary, final)


def seal(folder: Path, facts: Mapping[str, Any]) -> None:
    """Sync every file in `folder` and write its manifest."""
    files: dict[str, list[Any]] = {}
    folders = [folder]
    for path in walk(folder):
        assert not path.is_symlink(), f"{path} is a link: it would be published without its content"
        if path.is_dir():
            folders.append(path)
        elif path != folder / MANIFEST:
            with path.open("rb") as handle:
                system.sync(handle.fileno())
            files[path.relative_to(folder).as_posix()] = [path.stat().st_size, sha256(path)]
    with open_new(folder / MANIFEST) as handle:
        handle.write(sealed_text({"format": FORMAT_VERSION, "files": files, "facts": dict(facts)}).encode())
        handle.flush()
        system.sync(handle.fileno())
    for path in reversed(folders):
        sync_folder(path)


def _refuse_strangers(final: Path, coming: set[str] | None = None) -> None:
    """A file, or a folder that osnowa did not write, is never replaced; a folder of ours without manifest may be."""
    if final.is_symlink() or not final.exists():
        return
    if not final.is_dir():
        raise CannotCreateError(str(final), "is a file, not a folder", "choose another --out")
    if coming is not None and not (final / MANIFEST).exists():
        for path in walk(final):
            if path.name not in coming:
                raise CannotCreateError(
                    str(final), f"holds {path.name!r}, which osnowa did not write", "choose another --out"
                )


# --- checking ---------------------------------------------------------------------------------------------------


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a published folder, checked against its own hash.

    Raises:
        DamagedError: missing, unreadable or altered.
        SettingsError: written by a newer version of osnowa.
    """
    path = folder / MANIFEST
    damaged = DamagedError(str(path), "is damaged or was altered", f"{folder.name} is not used")
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise DamagedError(str(folder), f"has no {MANIFEST}, so it was never finished", "it is not used") from None
    except OSError as error:
        raise DamagedError(str(path), f"can't be read ({error.strerror})", f"{folder.name} is not used") from error
    try:
        body = json.loads(content)
        if body["own"] != own_hash(body):  # first: a flipped bit in "format" must not pass for a newer version
            raise damaged
        if body["format"] != FORMAT_VERSION:
            raise SettingsError(
                str(folder),
                f"has format {body['format']}, this osnowa reads up to {FORMAT_VERSION}",
                "use the osnowa that wrote it, or a newer one",
            )
        manifest = Manifest(
            {name: (int(size), str(digest)) for name, (size, digest) in body["files"].items()},
            {**body["facts"]},
        )
        whole = sealed_text(body).encode() == content  # also its white space
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise damaged from None
    if not whole:
        raise damaged
    return manifest


def verify(folder: Path) -> Manifest:
    """Check every file of a published folder against its manifest; extra files are errors too.

    Raises:
        DamagedError: names the first file that is missing, extra, unreadable, or differs in size or SHA-256.
        SettingsError: written by a newer version of osnowa.
    """
    manifest = read_manifest(folder)
    present = set()
    with reading_errors(folder):
        content = list(walk(folder))
    for path in content:
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise DamagedError(str(path), "is not a plain file", "remove it")
        if path.is_file() and name != MANIFEST:
            if name not in manifest.files:
                raise DamagedError(str(path), "is not in the manifest", "remove it")
            present.add(name)
    for name, (size, digest) in manifest.files.items():
        path = folder / name
        if name not in present:
            raise DamagedError(str(path), "is missing", f"{folder.name} is not used")
        try:
            with reading_errors(path):
                found = path.stat().st_size
            same = found == size and sha256(path) == digest
        except OsnowaError as error:  # a bad sector is damage, too
            raise DamagedError(str(path), error.what, f"{folder.name} is not used") from error
        if found != size:
            what = f"has {found} bytes, the manifest says {size}"
            raise DamagedError(str(path), what, f"{folder.name} is not used")
        if not same:
            raise DamagedError(str(path), "does not match its SHA-256", f"{folder.name} is not used")
    return manifest


# --- after a kill -----------------------------------------------------------------------------------------------


def clean_leftovers(folder: Path) -> list[str]:
    """Remove what killed processes left behind in `folder` and below, finishing swaps that were cut short.

    What a living process is writing stays, and so does every name that is not exactly one that osnowa gives. Published
    folders are not searched: nothing is ever half-written in them. Gives the names removed, relative to `folder`.

    Raises:
        StorageError, CannotCreateError: something can't be removed.
    """
    if not folder.is_dir():
        return []
    with storage_errors(folder):
        removed = _clean_here(folder)
        inner = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.is_symlink()]
    for path in inner:
        if not LEFTOVER.fullmatch(path.name) and not (path / MANIFEST).exists():
            removed += [f"{path.name}/{name}" for name in clean_leftovers(path)]
    return removed


def _clean_here(folder: Path) -> list[str]:
    removed = []
    with contextlib.ExitStack() as stack:
        leftovers = [match for name in sorted(os.listdir(folder)) if (match := LEFTOVER.fullmatch(name))]
        ours = {match[0]: stack.enter_context(hold(folder / match[0])) for match in leftovers}
        in_work = {match["final"] for match in leftovers if not ours[match[0]]}
        idle = [match for match in leftovers if match["final"] not in in_work]
        for match in idle:
            if match["kind"] == "old" and not os.path.lexists(folder / match["final"]):
                fresh = folder / f"{match['final']}.tmp-{match['number']}"
                _finish_swap(folder / match[0], fresh, folder / match["final"])
        for match in idle:
            if os.path.lexists(folder / match[0]):
                remove(folder / match[0])
                removed.append(match[0])
    return removed


def _finish_swap(old: Path, fresh: Path, final: Path) -> None:
    """Killed between two renames: `old` is whole, and `fresh` too unless it was not the one that was to follow."""
    try:
        verify(fresh)
        chosen = fresh
    except (DamagedError, SettingsError):
        chosen = old
    try:
        system.rename(chosen, final)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST):  # another process was faster
            raise
    sync_folder(final.parent)
