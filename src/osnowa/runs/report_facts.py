"""Figures beside the curves: the tokenizer, the accounting of rows, the model, the machine."""

from __future__ import annotations

from typing import Any

from osnowa.runs.report_data import Record, Run, number, numbers, section
from osnowa.runs.report_format import digits, share, short, whole
from osnowa.runs.report_html import Child, Html, clean, code, element, given, join, table
from osnowa.runs.report_ledger import verdict


def tokenizer(run: Run) -> Html | None:
    """How text becomes tokens, and how well that works per language."""
    facts = section(run.facts, "tokenizer")
    if not facts:
        return None
    fertility = section(facts, "fertility")
    columns = list(dict.fromkeys(key for told in fertility.values() if isinstance(told, dict) for key in told))
    rows = [
        [given(language), *(_value(told.get(key), key) for key in columns)]
        for language, told in fertility.items()
        if isinstance(told, dict)
    ]
    figures = element("div", _pairs({key: value for key, value in facts.items() if key != "fertility"}))
    fertile = table(["language", *(spoken(key) for key in columns)], rows, caption="Per language") if rows else None
    return element(
        "section",
        element("h2", "From text to tokens"),
        element(
            "p",
            "The tokenizer cuts text into words and pieces of words. The fewer tokens a word needs, the more text fits "
            "into a row; an unknown token is text that the model can't see.",
        ),
        element("div", figures, element("div", fertile) if fertile else None, class_="columns"),
        id="tokens",
    )


def rows(run: Run) -> Html | None:
    """Where every token of the corpus went: trained on, or dropped; and how much room padding took."""
    facts = section(run.facts, "rows")
    if not facts:
        return None
    told = []
    places, padded = _places(facts), number(facts, "padded_tokens")
    if places and padded is not None:
        told.append(f"Padding takes {share(padded / places)} of their places. ")
    if number(facts, "dropped_tokens") == 0:
        told.append("No token was dropped: long documents were split, not cut off.")
    return element(
        "section",
        element("h2", "From tokens to rows"),
        element("p", "The model reads rows of a fixed length. ", told),
        _pairs(facts),
        _sum(facts),
        id="rows",
    )


_PARTS = ("trained_tokens", "special_tokens", "padded_tokens")


def _places(facts: Record) -> float:
    """How many places the rows have together."""
    return sum(numbers(facts).get(part, 0) for part in _PARTS)


def _sum(facts: Record) -> Html | None:
    """Whether the places of all rows are accounted for."""
    counted = numbers(facts)
    if not {"rows", "row_length", "trained_tokens", "padded_tokens"} <= counted.keys():
        return None
    length = counted.get("places_per_row", counted["row_length"])  # of a source and a target side by side
    places = counted["rows"] * length
    parts = " + ".join(f"{whole(counted[part])} {part.partition('_')[0]}" for part in _PARTS if part in counted)
    told = f"{whole(counted['rows'])} rows of {whole(length)} = {whole(places)} places = {parts}"
    return verdict(places == _places(facts), told, f"the parts make {whole(_places(facts))}")


def others(run: Run) -> list[Html]:
    """Every other object of facts.json as a table of its own."""
    shown = {"tokenizer", "rows", "baselines", "warnings", "corpus", "untrained", "result"}
    blocks = []
    for name, facts in run.facts.items():
        if name not in shown and isinstance(facts, dict) and facts:
            blocks.append(element("div", element("h3", spoken(name).capitalize()), _pairs(facts)))
    return blocks


def _pairs(facts: Record) -> Html:
    told = {key: value for key, value in facts.items() if value not in ("", [], {})}
    return table([], [[_name(key), _value(value, key)] for key, value in told.items()])


def _name(key: str) -> Html:
    return given(spoken(key))


def spoken(key: str) -> str:
    """'tokens_per_word' -> 'tokens per word'."""
    return clean(key).replace("_", " ")


def _value(value: Any, key: str) -> Child:
    found = number(value)
    if found is not None:
        if key.endswith(("share", "accuracy")):
            return share(found)
        if isinstance(found, int) or found == int(found):
            return whole(found) if abs(found) < 1e7 else join(whole(found), f" ({short(found)})")
        return digits(found, 4)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "–"
    if isinstance(value, dict):
        return join([element("div", _name(inner), ": ", _value(told, inner)) for inner, told in value.items()])
    if isinstance(value, list):
        return join([element("div", _value(told, key)) for told in value])
    return given(value) if len(str(value)) < 80 else code(value)
