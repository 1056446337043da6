"""The language of Polish and English text is named, and not guessed where there is too little to tell."""

from __future__ import annotations

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

import texts
from osnowa.corpus.language import LANGUAGES, UNKNOWN, identify


def test_the_codes_are_those_the_model_knows() -> None:
    """zxx ("no language") is an answer, not a language to ask for."""
    assert set(LanguageIdentifier.from_model_file(MODEL_FILE).labels) - {"zxx"} == LANGUAGES


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("pl", "Babcia czyta długą książkę w ogrodzie."),
        ("en", "The baker counts the white geese by the river every morning."),
        ("de", "Alle Menschen sind frei und gleich an Würde und Rechten geboren."),
        ("uk", "Всі люди народжуються вільними і рівними у своїй гідності та правах."),
        ("pl", "TO JEST TEKST PISANY WIELKIMI LITERAMI, ALE WCIĄŻ PO POLSKU."),
    ],
)
def test_the_language_is_named(language: str, text: str) -> None:
    assert identify(text) == language


@pytest.mark.parametrize(
    "text", ["", "Tak.", "x = f(a, b)", "1234567890 1234567890 1234567890", "*** --- *** --- *** ---"]
)
def test_too_little_to_tell_is_unknown(text: str) -> None:
    assert identify(text) == UNKNOWN


def test_a_long_document_is_judged_past_its_title() -> None:
    polish = " ".join(texts.SENTENCES[:75])
    english = (
        "This manual describes the installation and the configuration of the system, and it is for all of its users. "
    )
    assert identify(english * 4 + polish) == "pl"


def test_a_middle_without_words_does_not_hide_the_language() -> None:
    polish = " ".join(texts.SENTENCES[:5])
    assert identify(polish + "\n" + "0 1 2 3 4 5 6 7 8 9 | " * 60) == "pl"
