"""osnowa: train your own language model from your own text, and see every number inside it."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from osnowa.runs.api import (
        Model,
        Run,
        doctor,
        explain,
        export_model,
        import_model,
        load,
        prepare,
        pretrain,
        report,
        verify,
    )

__version__ = "0.1.0"

__all__ = [
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


class _CalledRoom(ModuleType):
    """A room that has the name of a public function: to call it is to call the function."""

    def __call__(self, *words: Any, **named: Any) -> Any:
        from osnowa.runs import api

        return getattr(api, self.__name__.rpartition(".")[2])(*words, **named)


class _Package(ModuleType):
    """This package: a room that is imported does not hide the public function of its name."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in __all__ and type(value) is ModuleType:
            value.__class__ = _CalledRoom
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Import the rooms when they are first asked for: torch alone takes two seconds."""
    if name in __all__:
        from osnowa.runs import api

        return getattr(api, name)
    raise AttributeError(f"module 'osnowa' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
