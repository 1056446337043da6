"""Nothing in the repository names a machine: no home folders, no private package indexes, no addresses."""

from __future__ import annotations

import re

import pytest

from source_files import assert_none, texts

# Written in pieces, so that this file does not hold what it looks for.
PATTERNS = [
    r"(?<![\w.])/" + r"home/\w",
    r"(?<![\w.])/" + r"Users/\w",
    r"(?<![\w.])/" + r"root(/|\b)",
    r"(?<![\w.])/" + r"work(/|\b)",
    r"(?<![\w.])/" + r"opt/\w",
    r"(?<![\w.])/" + r"mnt/\w",
    r"(?<![\w.])/" + r"tmp/\w",
    r"(?i)[a-z]:\\" + r"users\\",
    r"(?<!\w)file:" + r"///",
    r"https?://" + r"(?!127\.0\.0\.1|localhost)[^\s/\"']+:\d+",
    r"https?://" + r"(?!127\.0\.0\.1|0\.0\.0\.0)\d+\.\d+\.\d+\.\d+",
    r"--(extra-)?index-" + r"url[ =]\S*//",
    r"--find-" + r"links[ =]\S",
]


def private_places(path: str, text: str) -> list[str]:
    return [
        f"{path}:{number}: {found[0]}"
        for number, line in enumerate(text.splitlines(), start=1)
        for pattern in PATTERNS
        if (found := re.search(pattern, line))
    ]


def test_nothing_in_the_repository_names_a_machine() -> None:
    assert_none([finding for path, text in texts() for finding in private_places(path, text)])


def test_the_repository_was_read() -> None:
    paths = {path for path, _ in texts()}
    assert {"Makefile", "pyproject.toml", ".ci/run", "src/osnowa/errors.py", "tests/texts.py", "README.md"} <= paths
    assert not any(path.startswith((".git/", ".venv")) for path in paths)


@pytest.mark.parametrize(
    "parts",
    [
        ("see /", "home/anna/corpus"),
        ("PATH=/", "root/bin"),
        ("'/", "work/data'"),
        ("/", "tmp/run1"),
        ("C:\\", "Users\\anna"),
        ("pip install --index-", "url https://pypi.example.org/simple"),
        ("pip install --find-", "links /wheels"),
        ("http://", "mirror.example.org:8081/simple"),
        ("http://", "10.0.0.7/x"),
        ("file:", "///data"),
    ],
)
def test_each_private_place_is_found(parts: tuple[str, str]) -> None:
    assert private_places("x.md", "fine\n" + "".join(parts))[0].startswith("x.md:2: ")


@pytest.mark.parametrize(
    "line",
    [
        "https://github.com/osnowa/osnowa",
        "http://127.0.0.1:8000",
        "a/home/page",
        "../" + "work/x",
        "homework/",
        "RUN/model",
    ],
)
def test_public_and_relative_places_are_fine(line: str) -> None:
    assert private_places("x.md", line) == []
