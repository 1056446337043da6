"""Filled masks over time: what the model put into the same sentences, from the first step to the last."""

from __future__ import annotations

import re
from collections.abc import Iterable

from osnowa.runs.chart import spaced
from osnowa.runs.report_data import Record, Run, entries, number
from osnowa.runs.report_format import share, whole
from osnowa.runs.report_html import Html, clean, code, element, escape, join, table

_ROWS = 8  # moments shown per sentence
_GUESSES = 5  # best tokens shown per moment


def samples(run: Run) -> Html | None:
    """The section with one table per sentence and mask; None where no sentence was probed."""
    texts = list(dict.fromkeys(str(record.get("text", "")) for record in run.probes))
    blocks = [_sentence(text, [r for r in run.probes if str(r.get("text", "")) == text]) for text in texts]
    if not blocks:
        return None
    return element(
        "section",
        element("h2", "What it says, from the first step to the last"),
        element(
            "p",
            "The same sentences, asked again and again while the model learned: its best tokens for the hidden place, with "
            "their probabilities. At first all tokens are equally likely; then frequent ones rise; then those that fit.",
        ),
        blocks,
        id="samples",
    )


def _sentence(text: str, records: list[Record]) -> Html:
    places = [round(place) for place in spaced(len(records) - 1, _ROWS)]
    chosen = [records[place] for place in places]
    masks = max(len(entries(record, "masks")) for record in chosen)
    tables = [_table(mask, masks, chosen) for mask in range(masks)]
    return element("div", element("p", show_masks(text), class_="probe"), tables)


def _table(mask: int, masks: int, records: list[Record]) -> Html:
    rows = [[whole(record["step"]), *_guesses(record, mask)] for record in records]
    widest = max(len(row) for row in rows) - 1
    rows = [row + [Html("")] * (widest + 1 - len(row)) for row in rows]
    head = ["step", *(f"{_ORDINALS[place]} guess" if place < len(_ORDINALS) else "" for place in range(widest))]
    caption = f"Hidden place {mask + 1} of {masks}" if masks > 1 else None
    return table(head, rows, caption=caption, class_="guesses")


_ORDINALS = ("best", "2nd", "3rd", "4th", "5th")


def _guesses(record: Record, mask: int) -> list[Html | str]:
    masks = entries(record, "masks")
    found = masks[mask] if mask < len(masks) and isinstance(masks[mask], list) else []
    return [_guess(guess) for guess in found[:_GUESSES] if isinstance(guess, dict)]


def _guess(guess: Record) -> Html:
    probability = number(guess, "probability")
    token = clean(guess.get("token", ""))
    shown = code(token if token.strip() else token.replace(" ", "␣") or "∅")
    if probability is None:
        return element("div", element("span", shown), class_="guess")
    width = f"width:{100 * min(1.0, max(0.0, probability)):.2f}%"
    told = element("div", element("span", shown), element("span", share(probability)), class_="guess")
    return join(told, element("i", class_="meter", style=width))


def show_masks(text: str) -> Html:
    """A sentence with its [MASK]s drawn as boxes."""
    parts: Iterable[str] = re.split(r"(\[MASK\])", clean(text))
    return element("bdi", [element("span", p, class_="mask") if p == "[MASK]" else escape(p) for p in parts])
