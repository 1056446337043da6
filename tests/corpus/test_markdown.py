"""Markdown: the marks go, every word stays."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import read_text

from osnowa.corpus.markdown import read_markdown


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("# Tytuł", "Tytuł"),
        ("### Tytuł ###", "Tytuł"),
        ("## Język C#", "Język C#"),
        ("Tytuł\n=====\n\ntekst\n-----", "Tytuł\n\n\ntekst\n"),
        ("To **ważne** i *bardzo*, __tak__ _jest_.", "To ważne i bardzo, tak jest."),
        ("2 * 3 * 4 i snake_case_name", "2 * 3 * 4 i snake_case_name"),
        ('[odnośnik](https://a.b/c_(d)) i ![obraz](x.png "podpis")', "odnośnik i obraz"),
        ("[tekst][1] i <https://a.b>", "tekst i https://a.b"),
        ("`kod` i ``a ` b``", "kod i a ` b"),
        ("> cytat\n> > w cytacie", "cytat\nw cytacie"),
        ("a <!-- uwaga --> b", "a  b"),
        (
            '<p align="center">Tekst<br/> dalej</p> i a <b c lub x < y > z, <nieznany> znak',
            "Tekst dalej i a <b c lub x < y > z, <nieznany> znak",
        ),
        (r"\*nie\* kursywa", "*nie* kursywa"),
        ("| a | b |\n|---|:-:|\n| c | d |", "| a | b |\n\n| c | d |"),
        ("* punkt\n- drugi\n1. trzeci", "* punkt\n- drugi\n1. trzeci"),
        ("a\n```python\nx = a_b_c * [1](2)\n```\nb", "a\nx = a_b_c * [1](2)\nb"),
        ("~~~\n```\n**x**\n~~~", "\n```\n**x**\n"),
        ("Cena [1], tablica[0] i (nawias).", "Cena [1], tablica[0] i (nawias)."),
    ],
)
def test_marks_go_and_text_stays(marked: str, plain: str) -> None:
    assert read_markdown(marked, at_start=False) == plain


def test_a_front_matter_goes_only_at_the_beginning_of_a_file(tmp_path: Path) -> None:
    text = "---\ntitle: Tytuł\n---\nTekst.\n\n---\n\nDalej."
    assert read_text(tmp_path, text, "a.md").texts == ["Tekst.\n\n\n\nDalej."]
    assert "title" in read_markdown("Tekst.\n" + text, at_start=True)
    assert "title" in read_markdown(text, at_start=False)


@pytest.mark.parametrize(
    "piece", ["**a ", "__a ", "`a ``", "<!-- ", "[a](", "[", "- ", "-|", "# ", " ", "*a ", "> ", "![a]", "[a]: b "]
)
def test_marks_without_an_end_take_little_time(piece: str) -> None:
    before = time.monotonic()
    for text in (piece * (200_000 // len(piece)), "# " + piece * (200_000 // len(piece)) + "x"):
        read_markdown(text, at_start=True)
    assert time.monotonic() - before < 30  # about 1 s here; quadratic search takes many minutes


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["słowo", "ab", " ", "\n", "*", "**", "_", "`", "[", "]", "(", ")", "#", ">", "!", "-"]))
)
def test_no_word_is_ever_lost(parts: list[str]) -> None:
    marked = "".join(parts)
    if re.search(r"\]\(|\]\[|\]:", marked):  # the target of a link is no word of the text
        return
    if re.search(r"`{3}", marked):  # nor is what follows the mark of a code block
        return
    assert re.findall(r"\w+", read_markdown(marked, at_start=False).replace("_", " ")) == re.findall(
        r"\w+", marked.replace("_", " ")
    ) or re.sub(r"\W|_", "", read_markdown(marked, at_start=False)) == re.sub(r"\W|_", "", marked)
