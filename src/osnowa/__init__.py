"""osnowa: train your own language model from your own text, and see every number inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from osnowa.runs.api import Model, Run, doctor, export_model, import_model, load, prepare, pretrain, report, verify

__version__ = "0.1.0"

__all__ = [
    "Model",
    "Run",
    "__version__",
    "doctor",
    "export_model",
    "import_model",
    "load",
    "prepare",
    "pretrain",
    "report",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Import the rooms when they are first asked for: torch alone takes two seconds."""
    if name in __all__:
        from osnowa.runs import api

        return getattr(api, name)
    raise AttributeError(f"module 'osnowa' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
