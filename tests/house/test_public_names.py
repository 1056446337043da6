"""The public Python API is exactly what the documentation says, and costs nothing until it is used."""

from __future__ import annotations

import ast

import pytest

import osnowa
from source_files import modules

PUBLIC = [
    "Model",
    "Run",
    "__version__",
    "doctor",
    "explain",
    "export_model",
    "import_model",
    "load",
    "prepare",
    "pretrain",
    "report",
    "verify",
]


def test_the_public_names_are_exactly_these() -> None:
    assert osnowa.__all__ == PUBLIC
    assert dir(osnowa) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_explains_itself(name: str) -> None:
    thing = getattr(osnowa, name)
    assert name == "__version__" or thing.__doc__


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        osnowa.nothing  # noqa: B018


def test_every_listed_name_of_every_room_is_there() -> None:
    missing = []
    for source in modules():
        for node in source.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__" and source.room:
                module = (
                    source.path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
                )
                listed = ast.literal_eval(node.value)
                there = vars(__import__(module, fromlist=["x"]))
                missing += [f"{source.path}: {name}" for name in listed if name not in there]
                assert listed == sorted(listed, key=lambda n: (not n.isupper(), n[0].islower(), n)) or len(
                    listed
                ) == len(set(listed))
    assert missing == []
