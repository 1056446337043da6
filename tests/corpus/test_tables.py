"""CSV and TSV: delimiter, quoting and header are found and stated; rows are documents (A16)."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import read_text

from osnowa.errors import DataError


@pytest.mark.parametrize(
    ("delimiter", "word"), [(",", "commas"), (";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")]
)
def test_the_delimiter_is_found_and_stated(tmp_path: Path, delimiter: str, word: str) -> None:
    rows = [["id", "tytuł", "text"], *([str(n), f"T{n}", f"Zdanie, a w nim; przecinek {n}."] for n in range(20))]
    data = "\n".join(delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row) for row in rows)
    outcome = read_text(tmp_path, data, "a.csv")
    assert outcome.texts == [row[2] for row in rows[1:]]
    assert [d.line for d in outcome.documents] == list(range(2, 22))
    assert f"cells parted by {word}, cells may be quoted, the first row names the columns; the text is column text" in (
        outcome.notes
    )


def test_line_ends_and_quotes_inside_cells_are_kept_and_lines_stay_physical(tmp_path: Path) -> None:
    data = 'id,text\r\n1,"Pierwszy\r\nwiersz, ""cytat"""\r\n2,"Drugi\u2028ciąg"\r\n\r\n3,Trzeci\r\n'
    outcome = read_text(tmp_path, data, "a.csv")
    assert [(d.text, d.line) for d in outcome.documents] == [
        ('Pierwszy\nwiersz, "cytat"', 2), ("Drugi\u2028ciąg", 4), ("Trzeci", 6),
    ]  # fmt: skip


def test_quotes_in_tsv_are_text_unless_cells_are_quoted(tmp_path: Path) -> None:
    plain = 'en\tpl\nSee "Note" and "x\tZobacz „Uwagę”, długie zdanie\n"Go" he said\t"Idź" powiedział do nich\n'
    outcome = read_text(tmp_path, plain, "a.tsv", text_column="pl")
    assert outcome.texts == ["Zobacz „Uwagę”, długie zdanie", '"Idź" powiedział do nich']
    quoted = 'en\tpl\n"a b"\t"Cała komórka\nw cudzysłowie"\n'
    assert read_text(tmp_path, quoted, "b.tsv", text_column="pl").texts == ["Cała komórka\nw cudzysłowie"]


def test_tables_without_a_header_number_their_columns(tmp_path: Path) -> None:
    rows = [f"Pytanie numer {n}, czy to działa?\tOdpowiedź numer {n}, tak działa." for n in range(9)]
    with pytest.raises(DataError, match=r"several columns of text .column 1, column 2;"):
        read_text(tmp_path, "\n".join(rows), "a.tsv")
    outcome = read_text(tmp_path, "\n".join(rows), "a.tsv", text_column="column 2")
    assert outcome.texts == [row.split("\t")[1] for row in rows]
    assert "no row of names; the text is column 2" in outcome.notes


def test_a_first_row_whose_words_come_again_is_no_header(tmp_path: Path) -> None:
    data = "\n".join(f"Zdanie o czymś zupełnie innym {n}.,O" for n in range(5))
    assert len(read_text(tmp_path, data, "a.csv").texts) == 5


def test_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    data = 'text\nPierwszy, z przecinkiem; i średnikiem.\n"Drugi, ""w cudzysłowie"""\nTrzeci.\n'
    outcome = read_text(tmp_path, data, "a.csv")
    assert outcome.texts == ["Pierwszy, z przecinkiem; i średnikiem.", 'Drugi, "w cudzysłowie"', "Trzeci."]
    assert "one column, text" in outcome.notes


def test_a_wrong_column_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no column body; its columns are id, text"):
        read_text(tmp_path, "id,text\n1,a\n", "a.csv", text_column="body")


def test_a_row_of_another_width_stops_or_is_rejected(tmp_path: Path) -> None:
    data = "id,text\n" + "1,Dobry.\n" * 30 + "2,Zły, bo,dłuższy\n3,Dobry.\n"
    with pytest.raises(DataError, match=r"a\.csv:32: has a wrong number of cells \(4, not 2\)|\(3, not 2\)"):
        read_text(tmp_path, data, "a.csv")
    outcome = read_text(tmp_path, data, "a.csv", bad_lines="skip")
    assert outcome.texts == ["Dobry."] * 31
    assert (outcome.rejected[0].line, outcome.rejected[0].raw) == (32, "2,Zły, bo,dłuższy\n")


def test_a_missing_quote_is_bounded_and_named(tmp_path: Path) -> None:
    data = "id,text\n" + "1,Dobry.\n" * 500 + '2,"Bez końca\n' + "3,Wiersz w środku cytatu.\n" * 100
    with pytest.raises(DataError, match=r"a\.csv:502: is no row \(a row has more than 1,000 characters"):
        read_text(tmp_path, data, "a.csv", max_record_characters=1000)
    outcome = read_text(tmp_path, data, "a.csv", max_record_characters=1000, bad_lines="skip")
    assert outcome.texts[:500] == ["Dobry."] * 500
    assert outcome.texts[-1] == "Wiersz w środku cytatu."
    assert outcome.rejected[0].line == 502


def test_a_line_that_is_too_long_is_bounded_and_the_next_rows_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("osnowa.corpus.lines.GRID", 64)
    data = "id,text\n" + "1,Dobry.\n" * 50 + "2," + "x" * 5000 + "\n3,Następny.\n"
    outcome = read_text(tmp_path, data, "a.csv", max_record_characters=1000, bad_lines="skip")
    assert outcome.texts == ["Dobry."] * 50 + ["Następny."]
    assert [(bad.line, bad.reason) for bad in outcome.rejected] == [(52, "is no row")]


def test_empty_cells_are_documents_for_the_rules_to_count(tmp_path: Path) -> None:
    assert read_text(tmp_path, "id,text\n1,\n2,a\n", "a.csv").texts == ["", "a"]


def test_labels_alone_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no column of text among slowo, tag"):
        read_text(tmp_path, "slowo,tag\n" + "Rano,X\nkot,Y\n" * 5, "a.csv")
