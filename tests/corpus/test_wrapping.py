"""Hard-wrapped prose is joined; verse, lists, code, tables and dialogue keep their lines."""

from __future__ import annotations

import textwrap

import pytest

from osnowa.corpus.wrapping import unwrap

PROSE = (
    "Nad brzegiem rzeki stał stary młyn, którego koło od lat nie obracało się ani razu, choć woda płynęła wartko i "
    "szumiała tak głośno, że trzeba było krzyczeć, aby ktokolwiek usłyszał drugiego człowieka. Młynarz odszedł do "
    "miasta, a jego pies jeszcze długo czekał na progu i nikogo nie wpuszczał do środka."
)
KEPT = {
    "verse": "Litwo! Ojczyzno moja! ty jesteś jak zdrowie. Ile cię cenić,\nTen tylko się dowie, kto cię stracił. Dziś piękność\n"
    "Widzę i opisuję, bo tęsknię po tobie, Panno święta,\nCo jasnej bronisz Częstochowy i w Ostrej świecisz Bramie!",
    "short verse": "idzie dysc idzie dysc\nidzie sikawica\nuleje usiece\nuleje usiece\nbiednego stasica",
    "list": "- pierwszy punkt listy, który jest dość długi, ale mieści się\n- drugi punkt listy, który jest prawie tak samo długi\n"
    "- trzeci punkt listy, który kończy całe to wyliczenie",
    "dialogue": "— Czy widziałeś wczoraj tego człowieka w szarym płaszczu?\n— nie widziałem nikogo poza psem, który spał na progu",
    "code": "for (int licznik = 0; licznik < liczba_elementow; licznik++) {\n"
    "    suma_czesciowa = suma_czesciowa + tablica[licznik] * wagi[licznik];\n"
    "    sprawdz_przepelnienie(suma_czesciowa, najwieksza_dozwolona_suma);",
    "table": "nazwa towaru w magazynie głównym\tliczba sztuk\tcena jednostkowa\nśruba sześciokątna ocynkowana\t1200\t0,15 zł za sztukę\n"
    "nakrętka motylkowa nierdzewna\t800\t0,25 zł za sztukę brutto",
    "letter head": "Jan Kowalski, ulica Długa dwanaście mieszkania cztery\nWarszawa, województwo mazowieckie, kod 00-950\nTelefon domowy "
    "i numer służbowy podany niżej",
    "sentences": "Krótkie zdanie pierwsze.\nDrugie zdanie jest już o wiele dłuższe od poprzedniego i ma ponad pięćdziesiąt znaków.\n"
    "Trzecie.\nczwarte zaczyna się małą literą, ale mogłoby stać wyżej.",
    "free verse": "a kiedy wróciliśmy z tej długiej i bardzo dalekiej podróży do domu\nnikt nas nie poznał\n"
    "więc staliśmy chwilę pod zamkniętymi drzwiami naszego dawnego mieszkania\ni poszliśmy dalej",
    "long lines": PROSE.rstrip(".") + "\n" + PROSE[4:],
    "paragraphs": PROSE + "\nmałą literą zaczyna się drugi akapit, który nie jest dalszym ciągiem pierwszego.",
}


@pytest.mark.parametrize("width", [60, 72, 80, 100])
def test_wrapped_paragraphs_come_back_as_they_were(width: int) -> None:
    wrapped = "\n".join(textwrap.wrap(PROSE, width, break_long_words=False, break_on_hyphens=False))
    assert "\n" in wrapped
    assert unwrap(f"{wrapped}\n\n{wrapped}") == f"{PROSE}\n\n{PROSE}"


def test_a_list_whose_items_are_wrapped_keeps_its_items() -> None:
    item = f"- {PROSE[:179]}"
    wrapped = textwrap.fill(item, 70, subsequent_indent="  ")
    assert wrapped.count("\n") == 2
    assert unwrap("\n".join([wrapped] * 3)) == "\n".join([item] * 3)


@pytest.mark.parametrize("kind", KEPT)
def test_lines_that_mean_something_stay(kind: str) -> None:
    assert unwrap(KEPT[kind]) == KEPT[kind]


def test_a_compound_word_at_a_line_end_gets_no_blank() -> None:
    text = "Na maszcie powiewała tego ranka wielka flaga biało-\nczerwona, którą uszyła moja babcia."
    assert "biało-czerwona" in unwrap(text)


def test_blank_lines_of_blanks_part_blocks_too() -> None:
    text = "\n".join(textwrap.wrap(PROSE, 72)) + "\n   \n" + "\n".join(textwrap.wrap(PROSE, 72))
    assert unwrap(text) == f"{PROSE}\n   \n{PROSE}"
