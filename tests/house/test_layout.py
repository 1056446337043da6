"""A reader holds any file in the head: one sentence at the top, short files, short functions, telling names."""

from __future__ import annotations

import ast

import pytest

from source_files import Source, assert_none, modules, own_tests, snippet

LONGEST_FILE, LONGEST_FUNCTION = 320, 80
NO_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "stuff", "tools"}

# Where the rule is bent, and why: 'path' or 'path: function' -> reason.
LONGER: dict[str, str] = {}


def first_sentence_problem(source: Source) -> str | None:
    text = ast.get_docstring(source.tree)
    if not text:
        return f"{source.path}:1: has no sentence at its top"
    line, _, rest = text.partition("\n")
    if not line.endswith(".") or (rest and not rest.startswith("\n")):
        return f"{source.path}:1: does not open with one sentence on one line"
    return None


def too_long(source: Source) -> list[str]:
    found = []
    if (lines := len(source.text.splitlines())) > LONGEST_FILE and source.path not in LONGER:
        found.append(f"{source.path}:1: {lines} lines")
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            if length > LONGEST_FUNCTION and f"{source.path}: {node.name}" not in LONGER:
                found.append(source.at(node, f"{node.name} has {length} lines"))
    return found


def nameless(source: Source) -> list[str]:
    parts = source.name.removesuffix(".py").split("/")
    return [f"{source.path}:1: {part!r} says nothing" for part in parts if part.strip("_") in NO_NAMES]


def test_every_module_opens_with_one_sentence() -> None:
    assert_none([problem for source in modules() if (problem := first_sentence_problem(source))])


def test_no_file_and_no_function_is_too_long_to_hold_in_the_head() -> None:
    assert_none([finding for source in modules() for finding in too_long(source)])


def test_every_longer_one_still_is() -> None:
    problems: list[str] = []
    for source in modules():
        long_functions = {
            f"{source.path}: {node.name}"
            for node in ast.walk(source.tree)
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
        }
        is_long = {source.path} if len(source.text.splitlines()) > LONGEST_FILE else set()
        problems += [key for key in LONGER if key.split(":")[0] == source.path and key not in long_functions | is_long]
    assert problems == []
    assert {key.split(":")[0] for key in LONGER} <= {source.path for source in modules()}


def test_every_module_has_a_telling_name() -> None:
    assert_none([finding for source in [*modules(), *own_tests()] for finding in nameless(source)])


def test_test_files_have_names_of_their_own() -> None:
    """pytest takes two files of one name in two folders for the same module."""
    names = [source.path.split("/")[-1] for source in own_tests() if source.path.split("/")[-1] != "conftest.py"]
    assert sorted({name for name in names if names.count(name) > 1} - {"__init__.py"}) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1", "has no sentence"),
        ('"""No full stop"""', "one sentence"),
        ('"""Two lines\nof one sentence."""', "one sentence"),
        ('"""A sentence.\nMore at once."""', "one sentence"),
    ],
)
def test_a_missing_sentence_is_found(text: str, problem: str) -> None:
    assert problem in str(first_sentence_problem(snippet(text)))


def test_a_right_sentence_is_fine() -> None:
    assert first_sentence_problem(snippet('"""Rows out of tokens."""\n')) is None
    assert first_sentence_problem(snippet('"""Rows out of tokens.\n\nAnd how.\n"""\n')) is None


def test_long_files_functions_and_empty_names_are_found() -> None:
    assert too_long(snippet("x = 1\n" * 321)) == ["src/osnowa/corpus/example.py:1: 321 lines"]
    assert too_long(snippet("x = 1\n" * 320)) == []
    body = "    x = 1\n" * 80
    assert too_long(snippet(f"# first\ndef f():\n{body}")) == ["src/osnowa/corpus/example.py:2: f has 81 lines"]
    assert too_long(snippet(f"class C:\n    def f(self):\n{body[:-10].replace('    x', '        x')}")) == []
    assert nameless(snippet("", "corpus/utils.py")) == ["src/osnowa/corpus/utils.py:1: 'utils' says nothing"]
    assert nameless(snippet("", "common/rows.py")) == ["src/osnowa/common/rows.py:1: 'common' says nothing"]
