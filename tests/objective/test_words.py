"""Every objective has its words, and only the questions about hidden tokens are called hidden."""

from __future__ import annotations

from typing import get_args

import pytest

from osnowa.objective.config import QUESTIONS, ObjectiveName
from osnowa.objective.words import words_of


@pytest.mark.parametrize("name", get_args(ObjectiveName))
def test_the_words_follow_the_question(name: ObjectiveName) -> None:
    words = words_of(name)
    assert words.question == QUESTIONS[name][0]
    assert words.tokens == {"hidden": "hidden tokens", "next": "next tokens", "target": "target tokens"}[words.question]
    assert ("pseudo" in words.figures.perplexity) is (words.question == "hidden")
    assert ("masked" in words.figures.loss) is (words.question == "hidden")


def test_sentence_order_is_about_order_and_all_else_about_following() -> None:
    assert words_of("sentence-order").pairs.tag == "sentence-order"
    assert words_of("masked-next-sentence").pairs.tag == "next-sentence"


@pytest.mark.parametrize("name", [None, 3, "", "of another version"])
def test_an_objective_that_no_file_names_is_that_of_the_first_runs(name: object) -> None:
    assert words_of(name) == words_of("masked-next-sentence")


def test_a_share_is_told_only_where_it_has_an_effect() -> None:
    told = {name for name in get_args(ObjectiveName) if words_of(name).task.share}
    assert told == {"masked", "masked-next-sentence", "sentence-order", "span-corruption", "infilling"}
