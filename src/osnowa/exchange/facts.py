"""Careful looks into the facts of a run: what is not there, or is of another kind, is None or empty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Facts = Mapping[str, Any]


def number(facts: Any, *path: str) -> float | int | None:
    """The finite number at `path`, or None."""
    for key in path:
        facts = facts.get(key) if isinstance(facts, Mapping) else None
    usable = isinstance(facts, int | float) and not isinstance(facts, bool) and math.isfinite(facts)
    return facts if usable else None


def text(facts: Any, *path: str) -> str:
    """The words at `path` on one line, or nothing."""
    for key in path:
        facts = facts.get(key) if isinstance(facts, Mapping) else None
    return " ".join(facts.split()) if isinstance(facts, str) else ""


def inner(facts: Any, *path: str) -> Mapping[str, Any]:
    """The object at `path`, or an empty one."""
    for key in path:
        facts = facts.get(key) if isinstance(facts, Mapping) else None
    return facts if isinstance(facts, Mapping) else {}


def say(sentence: str, **values: float | str | None) -> str:
    """`sentence` with its values, or nothing when one of them is not known."""
    return "" if any(value is None or value == "" for value in values.values()) else sentence.format(**values)


def languages(facts: Facts) -> list[str]:
    """Codes of the languages in the corpus, those of most documents first, without the undetermined."""
    counts = {code: number(entry, "documents") or 0 for code, entry in inner(facts, "corpus", "languages").items()}
    return [code for code in sorted(counts, key=lambda code: (-counts[code], code)) if code != "und" and counts[code]]
