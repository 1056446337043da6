"""Rows as the model will see them, decoded: what goes in and what must come out, before any training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osnowa.data import Rows
from osnowa.data.batch import Place
from osnowa.data.plan import IS_NEXT
from osnowa.objective import Batch, Objective, Target
from osnowa.objective.words import words_of
from osnowa.runs.prepare import Prepared
from osnowa.runs.recipe import Recipe
from osnowa.runs.rows import objective_of, sequence_of
from osnowa.tokenizer import Tokenizer

MOST_PAIRS = 20  # of a token and the next, for each text
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class HiddenPlace:
    """A place that is asked: the token that the model sees there, and the one that stood there."""

    place: int  # in its text
    shown: str
    truth: str
    how: str  # masked, random or unchanged


@dataclass(frozen=True)
class HiddenText:
    """A text, or a pair of them, with hidden tokens; `pair` says what is true of the pair, where that is asked."""

    shown: str
    asked: tuple[HiddenPlace, ...]
    pair: str | None = None


@dataclass(frozen=True)
class NextText:
    """A text and the first tokens of it, each with the next; `not_asked`: (place, token, why)."""

    text: str
    pairs: tuple[tuple[str, str], ...]
    num_asked: int
    not_asked: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True)
class TargetText:
    """A source and its target. A decoder reads both in a row, with `begin` between them."""

    source: str
    target: str
    begin: str
    end_asked: bool  # False: the text goes on, so that it would be wrong to ask for its end


ShownText = HiddenText | NextText | TargetText


@dataclass(frozen=True)
class ShownRow:
    """The texts packed into a row, in their order."""

    question: str
    texts: tuple[ShownText, ...]

    def as_dict(self) -> dict[str, Any]:
        return {"question": self.question, "texts": [asdict(each) for each in self.texts]}


def show_rows(prepared: Prepared, recipe: Recipe, count: int) -> list[ShownRow]:
    """The first `count` rows that training would show (fewer where the text has fewer), each token as it is named.

    Raises:
        SettingsError: a model of that topology can't learn that objective.
    """
    seed, tokenizer = recipe.run.seed, prepared.tokenizer
    objective = objective_of(recipe, tokenizer, seed)
    sequence = sequence_of(recipe, tokenizer, prepared.store.train, objective, seed)
    count = min(count, len(sequence.plan(0)))
    if count < 1:
        return []
    rows, _ = sequence.take(Place(), count)
    return decode_rows(rows, objective, tokenizer)


def decode_rows(rows: Rows, objective: Objective, tokenizer: Tokenizer) -> list[ShownRow]:
    """`rows` with the questions of `objective`, decoded."""
    if isinstance(objective, Target):
        begin = tokenizer.token(objective.vocabulary.cls)
        texts = [
            [
                TargetText(tokenizer.decode(source.tolist()), tokenizer.decode(target.tolist()), begin, asked)
                for source, target, asked in row
            ]
            for row in objective.damaged(rows).rows()
        ]
        return [ShownRow("target", tuple(each)) for each in texts]
    batch, question = objective.batch(rows), objective.config.question
    found: list[ShownRow] = []
    for row, documents in enumerate(rows.document_ids):
        places = [np.flatnonzero(documents == number) for number in range(1, int(documents.max(initial=0)) + 1)]
        make = _hidden if question == "hidden" else _next
        found.append(ShownRow(question, tuple(make(rows, batch, row, at, objective, tokenizer) for at in places)))
    return found


def _hidden(rows: Rows, batch: Batch, row: int, at: I64, objective: Objective, tokenizer: Tokenizer) -> HiddenText:
    flat = row * rows.tokens.shape[1] + at
    shown, true = batch.tokens.numpy()[row, at], rows.tokens[row, at]
    mask = objective.vocabulary.mask
    asked = tuple(
        HiddenPlace(
            int(place),
            tokenizer.token(int(shown[place])),
            tokenizer.token(int(true[place])),
            "masked" if shown[place] == mask else "unchanged" if shown[place] == true[place] else "random",
        )
        for place in np.flatnonzero(np.isin(flat, batch.selected.numpy()))
    )
    labels = rows.is_next[rows.first == flat[0]]
    answers = words_of(objective.config.name).pairs.answers
    pair = answers[0 if labels[0] == IS_NEXT else 1] if len(labels) else None
    return HiddenText(tokenizer.decode(shown.tolist()), asked, pair)


def _next(rows: Rows, batch: Batch, row: int, at: I64, objective: Objective, tokenizer: Tokenizer) -> NextText:
    flat = row * rows.tokens.shape[1] + at
    tokens = [tokenizer.token(int(each)) for each in rows.tokens[row, at]]
    asked = np.isin(flat, batch.selected.numpy())
    pairs = tuple((tokens[place], tokens[place + 1]) for place in np.flatnonzero(asked)[:MOST_PAIRS])
    silent = tuple(
        (
            int(place),
            tokens[place],
            "nothing comes after it" if place == len(tokens) - 1 else "the text goes on elsewhere",
        )
        for place in np.flatnonzero(~asked)
    )
    return NextText(tokenizer.decode(rows.tokens[row, at].tolist()), pairs, int(asked.sum()), silent)
