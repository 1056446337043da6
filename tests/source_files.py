"""The repository's own files, as the tests of the house rules read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_NOT_OURS = {".git", "__pycache__", "node_modules", "runs", "demo"}


@dataclass(frozen=True)
class Source:
    """A Python file: `path` relative to the repository, and what is in it."""

    path: str
    text: str

    @property
    def name(self) -> str:
        """'files/system.py' for src/osnowa/files/system.py."""
        return self.path.removeprefix("src/osnowa/")

    @property
    def room(self) -> str:
        """The room it stands in; '' for the package itself, which stands above all."""
        first = self.name.split("/")[0].removesuffix(".py")
        return "" if first in ("__init__", "__main__") else first

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    def at(self, node: ast.AST, what: str) -> str:
        """A finding, with file and line."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {what}"


def snippet(text: str, name: str = "corpus/example.py") -> Source:
    """A made-up module, to show that a rule fails when it is broken."""
    return Source(f"src/osnowa/{name}", text)


def modules() -> list[Source]:
    """Every module of the package."""
    return list(_read(ROOT / "src/osnowa"))


def own_tests() -> list[Source]:
    """Every module of the tests."""
    return list(_read(ROOT / "tests"))


def _read(folder: Path) -> Iterator[Source]:
    for path in sorted(folder.rglob("*.py")):
        yield Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


def texts() -> Iterator[tuple[str, str]]:
    """Every text file that belongs to the repository, also those that are no Python."""
    folders = [ROOT]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            hidden = path.name.startswith(".") and path.name not in (".ci", ".gitignore")
            if hidden or path.name in _NOT_OURS or path.name.endswith(".egg-info"):
                continue
            if path.is_dir():
                folders.append(path)
            elif b"\0" not in (content := path.read_bytes()):
                yield path.relative_to(ROOT).as_posix(), content.decode("utf-8")


def assert_none(findings: list[str]) -> None:
    """Fails with every finding on a line of its own."""
    assert not findings, "\n" + "\n".join(findings)
