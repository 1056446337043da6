"""The words for what is left out: each text in Polish and English."""

from __future__ import annotations

from typing import Any

Words = tuple[str, str]
SIZE: Words = (
    "plik byłby za duży; większe --max-mb i --format npz zachowują więcej",
    "the file would be too large; a larger --max-mb and --format npz keep more",
)


def entry(key: str, what: Words, why: Words) -> dict[str, Any]:
    """One thing that is not there; each text in Polish and English."""
    return {"key": key, "what": _both(what), "why": _both(why)}


def _both(words: Words) -> dict[str, str]:
    return {"pl": words[0], "en": words[1]}


NO_ABLATION = entry(
    "ablation",
    ("odpowiedź po odjęciu każdej z głowic", "what the answer would be without each head"),
    (
        "osobne przejście dla każdej trwałoby przy tym rozmiarze minuty",
        "a pass for each would take minutes at this size",
    ),
)
