"""Encodings: found, stated, and never guessed into silent damage (A4-A9)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from reading import read, read_text

from osnowa.corpus.western import Evidence
from osnowa.errors import DataError

POLISH = "Zażółć gęślą jaźń. Śpiewał „Pieśń o źródle” – dźwięcznie, ąę ćł ńó śź ż. ŁÓDŹ, ŚWIĘTO, SPÓŁKA, ŻĄDZA.\n"
PLAIN = POLISH.replace("„", '"').replace("”", '"').replace("–", "-")  # what ISO-8859-2 and cp852 can hold


# --- A4: Polish legacy encodings


@pytest.mark.parametrize(("encoding", "text"), [("cp1250", POLISH), ("iso8859-2", PLAIN), ("cp852", PLAIN)])
def test_polish_legacy_text_is_found_and_stated(tmp_path: Path, encoding: str, text: str) -> None:
    outcome = read_text(tmp_path, (text * 5).encode(encoding))
    assert outcome.texts == [(text * 5).rstrip("\n")]
    assert outcome.surveys[0].encoding == encoding
    first = len(text[: text.index("ż")])
    assert outcome.surveys[0].first_invalid == first
    assert f"read as {encoding}, which gives most Polish letters (byte {first} is not UTF-8)" in outcome.notes


@pytest.mark.parametrize("encoding", ["cp1250", "iso8859-2", "cp852"])
def test_one_short_polish_line_is_enough(tmp_path: Path, encoding: str) -> None:
    assert read_text(tmp_path, "Zażółć gęślą jaźń".encode(encoding)).texts == ["Zażółć gęślą jaźń"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy, řekl šéf a čekal."),  # Czech
        ("cp1250", "Árvíztűrő tükörfúrógép, hűvös őszi éjszakán."),  # Hungarian
        ("cp1250", "Az első időben kevés volt a nő, később több lett a férfi és a gyerek."),  # Hungarian, simpler words
        ("cp1250", "Čovjek je išao kući kroz šumu i pjevao, noć je bila topla."),  # Croatian
        ("cp1250", "Mâine dimineaţă voi pleca la şcoală împreună cu fraţii mei."),  # Romanian
        ("cp1254", "Şişli'de yağmur yağıyor, çocuklar ışığın altında gülüyor."),  # Turkish
        ("cp1257", "Šiandien lietus lyja, o vaikai žaidžia prie ežero, žąsys gagena."),  # Lithuanian
        ("cp1257", "Šodien līst lietus, bet bērni spēlējas pie ezera un dzied dziesmas."),  # Latvian
        ("cp1251", "Широкая электрификация южных губерний."),  # Russian
        ("cp1253", "Η γρήγορη αλεπού πηδάει."),  # Greek
        ("cp850", "The café is open, and the façade is naïve."),  # DOS
        ("mac_roman", "The café is open, “and” that’s all."),
        ("cp1250", "Only ręka stands here."),  # rêka, or ręka
    ],
)
def test_other_legacy_text_is_refused_with_the_place_and_never_read_as_polish(
    tmp_path: Path, encoding: str, text: str
) -> None:
    data = b"Plain first line.\n" + (text + "\n").encode(encoding) * 20
    with pytest.raises(DataError, match=r"a\.txt:2: byte \d+ \(line 2\) is not UTF-8.*--corpus\.encoding="):
        read_text(tmp_path, data)
    assert read_text(tmp_path, data, encoding=encoding).texts[0].endswith(text)


WESTERN = [
    "El niño comió jamón y después durmió en la habitación pequeña. ¿Qué hizo mañana?",  # Spanish
    "Où est passé l'élève français ? Là-bas, près de la forêt, son cœur bat.",  # French
    "Die Größe der Häuser überraschte die Männer sehr, „natürlich“ – für 5 €.",  # German
    "A canção que o povo canta na praça é antiga, e ninguém sabe quem a escreveu em São João.",  # Portuguese
    "Perché la città è così bella? Più di là, però, c'è la virtù.",  # Italian
    "Det är för sent på kvällen, så vi går hem över ån.",  # Swedish
    "Jeg læser om en ø på vej hjem, og det er på høje tid.",  # Danish
    "The area is 12 m\u00b3 and the caf\u00e9 is open.",
    "The café’s façade — naïve, “as they say” — cost £5…",
    "It’s only “quotes” – and dashes.",
    "I do beseech you, wrong not Cæsar so; the encyclopædia has it.",
]


@pytest.mark.parametrize("text", WESTERN)
@pytest.mark.parametrize("times", [1, 200])
def test_western_text_is_read_as_cp1252_and_the_guess_is_stated(tmp_path: Path, text: str, times: int) -> None:
    data = b"Plain first line.\n" + (text + "\n").encode("cp1252") * times
    outcome = read_text(tmp_path, data)
    assert outcome.texts == [data.decode("cp1252").rstrip("\n")]
    (found,) = outcome.surveys
    assert (found.encoding, found.guessed) == ("cp1252", True)
    assert "guessed to be cp1252 (Western European)" in outcome.notes
    assert f"(byte {found.first_invalid:,} is not UTF-8); if that is wrong" in outcome.notes
    assert "--corpus.encoding" in outcome.notes


def test_a_few_western_bytes_in_a_long_english_file_do_not_stop_it(tmp_path: Path) -> None:
    lines = [b"A plain line of English text, as there are many."] * 5000
    strange = "The café in München – Señor Peña met Zoë from Tromsø: “it’s naïve, s’il vous plaît” – was closed."
    lines[3000] = strange.encode("cp1252")
    outcome = read_text(tmp_path, b"\n".join(lines))
    assert strange in "\n".join(outcome.texts)
    assert 'where a word is "café" (byte ' in outcome.notes


@pytest.mark.parametrize("encoding", ["cp1250", "iso8859-2"])
@pytest.mark.parametrize("name", ["Wałęsa", "Gdańsk", "Łódź", "Jaś", "Poznań", "ręka", "że"])
def test_a_polish_name_in_a_long_english_file_is_refused_and_never_read_as_western(
    tmp_path: Path, encoding: str, name: str
) -> None:
    data = b"A plain line of English text.\n" * 200 + f"This is {name} here.\n".encode(encoding)
    with pytest.raises(DataError, match=r"a\.txt:201: byte 6,0\d\d .*--corpus\.encoding="):
        read_text(tmp_path, data)


def test_text_without_blanks_is_judged_in_linear_time(tmp_path: Path) -> None:
    began = time.process_time()
    for data in (b"a" * 4_000_000 + b"\xe9", b"\xe9" * 4_000_000, b"caf\xe9" * 1_000_000):
        evidence = Evidence()
        evidence.feed(data)
        assert evidence.words == {"neither": 1}
    assert time.process_time() - began < 5  # 0.1 s; quadratic would be hours


@pytest.mark.parametrize("name", ["Wałęsa", "Gdańsk", "Poznań", "Łódź", "Jaś"])
def test_one_polish_name_among_western_words_is_refused_and_not_read_as_western(tmp_path: Path, name: str) -> None:
    data = b"The caf\xe9 was na\xefve.\n" * 5 + f"A plain line, and {name} in it.\n".encode("cp1250")
    with pytest.raises(DataError, match=r"looks neither like Polish .* nor clearly like a Western language in cp1252"):
        read_text(tmp_path, data)


def test_polish_legacy_text_with_western_words_stays_polish(tmp_path: Path) -> None:
    text = PLAIN * 3 + "Kawiarnia nazywa się Café Müller.\n"
    outcome = read_text(tmp_path, text.encode("cp1250"))
    assert (outcome.surveys[0].encoding, outcome.surveys[0].guessed) == ("cp1250", False)


def test_mostly_utf8_with_broken_bytes_is_never_read_as_legacy(tmp_path: Path) -> None:
    lines = [f"Wiersz {number}: zażółć gęślą jaźń.".encode() for number in range(50)]
    lines[30] = "Wiersz 30: zażółć gęślą jaźń, Łódź, pięść.".encode("cp1250")
    data = b"\n".join(lines)
    place = data.index(b"\xbf\xf3\xb3")
    with pytest.raises(DataError) as caught:
        read_text(tmp_path, data)
    assert f"a.txt:31: byte {place:,} (line 31) is not UTF-8, while other letters" in str(caught.value)
    assert "--bad-lines skip" in str(caught.value)


def test_broken_lines_alone_are_rejected_when_asked(tmp_path: Path) -> None:
    lines = [f"Wiersz {number}: zażółć gęślą jaźń.".encode() for number in range(1, 51)]
    lines[30] = "Wiersz 31: zażółć".encode("cp1250")
    outcome = read_text(tmp_path, b"\n".join(lines), bad_lines="skip")
    assert outcome.texts == ["\n".join(line.decode() for index, line in enumerate(lines) if index != 30)]
    (bad,) = outcome.rejected
    assert (bad.line, bad.column, bad.reason, bad.detail) == (31, 14, "is not utf-8", "byte 0xbf")
    assert bad.raw == "Wiersz 31: za\\xbf\\xf3\\xb3\\xe6"
    assert bad.size == len(lines[30]) + 1


def test_a_few_strays_in_english_are_rejected_when_asked(tmp_path: Path) -> None:
    data = b"A plain line of English text.\n" * 500 + b"Caf\xe9.\n" + b"Another plain line.\n" * 500
    outcome = read_text(tmp_path, data, bad_lines="skip")
    assert [bad.line for bad in outcome.rejected] == [501]
    assert "Another plain line." in outcome.texts[0]


def test_an_explicit_encoding_does_not_break_files_that_are_utf8(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.txt").write_bytes(PLAIN.encode("iso8859-2"))
    (tmp_path / "d" / "b.txt").write_bytes(PLAIN.encode())
    (tmp_path / "d" / "c.txt").write_bytes(b"Plain.")
    outcome = read(tmp_path / "d", encoding="iso8859-2")
    assert outcome.texts == [PLAIN.rstrip("\n"), PLAIN.rstrip("\n"), "Plain."]
    assert "read as UTF-8, which it is throughout, not as corpus.encoding = iso8859-2" in outcome.surveys[1].notes
    assert outcome.surveys[2].notes == ()


def test_explicit_utf8_refuses_what_is_not(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"byte 2 .line 1. is not UTF-8"):
        read_text(tmp_path, PLAIN.encode("cp1250"), encoding="utf-8")


def test_bytes_that_a_legacy_encoding_does_not_define_are_bad_lines(tmp_path: Path) -> None:
    data = PLAIN.encode("cp1250") * 3 + b"zle \x81 tutaj\n" + PLAIN.encode("cp1250")
    with pytest.raises(DataError, match=r"a\.txt:4:5: is not cp1250 \(byte 0x81\)"):
        read_text(tmp_path, data)
    outcome = read_text(tmp_path, data, bad_lines="skip")
    assert outcome.texts == [(PLAIN * 4).rstrip("\n")]


# --- A5: byte order marks and wide encodings


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-32-le", b"\xff\xfe\x00\x00"),
        ("utf-32-be", b"\x00\x00\xfe\xff"),
    ],
)
def test_byte_order_marks_are_obeyed_removed_and_noted(tmp_path: Path, encoding: str, mark: bytes) -> None:
    outcome = read_text(tmp_path, mark + (POLISH * 3).encode(encoding))
    assert outcome.texts == [(POLISH * 3).rstrip("\n")]
    assert outcome.surveys[0].encoding == encoding
    assert f"byte order mark of {encoding} removed" in outcome.notes


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_text_without_a_mark_is_recognised_and_noted(tmp_path: Path, encoding: str) -> None:
    outcome = read_text(tmp_path, (POLISH * 3).encode(encoding))
    assert outcome.texts == [(POLISH * 3).rstrip("\n")]
    assert "which has no byte order mark" in outcome.notes


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "cp1250", "gb18030"])
def test_the_document_mode_does_not_depend_on_the_encoding(tmp_path: Path, encoding: str) -> None:
    text = "\n".join(f"Akapit {number}: zażółć gęślą jaźń. Drugie zdanie." for number in range(2000))
    outcome = read_text(tmp_path, text.encode(encoding), encoding="gb18030" if encoding == "gb18030" else "auto")
    assert outcome.surveys[0].because.startswith("each line is a paragraph or less")
    assert outcome.texts == read_text(tmp_path, text, "b.txt").texts


def test_wide_text_cut_in_the_middle_of_a_character_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"byte 40,00[02] is not utf-16-le \(truncated data\)"):
        read_text(tmp_path, b"\xff\xfe" + ("a" * 20_000).encode("utf-16-le") + b"b")


# --- A6, A7: passed on for the cleaning to see


def test_control_characters_and_forms_of_letters_come_through_untouched(tmp_path: Path) -> None:
    text = (
        "Znak \x00 i \x07, a\u0328 e\u0301, mie\u00adkki, twarda\u00a0spacja, \u200bzero, \ufdd0, \ufffd." + " x" * 100
    )
    assert read_text(tmp_path, text).texts == [text]


# --- A8: line ends


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\u2029"])
@pytest.mark.parametrize("document", ["line", "block", "run", "file"])
def test_every_line_end_gives_the_same_documents(tmp_path: Path, end: str, document: str) -> None:
    lines = ["Pierwszy.", "Drugi.", "", "Trzeci.", "", "", "Czwarty i ostatni."] * 3
    expected = read_text(tmp_path, "\n".join(lines), "n.txt", document=document)
    outcome = read_text(tmp_path, end.join(lines), document=document)
    assert outcome.texts == expected.texts
    assert [d.line for d in outcome.documents] == [d.line for d in expected.documents]
    assert outcome.surveys[0].lines == len(lines)
    assert outcome.surveys[0].blank_lines == 9


# --- A9: no text


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG picture"),
        (b"\x7fELF\x02\x01\x01" + bytes(100), "an ELF program"),
        (b"PK\x03\x04" + bytes(100), "a ZIP archive"),
        (b"%PDF-1.7\n1 0 obj\n<< >>\n" * 10, "a PDF document"),
        (b"\x1f\x8b\x08\x00" + bytes(10), "gzip data"),
        (b"BZh91AY&SY" + bytes(10), "bzip2 data"),
        (b"PAR1" + bytes(10), "a Parquet file"),
        (b"{\\rtf1\\ansi tekst}", "an RTF document"),
        (b"tekst i \x00\x00\x00 zera" * 100, r"binary data \(\d+% zero bytes\)"),
        (bytes(range(1, 32)) * 20 + b"a" * 100, r"binary data \(\d+% control characters\)"),
    ],
)
def test_a_file_that_is_no_text_is_refused_whatever_its_name(tmp_path: Path, content: bytes, what: str) -> None:
    with pytest.raises(DataError, match=rf"a\.txt: is {what}.*, not text; remove it"):
        read_text(tmp_path, content)


def test_a_file_that_is_no_text_is_passed_over_when_asked(tmp_path: Path) -> None:
    outcome = read_text(tmp_path, b"\x89PNG\r\n\x1a\n" + bytes(100), bad_lines="skip")
    assert outcome.texts == []
    (bad,) = outcome.rejected
    assert (bad.line, bad.reason, bad.size) == (0, "not readable as text", 108)
    assert "PNG" in bad.detail
