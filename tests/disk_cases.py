"""Ways to write that the crash and the fault tests go through: how it was before, the act, what a reader finds."""

from __future__ import annotations

import errno
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from osnowa import files
from osnowa.files import system

CALLS = [name for name, _ in inspect.getmembers(system, inspect.isfunction) if not name.startswith("_")]
Content = dict[str, bytes]
OLD: Content = {"a.txt": b"old", "weights.bin": b"\x01" * 3000}
NEW: Content = {"a.txt": b"new, and longer", "weights.bin": b"\x02" * 5000, "deep/er/c.json": b'{"c": 1}\n'}


def publish(final: Path, content: Content) -> None:
    """In the ways that the rooms use: streamed, and written whole."""
    with files.publish(final, {"step": len(content)}) as work:
        for name, data in content.items():
            files.make_folder((work / name).parent)
            if name.endswith(".bin"):
                with files.open_new(work / name) as handle:
                    handle.write(data)
            else:
                files.write(work / name, data)


def published(final: Path) -> Content | None:
    """What a reader finds: None when there is nothing, an error when there is something half."""
    if not os.path.lexists(final):
        return None
    return {name: (final / name).read_bytes() for name in files.verify(final).files}


def read(path: Path) -> Content | None:
    return {"": path.read_bytes()} if path.exists() else None


def no_exchange(one: Path, other: Path) -> None:
    raise OSError(errno.EINVAL, "this file system has no exchange", str(one))


@dataclass(frozen=True)
class Case:
    """`act` leads from `old` to `new` content, as `read` sees them."""

    act: Callable[[Path], object]
    read: Callable[[Path], Content | None]
    old: Content | None
    new: Content | None
    exchange: bool = True
    can_undo: bool = True  # a file that replaced another without exchange stays, whole, when the folder can't be synced
    fewest_points: int = 4

    def prepare(self, target: Path) -> None:
        if self.old is not None:
            if self.read is read:
                target.write_bytes(self.old[""])
            else:
                publish(target, self.old)


def _write(path: Path) -> None:
    files.write(path, "new")


def _publish(path: Path) -> None:
    publish(path, NEW)


CASES = {
    "write": Case(_write, read, None, {"": b"new"}),
    "write again": Case(_write, read, {"": b"old"}, {"": b"new"}),
    "write again, no exchange": Case(_write, read, {"": b"old"}, {"": b"new"}, exchange=False, can_undo=False),
    "publish": Case(_publish, published, None, NEW, fewest_points=25),
    "publish again": Case(_publish, published, OLD, NEW, fewest_points=30),
    "publish again, no exchange": Case(_publish, published, OLD, NEW, exchange=False, fewest_points=30),
    "remove": Case(files.remove, published, NEW, None, fewest_points=6),
}
