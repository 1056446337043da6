"""The repository's own files, as the tests of the house rules read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_FOLDERS = (".ci", "src", "tests", "docs", "recipes", "examples", "benchmarks", "tools")
_AT_THE_TOP = ("Makefile", "LICENSE", ".gitignore")


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


@cache
def modules() -> tuple[Source, ...]:
    """Every module of the package."""
    return tuple(_read(ROOT / "src/osnowa"))


@cache
def own_tests() -> tuple[Source, ...]:
    """Every module of the tests."""
    return tuple(_read(ROOT / "tests"))


def _read(folder: Path) -> Iterator[Source]:
    for path in sorted(folder.rglob("*.py")):
        yield Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


def texts() -> Iterator[tuple[str, str]]:
    """Every text file that belongs to the repository, also those that are no Python; runs and logs lying about do not."""
    paths = [path for path in ROOT.iterdir() if path.suffix in (".md", ".toml", ".txt") or path.name in _AT_THE_TOP]
    for folder in _FOLDERS:
        paths += [path for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    for path in sorted(path for path in paths if path.is_file()):
        if b"\0" not in (content := path.read_bytes()):
            yield path.relative_to(ROOT).as_posix(), content.decode("utf-8")


def assert_none(findings: list[str]) -> None:
    """Fails with every finding on a line of its own."""
    assert not findings, "\n" + "\n".join(findings)
