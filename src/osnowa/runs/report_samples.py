"""What the model said to the same texts, from the first step to the last: filled masks, continuations, targets."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from osnowa.objective.config import Question
from osnowa.runs.report_data import Record, Run, entries, number
from osnowa.runs.report_format import share, whole
from osnowa.runs.report_html import Html, clean, code, element, escape, given, join, table

_ROWS = 8  # moments shown per text


_ASKED: dict[Question, str] = {
    "hidden": "The same sentences, asked again and again while the model learned: its best tokens for the hidden place, with "
    "their probabilities. At first all tokens are equally likely; then frequent ones rise; then those that fit. Marked "
    "is the token that was hidden, or, where that is not known, the one the model settled on.",
    "next": "The same beginnings, continued again and again while the model learned, always with its best guess. At first "
    "the tokens are random; then frequent ones repeat; then words and phrases that fit.",
    "target": "The same sources, answered again and again while the model learned, always with its best guess. At first the "
    "tokens are random; then frequent ones repeat; then what the source asks for.",
}


def samples(run: Run) -> Html | None:
    """The section with what was said to each text; None where no text was probed."""
    texts = list(dict.fromkeys(str(record.get("text", "")) for record in run.probes))
    blocks = [_block([r for r in run.probes if str(r.get("text", "")) == text], run) for text in texts]
    if not blocks:
        return None
    return element(
        "section",
        element("h2", "What it says, from the first step to the last"),
        element("p", _ASKED[run.words.question]),
        blocks,
        id="samples",
    )


def _block(records: list[Record], run: Run) -> Html:
    said = [record for record in records if "continuation" in record]
    return _continuations(said, run) if said else _sentence(str(records[-1].get("text", "")), records)


def _continuations(records: list[Record], run: Run) -> Html:
    """A prompt or a source, what stands in the corpus for it, and what the model said at some moments."""
    asked = "source" if run.words.question == "target" else "prompt"
    last, answer = records[-1], records[-1].get("answer")
    rows = [[whole(record["step"]), given(record["continuation"])] for record in _chosen(records)]
    true = element("p", "in the corpus: ", given(answer), class_="note") if answer else None
    return element(
        "div",
        element("p", element("span", f"{asked}: ", class_="note"), given(last.get("text", "")), class_="probe"),
        true,
        table(["step", "what it says"], rows, class_="words-left"),
    )


def _sentence(text: str, records: list[Record]) -> Html:
    chosen = _chosen(records)
    masks = max(len(entries(record, "masks")) for record in chosen)
    tables = [_table(mask, masks, chosen) for mask in range(masks)]
    answer = records[-1].get("answer")
    hidden = join(" ", element("span", "hidden: ", given(answer), class_="note")) if answer else None
    return element("div", element("p", show_masks(text), hidden, class_="probe"), tables)


def _chosen(records: list[Record]) -> list[Record]:
    """The last moment, the first, and evenly spaced ones between them."""
    stride = math.ceil((len(records) - 1) / (_ROWS - 1)) or 1
    places = sorted({0, *range(len(records) - 1, -1, -stride)})
    return [records[place] for place in places]


def _table(mask: int, masks: int, records: list[Record]) -> Html:
    guesses = [(record, _guesses(record, mask)) for record in records]
    final = guesses[-1][1]
    answer = clean(records[-1].get("answer") or "")
    marked = answer if answer and masks == 1 else (_token(final[0]) if final else "")
    widest = max(len(found) for _, found in guesses)
    rows = [
        [whole(record["step"]), *(_guess(guess, marked) for guess in found), *[Html("")] * (widest - len(found))]
        for record, found in guesses
    ]
    caption = f"Hidden place {mask + 1} of {masks}" if masks > 1 else None
    return table(["step", *_ORDINALS[:widest]], rows, caption=caption, class_="guesses")


_ORDINALS = ("best guess", "2nd", "3rd", "4th", "5th")


def _guesses(record: Record, mask: int) -> list[Record]:
    masks = entries(record, "masks")
    listed = masks[mask] if mask < len(masks) and isinstance(masks[mask], list) else []
    found: list[Record] = [guess for guess in listed if isinstance(guess, dict)]
    return found[: len(_ORDINALS)]


def _token(guess: Record) -> str:
    return clean(guess.get("token", ""))


def _guess(guess: Record, marked: str) -> Html:
    probability, token = number(guess, "probability"), _token(guess)
    shown = code(token if token.strip() else token.replace(" ", "␣") or "∅")
    class_ = "guess right" if token.strip("▁Ġ ") == marked.strip("▁Ġ ") else "guess"
    if probability is None:
        return element("div", element("span", shown), class_=class_)
    width = f"width:{100 * min(1.0, max(0.0, probability)):.2f}%"
    told = element("div", element("span", shown), element("span", share(probability)), class_=class_)
    return join(told, element("i", class_="meter", style=width))


def show_masks(text: str) -> Html:
    """A sentence with its [MASK]s drawn as boxes."""
    parts: Iterable[str] = re.split(r"(\[MASK\])", clean(text))
    return element("bdi", [element("span", p, class_="mask") if p == "[MASK]" else escape(p) for p in parts])
