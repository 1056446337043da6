"""The embedded default text: English prose from the documentation inside the running Python."""

from __future__ import annotations

import ast
import inspect
import itertools
import os
import re
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

# Folders of the standard library without prose of their own: tests, programs, installed packages, build leftovers.
_LEFT_OUT = {"test", "tests", "idle_test", "idlelib", "turtledemo", "lib2to3", "ensurepip", "site-packages"}
_LEFT_OUT |= {"dist-packages", "__pycache__", "pydoc_data", "encodings", "lib-dynload"}

_FREQUENT = re.compile(
    r"the|a|an|of|to|is|are|be|in|on|and|or|for|if|with|this|that|it|its|not|by|as|from|which|when|will"
    r"|can|any|all|has|have|was|were|at|but|so|you",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")
_CODE = re.compile(
    r"::=|>>>|\b\w+ = \w|[{};|]\s*$|^\s*(?:def \w+\(|class \w+[(:]|from [\w.]+ import|import [\w.]+\s*$|@\w"
    r"|(?:if|for|while|with|try|else|elif|except)\b[^.,]*:\s*$)",
    re.MULTILINE,
)
_ITEM = re.compile(r"(?=^\s*(?:[*•-]|\d+\.|[a-z]\))\s)", re.M)
_ROLE = re.compile(r":[a-z]+(?::[a-z]+)?:`([^`]*)`|``([^`]+)``|`([^`'\s]+)`")
_SHORTEST = 200  # characters; a shorter document is a line or two


def read_python_docs() -> Iterator[dict[str, str]]:
    """Each topic of the language reference, then each module's docstrings, as one record; sorted, so always the same."""
    modules = map(_read_docstrings, _walk_modules(Path(sysconfig.get_path("stdlib"))))
    for text in dict.fromkeys(itertools.chain(_read_topics(), modules)):
        if len(text) >= _SHORTEST:
            yield {"text": text}


SAMPLES: dict[str, Callable[[], Iterator[dict[str, str]]]] = {"python-docs": read_python_docs}


def _read_topics() -> Iterator[str]:
    try:
        from pydoc_data.topics import topics
    except ImportError:  # some systems package it apart
        return
    yield from (keep_prose(text) for _, text in sorted(topics.items()))


def _walk_modules(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith(("config-", ".")))
        for name in sorted(names):
            if name.endswith(".py") and not name.startswith("_sysconfigdata"):
                yield Path(folder) / name


def _read_docstrings(path: Path) -> str:
    """The docstrings of one module in the order of its source, each once."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):  # templates of code generators are no Python
        return ""
    found = (ast.get_docstring(node) for node in _walk_nodes(tree))
    return "\n\n".join(dict.fromkeys(prose for text in found if text and (prose := keep_prose(text))))


def _walk_nodes(node: ast.AST) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        yield node
        for child in node.body:
            yield from _walk_nodes(child)


def keep_prose(text: str) -> str:
    """The paragraphs of `text` that are English sentences, each on one line; code, grammar and tables are left out."""
    kept = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        for item in _ITEM.split(block):
            if _is_prose(item):
                kept.append(_ROLE.sub(lambda match: next(filter(None, match.groups()), ""), " ".join(item.split())))
    return "\n\n".join(kept)


def _is_prose(block: str) -> bool:
    """Whether most of it is words, a fifth of them the most frequent English ones, and nothing looks like code."""
    words = _WORD.findall(block)
    if len(words) < 5 or _CODE.search(block):
        return False
    spaces = len(block) - sum(map(len, block.split()))
    letters = sum(map(len, words)) + spaces
    frequent = sum(_FREQUENT.fullmatch(word) is not None for word in words)
    return letters >= 0.8 * len(block) and frequent >= 0.2 * len(words)
