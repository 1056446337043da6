"""Imports only point down, and rooms of one row do not know each other."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from source_files import Source, assert_none, modules, snippet

ROWS = [
    ("errors",),
    ("settings", "files", "workers", "processor"),
    ("corpus", "tokenizer", "model"),
    ("data",),
    ("objective",),
    ("train", "generate"),
    ("tasks", "exchange", "explain"),
    ("serve",),
    ("runs",),
    ("cli",),
]
RANK = {room: rank for rank, row in enumerate(ROWS) for room in row}
PLAIN_FACTS = {"__version__"}  # what the package itself holds without importing a room


def imported_rooms(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Every import of ours, wherever it stands: inside functions and for type checkers only, too."""
    package = ["osnowa", *source.name.split("/")[:-1]]
    for node in ast.walk(source.tree):
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [alias.name for alias in node.names if alias.name not in PLAIN_FACTS]
            targets = [f"{module}.{name}" for name in names] if module == "osnowa" else [module]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            targets = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        for target in targets:
            if target == "osnowa" or target.startswith("osnowa."):
                yield node, [*target.split("."), ""][1]


def upward_imports(source: Source) -> list[str]:
    if source.room == "":
        return []  # the package itself opens its rooms on demand
    if source.room not in RANK:
        return [f"{source.path}:1: {source.room} is not in the plan of the house"]
    found = []
    for node, room in imported_rooms(source):
        if room == source.room:
            continue
        if room not in RANK:
            found.append(
                source.at(node, f"{source.room} imports {room or 'the whole package'}, which is no room below")
            )
        elif RANK[room] >= RANK[source.room]:
            side = "of the same row" if RANK[room] == RANK[source.room] else "above it"
            found.append(source.at(node, f"{source.room} imports {room}, a room {side}"))
    return found


def test_imports_only_point_down() -> None:
    assert_none([finding for source in modules() for finding in upward_imports(source)])


@pytest.mark.parametrize(
    ("text", "name", "finding"),
    [
        (
            "from osnowa.tokenizer import Tokenizer",
            "corpus/x.py",
            ":1: corpus imports tokenizer, a room of the same row",
        ),
        ("from osnowa import model", "corpus/x.py", ":1: corpus imports model, a room of the same row"),
        ("def f():\n    import osnowa.runs.api", "train/x.py", ":2: train imports runs, a room above it"),
        (
            "if TYPE_CHECKING:\n    from osnowa.cli.main import main",
            "runs/x.py",
            ":2: runs imports cli, a room above it",
        ),
        ("from ..data import batch", "model/x.py", ":1: model imports data, a room above it"),
        ("from .. import data", "model/x.py", ":1: model imports data, a room above it"),
        ("import osnowa", "train/x.py", ":1: train imports the whole package, which is no room below"),
        ("from osnowa.files import write", "settings.py", ":1: settings imports files, a room of the same row"),
        ("importlib.import_module('osnowa.cli')", "runs/x.py", ":1: runs imports cli, a room above it"),
        ("", "misc/x.py", ":1: misc is not in the plan of the house"),
        ("import osnowa.misc", "cli/x.py", ":1: cli imports misc, which is no room below"),
    ],
)
def test_an_import_upward_or_sideways_is_found_with_its_line(text: str, name: str, finding: str) -> None:
    assert upward_imports(snippet(text, name)) == [f"src/osnowa/{name}{finding}"]


def test_imports_downward_and_inside_a_room_are_fine() -> None:
    text = "from osnowa import __version__, files\nfrom osnowa.errors import DataError\nfrom . import y\nimport osnowa.data.batch"
    assert upward_imports(snippet(text, "data/x.py")) == []
    assert upward_imports(snippet("from osnowa.runs import api", "__init__.py")) == []


HEAVY = ("torch", "transformers", "tokenizers", "numpy", "pyarrow", "jaxtyping")


@pytest.mark.parametrize("module", ["osnowa", "osnowa.cli", "osnowa.cli.main", "osnowa.cli.arguments"])
def test_the_command_line_starts_without_the_heavy_libraries(module: str) -> None:
    """torch alone takes two seconds: `osnowa --help` would take four."""
    program = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}} & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_check_for_heavy_libraries_would_see_one() -> None:
    program = f"import sys, numpy; print(*({{name.split('.')[0] for name in sys.modules}} & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["numpy"]


def test_the_corpus_and_the_tokenizer_never_see_tensors() -> None:
    found = [
        source.at(node, f"{source.room} imports torch")
        for source in modules()
        if source.room in ("errors", "settings", "workers", "corpus", "tokenizer")
        for node in ast.walk(source.tree)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch")
        or (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "torch" for alias in node.names))
    ]
    assert_none(found)
