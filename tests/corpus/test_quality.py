"""Each quality rule drops what its name says and lets good text of many kinds and languages pass."""

from __future__ import annotations

import base64
import inspect
import random

import pytest

import texts
from osnowa.corpus.config import CorpusConfig
from osnowa.corpus.quality import RULES, Facts, failed_rule
from osnowa.corpus.shingles import shingles

BAD = {
    "too_short": "Rozdział 2",
    "replacement_characters": "Za���� g��l� ja�� i tak dalej przez cały tekst",
    "mostly_symbols": "\n".join(f"| {n * n} | {n * 7},5 | -- | {n} % |" for n in range(40)) + "\nsuma",
    "unbroken_runs": "klucz: " + base64.b64encode(bytes(range(256)) * 4).decode(),
    "repetition": "kup teraz tanio, tylko dzisiaj u nas " * 40,
}
GOOD = {
    "Polish": " ".join(texts.SENTENCES[:75]),
    "English": " ".join(texts.SENTENCES[75:]),
    "poem with a refrain": "Stary niedźwiedź mocno śpi,\nstary niedźwiedź mocno śpi.\nMy się go boimy, na palcach chodzimy:\njak się zbudzi, "
    "to nas zje!\nStary niedźwiedź mocno śpi,\nstary niedźwiedź mocno śpi.\nPierwsza godzina – niedźwiedź śpi, druga godzina – chrapie.",
    "Python": inspect.getsource(inspect),
    "documentation": inspect.getdoc(random) or "",
    "Japanese": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所でニャーニャー泣いていた事だけは記憶している。"
    * 2,
    "Hindi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    "Russian": "Все люди рождаются свободными и равными в своём достоинстве и правах.",
    "ruled headings": "Spis treści\n"
    + "=" * 90
    + "\nRozdział pierwszy: o rzekach i o jeziorach\n"
    + "-" * 90
    + "\nRozdział drugi",
    "address": "Zobacz https://przyklad.pl/" + "artykul/numer-" * 15 + " i napisz, co o tym sądzisz.",
}


def facts(text: str, language: str = "pl") -> Facts:
    return Facts(text, text.encode(), shingles(text), language)


def test_there_is_a_bad_text_for_each_rule() -> None:
    assert [*BAD, "language"] == list(RULES)


@pytest.mark.parametrize("rule", BAD)
def test_a_bad_text_is_dropped_by_its_own_rule_alone(rule: str) -> None:
    config = CorpusConfig()
    assert [name for name, fails in RULES.items() if fails(facts(BAD[rule]), config)] == [rule]
    assert failed_rule(facts(BAD[rule]), config) == rule


@pytest.mark.parametrize("rule", BAD)
def test_a_rule_that_is_off_drops_nothing(rule: str) -> None:
    assert failed_rule(facts(BAD[rule]), CorpusConfig.read("corpus", {"rules_off": [rule]})) is None


@pytest.mark.parametrize("kind", GOOD)
def test_good_text_passes(kind: str) -> None:
    assert failed_rule(facts(GOOD[kind]), CorpusConfig()) is None


def test_a_language_filter_keeps_the_wanted_and_the_unknown() -> None:
    config = CorpusConfig.read("corpus", {"languages": ["pl", "cs"]})
    text = GOOD["Polish"]
    found = {language: failed_rule(facts(text, language), config) for language in ("pl", "cs", "und", "en")}
    assert found == {"pl": None, "cs": None, "und": None, "en": "language"}


@pytest.mark.parametrize(
    ("setting", "rule", "strict", "loose"),
    [
        ("min_characters", "too_short", 20, 5),
        ("min_letter_share", "mostly_symbols", 0.9, 0.0),
        ("max_unbroken_share", "unbroken_runs", 0.01, 1.0),
        ("max_replacement_share", "replacement_characters", 0.0, 1.0),
        ("max_repeated_share", "repetition", 0.1, 1.0),
    ],
)
def test_each_threshold_decides_its_rule(setting: str, rule: str, strict: float, loose: float) -> None:
    text = facts(BAD[rule])
    assert RULES[rule](text, CorpusConfig.read("corpus", {setting: strict}))
    assert not RULES[rule](text, CorpusConfig.read("corpus", {setting: loose}))
