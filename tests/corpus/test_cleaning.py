"""Cleaning: each rule does what its name says, once is enough, and no Polish letter is ever lost (A6, A7, A8)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from osnowa.corpus.cleaning import RULES, clean, size

POLISH = "ąćęłńóśźżĄĆĘŁŃÓŚŹŻ"
SENTENCE = "Zażółć gęślą jaźń. ZAŻÓŁĆ GĘŚLĄ JAŹŃ."
# Pieces that the rules look for, so that random texts meet all of them and their meetings.
PIECES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            "\r\n", "\r", "\n", "\n\n\n", " ", "  ", "\t", "\t ", "\u200b", "\xad", "\xad\n", "\u200d", "\ufeff", "\x00",
            "\x85", "\u2028", "\xa0", "ą", "a\u0328", "z\u0307", "\ud800", "\uffff", "\U0001fffe", "Ä…", "Ĺ‚", "Å‚", "Ã³",
            "Â ", "by³o ", "Za¿ó³æ ", "â€œ", "\x9d", "ł", "— ", "- ", "1. ", "słowo ", "w dalszym ciągu zdania ", "a" * 30,
        ]
    ),
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=30).map("".join)


def rules(text: str) -> list[str]:
    return [change.rule for change in clean(text)[1]]


@given(TEXTS)
@settings(max_examples=300, deadline=None)
@example("Å\u200b‚ Å‚ Ã³ Å‚")
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    cleaned, _ = clean(text)
    assert clean(cleaned) == (cleaned, [])


@pytest.mark.parametrize("rule", RULES)
@given(text=TEXTS)
@settings(max_examples=100, deadline=None)
def test_each_rule_is_content_with_what_it_made(rule: str, text: str) -> None:
    once = RULES[rule](text)
    assert RULES[rule](once) == once


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_the_bytes_that_the_rules_removed_add_up(text: str) -> None:
    cleaned, changes = clean(text)
    assert size(text) - sum(change.bytes_removed() for change in changes) == size(cleaned)


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_what_comes_out_is_utf8_in_nfc_without_controls(text: str) -> None:
    cleaned, _ = clean(text)
    cleaned.encode()
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not [letter for letter in cleaned if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t"]


@pytest.mark.parametrize("letter", POLISH)
def test_each_polish_letter_survives_composed_and_decomposed(letter: str) -> None:
    decomposed = unicodedata.normalize("NFD", letter)
    assert clean(f"s{letter}k")[0] == clean(f"s{decomposed}k")[0] == f"s{letter}k"


@given(st.text(alphabet=POLISH + "aeioz .\n", max_size=60))
@settings(max_examples=200, deadline=None)
def test_polish_text_loses_nothing_but_white_space(text: str) -> None:
    assert "".join(clean(text)[0].split()) == "".join(text.split())


@pytest.mark.parametrize("broken", ["\r\n", "\r", "\u2028", "\u2029", "\f", "\v"])
def test_every_kind_of_line_end_becomes_a_line_feed(broken: str) -> None:
    assert clean(f"jeden{broken}dwa")[0] == "jeden\ndwa"
    assert rules(f"jeden{broken}dwa") == ["line_endings"]


@pytest.mark.parametrize("invisible", ["\x00", "\x07", "\x1b", "\x7f", "\u200b", "\u200e", "\ufeff", "\u2060", "\ud800",
                                       "\ufffe", "\uffff", "\ufdd0", "\U0001fffe", "\U000e0041", "\xad"])  # fmt: skip
def test_invisible_characters_go_and_are_counted(invisible: str) -> None:
    cleaned, changes = clean(f"sło{invisible}wo")
    assert cleaned == "słowo"
    assert [(change.rule, change.bytes_removed()) for change in changes] == [("control_characters", size(invisible))]


@pytest.mark.parametrize("space", ["\xa0", "\u2009", "\u202f", "\u3000"])
def test_odd_spaces_become_a_space(space: str) -> None:
    assert clean(f"10{space}zł")[0] == "10 zł"


def test_a_word_divided_by_a_soft_hyphen_is_whole_again() -> None:
    assert clean("nie\xadpod\xad\n  ległość")[0] == "niepodległość"


@pytest.mark.parametrize("shaped", ["می\u200cخواهم", "\U0001f468\u200d\U0001f469", "क्\u200dष"])
def test_joiners_stay_where_a_script_needs_them(shaped: str) -> None:
    assert clean(shaped) == (shaped, [])


def test_joiners_go_from_latin_text() -> None:
    assert clean("sło\u200dwo\u200c")[0] == "słowo"


def test_white_space_is_squeezed_and_indentation_is_kept() -> None:
    text = "\n  \nTytuł   książki\t tom  \n\n\n\n    wcięty   wiersz\n"
    assert clean(text)[0] == "Tytuł książki\ttom\n\n    wcięty wiersz"


def test_good_text_is_not_touched() -> None:
    text = f"{SENTENCE}\n\n– Tak – rzekł „Jan”. Cena: 5 € (±2 %), 20 °C, m², naïve café, 日本語, Привет…"
    assert clean(text) == (text, [])


def test_a_rule_that_is_off_is_not_applied() -> None:
    text = "a  b\nÅ‚Ã³dÅº i Å‚Ä…ka"
    assert clean(text, ["white_space", "mojibake"]) == (text, [])
    assert clean(text)[0] == "a b\nłódź i łąka"


def test_a_rule_that_makes_work_for_an_earlier_one_is_not_the_last_word() -> None:
    """The zero-width space hides the wrongly decoded letter from the first look."""
    hidden = "Å\u200b‚Ã\u200b³dÅ\u200bº Å\u200b‚Ä\u200b…ka"
    assert clean(hidden)[0] == "łódź łąka"
