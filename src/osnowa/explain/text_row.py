"""A text of the user's as the row that training would make of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from osnowa.data import IS_NEXT, NOT_ASKED, NOT_NEXT, Rows, Samples, TokenSplit
from osnowa.data.rows import Specials, write_rows
from osnowa.errors import DataError
from osnowa.objective import PAIRED, Objective


def text_row(
    objective: Objective, first: Sequence[int], second: Sequence[int] = (), *, number: int = 0, follows: bool = True
) -> Rows:
    """One row: [CLS] A [SEP] or [CLS] A [SEP] B [SEP], whose masks are those of row `number` of the first epoch.

    `follows` is the truth about a pair where the objective judges pairs. Special tokens in the text stay what they are:
    they are never hidden.

    Raises:
        DataError: no text, or more of it than the objective has room for.
    """
    if not first:
        raise DataError("explain", "the text is empty", "give a text")
    room = objective.room
    longest = max(len(first), len(second)) if objective.shape == "couple" else len(first) + len(second)
    if room is not None and longest > room.budget:
        raise DataError("explain", f"the text has {longest} tokens, a row has room for {room.budget}", "shorten it")
    borders = np.cumsum([0, len(first), *([len(second)] if second else [])])
    split = TokenSplit(
        np.array([*first, *second], dtype=np.uint32), borders, np.array([0, len(borders) - 1]), num_bytes=0
    )
    asked = (IS_NEXT if follows else NOT_NEXT) if second and objective.config.name in PAIRED else NOT_ASKED
    sample = Samples(*(np.array([each]) for each in (0, len(first), len(first), len(second), asked)))
    vocabulary = objective.vocabulary
    rows = write_rows(
        split,
        sample,
        np.array([1]),
        int(sample.length[0]),
        Specials(vocabulary.cls, vocabulary.sep, vocabulary.pad),
        np.array([number]),
        0,
    )
    return marked(rows, vocabulary.special_ids) if objective.config.question == "hidden" else rows


def marked(rows: Rows, special_ids: Collection[int]) -> Rows:
    """The same with every special token known as such."""
    return replace(rows, special=rows.special | np.isin(rows.tokens, sorted(special_ids)))
