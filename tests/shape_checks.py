"""The type checker behind the shapes: beartype, except where it can't look at a function by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from beartype import beartype


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Checked at every call. A `Self` means something only to a checked class, so such a function is left alone."""
    hints = getattr(function, "__annotations__", {}).values()
    return function if any("Self" in str(hint) for hint in hints) else beartype(function)
