"""The type checker behind the shapes: beartype, for functions that speak of shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jaxtyping
from beartype import beartype
from jaxtyping import install_import_hook

_SHAPED = tuple(f"{name}[" for name in ("Float", "Int", "Bool"))


def install(*packages: str) -> None:
    """Check the shapes of `packages`, imported from now on, at every call.

    What speaks of no shape is left alone: mypy has seen its types, and half of the calls in a model are such.
    """
    whole = jaxtyping.jaxtyped

    def jaxtyped(*, typechecker: Callable[..., Any]) -> Callable[..., Any]:
        decorate = whole(typechecker=typechecker)
        return lambda found: decorate(found) if isinstance(found, type) or _speaks_of_shapes(found) else found

    jaxtyping.jaxtyped = jaxtyped
    install_import_hook([*packages], "shape_checks.check")


def _speaks_of_shapes(found: Any) -> bool:
    hints = getattr(found, "__annotations__", {}).values()
    return any(shape in str(hint) for hint in hints for shape in _SHAPED)


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Checked at every call. A `Self` means something only to a checked class, so such a function is left alone."""
    hints = getattr(function, "__annotations__", {}).values()
    return function if any("Self" in str(hint) for hint in hints) else beartype(function)
