"""The settings of the corpus: rules can be turned off by name, unknown names and languages are refused."""

from __future__ import annotations

from typing import get_args

import pytest

from osnowa.corpus import cleaning, quality
from osnowa.corpus.config import CorpusConfig, Rule
from osnowa.errors import SettingsError


def test_every_rule_but_the_promises_can_be_turned_off() -> None:
    """Later rooms rely on line feeds, no controls, NFC; `empty` documents can't be kept."""
    always = {"line_endings", "control_characters", "nfc"}
    known = {*cleaning.RULES, "boilerplate_lines", *quality.RULES, "exact_duplicate", "near_duplicate"}
    assert set(get_args(Rule)) == known - always


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in CorpusConfig.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rules_off": ["nfc"]}, "corpus.rules_off"),
        (
            {"languages": ["pl", "polish"]},
            "corpus.languages = polish: is no language code known here; use codes such as",
        ),
        ({"held_out": 0.0}, "corpus.held_out = 0.0: is out of range; it must be > 0"),
        ({"held_out": 0.6}, "it must be <= 0.5"),
        ({"near_duplicate_similarity": 0.3}, "it must be >= 0.5"),
        ({"max_repeated_share": 2}, "it must be <= 1"),
        ({"min_charakters": 3}, "did you mean corpus.min_characters?"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        CorpusConfig.read("corpus", values)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
