"""What is not in the file, and why, in plain words of both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from osnowa.explain.left_out import SIZE, Words, entry
from osnowa.explain.program import TOKEN_TABLE
from osnowa.explain.selection import Selection
from osnowa.explain.step import Array
from osnowa.explain.trace import Trace


def missing(trace: Trace, selection: Selection, pictures: Mapping[str, Array]) -> list[dict[str, Any]]:
    """One entry for each kind of thing that was left out."""
    level, found = selection.level, list[dict[str, Any]]()
    if level.focus is not None:
        for side, rows in selection.focus.items():
            all_rows, name = len(trace.forward.question.rows[side].tokens), f"{side}: "
            if len(rows) < all_rows:
                left = f"{all_rows - len(rows)} / {all_rows}"
                found.append(entry("rows", (f"{name}liczby tokenów: {left}", f"{name}numbers of tokens: {left}"), SIZE))
    if not level.all_keys:
        words = ("klucze i wartości tokenów poza wybranymi", "keys and values of tokens that are not in focus")
        found.append(entry("keys", words, SIZE))
    if level.dims is not None:
        words = (
            f"wagi wymiarów wyjściowych dalszych niż pierwsze {level.dims} w każdej macierzy",
            f"weights of all but the first {level.dims} output dimensions of each matrix",
        )
        found.append(entry("weights", words, SIZE))
    if pictures:
        found.append(entry("pictures", _about_pictures(trace, pictures), SIZE))
    found += _by_design(trace, selection)
    return found


def _about_pictures(trace: Trace, pictures: Mapping[str, Array]) -> Words:
    whole = all(picture.shape == trace.pictures[name].shape for name, picture in pictures.items())
    side = max(max(picture.shape[1:]) for picture in pictures.values())
    return (
        "uwaga tokenów poza wybranymi jako liczby: jest "
        + ("obraz o jednym bajcie na wagę" if whole else f"pomniejszony obraz, najwyżej {side} × {side}"),
        "attention of tokens that are not in focus, as numbers: there is "
        + ("a picture of one byte for each weight" if whole else f"a smaller picture, at most {side} × {side}"),
    )


def _by_design(trace: Trace, selection: Selection) -> list[dict[str, Any]]:
    """What no size of file would have."""
    found = []
    kept = selection.tensors[TOKEN_TABLE]
    if not kept.is_whole(0):
        left = f"{kept.shape[0] - len(kept.places(0))} / {kept.shape[0]}"
        words = (f"wektory tokenów słownika: {left}", f"vectors of vocabulary entries: {left}")
        why = (
            "są wektory tych tokenów, o których strona mówi; logity wszystkich sprawdzono przy zapisie",
            "tokens that the page speaks of have theirs; the logits of all were checked when written",
        )
        found.append(entry("vocabulary", words, why))
    if trace.config.num_experts:
        words = ("wagi ekspertów", "the weights of the experts")
        why = (
            "to, co liczą eksperci, sprawdzono przy zapisie",
            "what each token's experts compute was checked when written",
        )
        found.append(entry("experts", words, why))
    if not any(name.endswith(".p") for name in trace.forward.tensors):
        words = ("głowica predykcyjna", "the prediction head")
        why = (
            "ten folder jej nie ma, więc liczby kończą się na macierzy kontekstualizacji",
            "this folder has none, so the numbers end at the contextual matrix",
        )
        found.append(entry("head", words, why))
    return found
