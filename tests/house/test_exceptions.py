"""No broad `except`: what nobody foresaw must be seen, not swallowed."""

from __future__ import annotations

import ast

import pytest

from source_files import Source, assert_none, modules, snippet

BROAD = {"Exception", "BaseException"}

# Where the rule is bent, and why: 'path: function' -> reason.
EXCEPTIONS = {
    "src/osnowa/workers.py: _work": "a bug in a worker must reach the parent with its traceback",
    "src/osnowa/corpus/spool.py: _read_hub": "the libraries behind a hub data set have no error class in common",
    "src/osnowa/tokenizer/engine.py: load": "the tokenizers library raises nothing more precise than Exception",
}


def broad_excepts(source: Source) -> list[str]:
    found = []

    def visit(node: ast.AST, function: str) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            function = node.name
        if isinstance(node, ast.ExceptHandler):
            types = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            names = [ast.unparse(kind).rpartition(".")[2] if kind else "everything" for kind in types]
            raises_again = any(isinstance(part, ast.Raise) and part.exc is None for part in ast.walk(node))
            if any(name == "everything" or name in BROAD for name in names) and not raises_again:
                found.append(source.at(node, f"{function}: except {', '.join(names)}"))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            names = [ast.unparse(kind).rpartition(".")[2] for kind in node.args]
            if BROAD & set(names):
                found.append(source.at(node, f"{function}: suppress {', '.join(names)}"))
        for child in ast.iter_child_nodes(node):
            visit(child, function)

    visit(source.tree, "module")
    return found


def place(finding: str) -> str:
    path, _, function, *_ = finding.split(":")
    return f"{path}:{function}"


def test_no_broad_except_without_a_reason() -> None:
    found = [finding for source in modules() for finding in broad_excepts(source)]
    assert_none([finding for finding in found if place(finding) not in EXCEPTIONS])
    assert sorted(EXCEPTIONS.keys() - {place(finding) for finding in found}) == [], "no longer needed"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("try: x\nexcept: y", "module: except everything"),
        ("try: x\nexcept Exception: y", "module: except Exception"),
        ("try: x\nexcept (ValueError, BaseException) as e: y", "module: except ValueError, BaseException"),
        ("try: x\nexcept builtins.Exception: y", "module: except Exception"),
        ("1\nwith contextlib.suppress(Exception): x", "module: suppress Exception"),
    ],
)
def test_each_broad_except_is_found(text: str, what: str) -> None:
    assert broad_excepts(snippet(text)) == [f"src/osnowa/corpus/example.py:2: {what}"]


def test_the_function_is_named() -> None:
    text = "class C:\n    def f(self):\n        try: x\n        except Exception: y"
    assert broad_excepts(snippet(text)) == ["src/osnowa/corpus/example.py:4: f: except Exception"]


def test_narrow_excepts_and_those_that_raise_again_are_fine() -> None:
    assert broad_excepts(snippet("try: x\nexcept (ValueError, OSError): y")) == []
    assert broad_excepts(snippet("try: x\nexcept BaseException:\n    tidy()\n    raise")) == []
