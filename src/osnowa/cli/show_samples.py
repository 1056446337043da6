"""What a person reads of rows before training: what goes in, and what must come out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from osnowa.cli.show import line

if TYPE_CHECKING:
    from osnowa.runs.show_rows import HiddenText, NextText, ShownRow, ShownText, TargetText


def samples(rows: Sequence[ShownRow]) -> None:
    """Each row, its texts one below the other."""
    for number, row in enumerate(rows, start=1):
        line(f"row {number}: {len(row.texts)} text{'' if len(row.texts) == 1 else 's'}")
        for text in row.texts:
            for each in lines_of(text):
                line(f"  {each}")
            line()


def lines_of(text: ShownText) -> list[str]:
    """A text of a row in words."""
    from osnowa.runs.show_rows import HiddenText, NextText

    if isinstance(text, HiddenText):
        return hidden(text)
    return following(text) if isinstance(text, NextText) else target(text)


def hidden(text: HiddenText) -> list[str]:
    asked = [f"    place {each.place}: {each.shown} -> {each.truth}  ({each.how})" for each in text.asked]
    pair = [] if text.pair is None else [f"pair: {text.pair}"]
    return [f"in:   {text.shown}", "out:", *asked, *pair]


def following(text: NextText) -> list[str]:
    pairs = "  ".join(f"{token} -> {after}" for token, after in text.pairs)
    more = f"  ... {text.num_asked} in all" if text.num_asked > len(text.pairs) else ""
    silent = [f"not asked after place {place}, {token}: {why}" for place, token, why in text.not_asked]
    return [f"in:   {text.text}", f"out:  {pairs}{more}", *silent]


def target(text: TargetText) -> list[str]:
    end = [] if text.end_asked else ["the end of the target is not asked: the text goes on"]
    return [f"in:   {text.source}", f"out:  {text.target}  (after {text.begin})", *end]
