"""Wrongly decoded Polish is mended whatever table it went through; good text of any language is left alone."""

from __future__ import annotations

import ftfy.bad_codecs  # noqa: F401  # registers the sloppy tables
import pytest

from osnowa.corpus.mojibake import POLISH, mend

TEXT = "Zażółć gęślą jaźń. Łódź, Świnoujście, Ćmielów, Żary, Ńemno: ÓSMA ĄĘ, Źdźbło."
TABLES = [
    "sloppy-windows-1250", "sloppy-windows-1252", "latin-1", "iso-8859-2", "cp852", "cp437", "macroman",
]  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_polish_utf8_read_as_one_byte_a_character_is_mended(table: str) -> None:
    broken = TEXT.encode().decode(table)
    assert broken != TEXT
    assert mend(broken) == TEXT


# The bytes of Ź in ISO 8859-2 read like those of Ś in cp1250, which is met more often.
LETTERS = [(table, letter) for table in TABLES[:4] for letter in POLISH if (table, letter) != ("iso-8859-2", "Ź")]


@pytest.mark.parametrize(("table", "letter"), LETTERS)
def test_each_letter_is_mended_among_others(table: str, letter: str) -> None:
    text = f"żółty koń {letter} stoi, k{letter}t"
    assert mend(text.encode().decode(table)) == text


def test_only_the_broken_lines_of_a_document_change() -> None:
    broken = "Dobry wiersz: łąka.\n" + "zły: żółć i gęś".encode().decode("cp1252") + "\nZnów dobry: źrebię."
    assert mend(broken) == "Dobry wiersz: łąka.\nzły: żółć i gęś\nZnów dobry: źrebię."


@pytest.mark.parametrize(("written", "read"), [("cp1250", "cp1252"), ("iso-8859-2", "latin-1")])
def test_polish_in_a_central_european_table_read_as_western_is_mended(written: str, read: str) -> None:
    text = "zażółć gęślą jaźń, więc było świetnie i żabka śpiewała"
    assert mend(text.encode(written).decode(read)) == text


@pytest.mark.parametrize(
    "good",
    [
        TEXT,
        "Él comió una piña: ¿qué más? ¡Olé! Coûte que coûte, l’œuvre naïve.",
        "Größe, Übermut und „Ärger“ – Straße…",
        "Příliš žluťoučký kůň úpěl ďábelské ódy. Ľúbezný ďateľ.",
        "Árvíztűrő tükörfúrógép, Ğüzel şehir, Ångström, smørrebrød",
        "Вот русский текст „в кавычках“ – и тире… Ελληνικά: άλφα.",
        "Powierzchnia 25 m², objętość 3 m³, kąt 90°, ±5 µm, ¼ szklanki, © 2024 „Dom”",
    ],
)
def test_good_text_of_any_language_is_left_alone(good: str) -> None:
    assert mend(good) == good


def test_a_lone_pair_that_could_be_meant_is_left_alone() -> None:
    assert mend("Der Buchstabe Ä… und dann nichts.") == "Der Buchstabe Ä… und dann nichts."
