"""What the reader of a folder left out, converted or did not find."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """Something the user should know: a stable code, a sentence, and the names that it is about."""

    code: str
    message: str
    evidence: tuple[str, ...] = ()
