"""JSON and JSONL: text out of records, and every bad record named by its place (A10-A13)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reading import json_lines, read_text

from osnowa.errors import DataError

GOOD = b'{"text": "Dobry."}\n'


def test_each_record_is_a_document_at_its_physical_line(tmp_path: Path) -> None:
    outcome = read_text(tmp_path, GOOD + b"\n" + b'{"id": 1, "text": "Dwa\\nwiersze \\u0105."}', "a.jsonl")
    assert [(d.text, d.line) for d in outcome.documents] == [("Dobry.", 1), ("Dwa\nwiersze ą.", 3)]
    assert outcome.surveys[0].text_column == "text"


def test_u2028_inside_a_string_is_no_line_end(tmp_path: Path) -> None:
    outcome = read_text(tmp_path, '{"text": "a\u2028b"}\r\n{"text": "c"}\r\n'.encode(), "a.jsonl")
    assert [(d.text, d.line) for d in outcome.documents] == [("a\u2028b", 1), ("c", 2)]


DEEP = b"[" * 10_000 + b"]" * 10_000
BAD = [
    (b'{"text": "a" "b"}', 14, "is no sound JSON", "Expecting ',' delimiter"),
    (b"{]", 2, "is no sound JSON", "Expecting property name"),
    (b'["Lista."]', 1, "is not an object", "it is a list"),
    (b'"Napis."', 1, "is not an object", "it is a string"),
    (b"17", 1, "is not an object", "it is a number"),
    (b"null", 1, "is not an object", "it is null"),
    (b'{"txt": "Brak."}', 1, "has no text field", "text is not among txt"),
    (b'{"text": null}', 1, "its text field is not text", "text is null"),
    (b'{"text": 12}', 1, "its text field is not text", "text is a number"),
    (b'{"text": ["a"]}', 1, "its text field is not text", "text is a list"),
    (b'{"text": "a", "text": "b"}', 1, "has a key twice", "text"),
    (b'{"text": "a", "x": NaN}', 1, "holds NaN or Infinity", "NaN"),
    (b'{"text": "a", "x": -Infinity}', 1, "holds NaN or Infinity", "-Infinity"),
    (b'{"text": "a", "x": ' + b"9" * 1_000_000 + b"}", 1, "holds an endless number", "1,000,000 digits"),
    (b'{"text": "a", "x": ' + DEEP + b"}", 119, "is nested too deeply", "more than 100 levels"),
    (b"[" * 200_000, 101, "is nested too deeply", "more than 100 levels"),
    (b'{"text": "' + b"a" * 2_000_001 + b'"}', 0, "is too long", "2,000,013 characters"),
    (b'{"text": "\x01"}', 11, "is no sound JSON", "Invalid control character"),
    (b'{"text": "za\xbf\xf3"}', 13, "is not utf-8", "byte 0xbf"),
]


@pytest.mark.parametrize(("line", "column", "reason", "detail"), BAD, ids=[f"{b[2]} {b[3]}"[:40] for b in BAD])
def test_a_bad_line_stops_with_its_place_or_is_rejected_with_its_reason(
    tmp_path: Path, line: bytes, column: int, reason: str, detail: str
) -> None:
    data = GOOD * 300 + line + b"\n" + '{"text": "Dobry, ą."}\n'.encode() * 2
    place = f"a.jsonl:301{f':{column}' if column else ''}: {reason} ({detail}"
    settings = {"max_record_characters": 2_000_000, "encoding": "utf-8" if b"\xbf" in line else "auto"}
    with pytest.raises(DataError) as caught:
        read_text(tmp_path, data, "a.jsonl", **settings)
    if b"\xbf" not in line:  # the survey names that one
        assert place in str(caught.value)
        assert "--bad-lines skip" in str(caught.value)
    outcome = read_text(tmp_path, data, "a.jsonl", bad_lines="skip", **settings)
    assert len(outcome.texts) == 302
    (bad,) = outcome.rejected
    assert (bad.line, bad.column, bad.reason) == (301, column, reason)
    assert bad.detail.startswith(detail)
    assert bad.raw.encode() == line[:10_000].replace(b"\xbf\xf3", b"\\xbf\\xf3")
    assert bad.size >= len(line)


def test_a_truncated_last_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl:3:10: is no sound JSON \(Unterminated string"):
        read_text(tmp_path, GOOD * 2 + b'{"text": "Urwan', "a.jsonl")


def test_records_that_are_no_objects_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="its first records are no objects"):
        read_text(tmp_path, b'"a"\n"b"\n', "a.jsonl")


def test_a_file_without_one_sound_line_names_the_first(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl:1:1: is no sound JSON"):
        read_text(tmp_path, b"not json\n" * 5, "a.jsonl")


def test_brackets_inside_strings_are_no_nesting(tmp_path: Path) -> None:
    record = json.dumps({"text": '[{"' * 5000, "x": [[1]]}).encode()
    assert read_text(tmp_path, record, "a.jsonl").texts == ['[{"' * 5000]


def test_empty_texts_are_documents_for_the_rules_to_count(tmp_path: Path) -> None:
    assert read_text(tmp_path, GOOD + b'{"text": ""}\n', "a.jsonl").texts == ["Dobry.", ""]


def test_long_records_are_cut_and_nothing_is_lost(tmp_path: Path) -> None:
    text = "Zdanie numer jeden. " * 400
    outcome = read_text(tmp_path, json_lines([{"text": text}]), "a.jsonl", max_document_characters=1000)
    assert "".join(outcome.texts) == text
    assert {d.line for d in outcome.documents} == {1}
    assert all(len(t) <= 1000 and t.endswith(". ") for t in outcome.texts)


# --- which field


@pytest.mark.parametrize("name", ["text", "content", "body", "Text", "tekst", "treść"])
def test_known_names_come_first(tmp_path: Path, name: str) -> None:
    record = {"title": "Tytuł, który też jest długim tekstem.", name: "Tekst."}
    assert read_text(tmp_path, json_lines([record]), "a.jsonl").texts == ["Tekst."]


def test_the_only_field_of_texts_is_found_among_labels_and_identifiers(tmp_path: Path) -> None:
    record = {"id": "0123456789abcdef0123456789", "lang": "pl", "n": 5, "opis": "Opis, który jest zdaniem."}
    assert read_text(tmp_path, json_lines([record] * 3), "a.jsonl").texts == ["Opis, który jest zdaniem."] * 3


def test_several_fields_of_texts_are_listed_and_one_can_be_named(tmp_path: Path) -> None:
    data = json_lines([{"id": 1, "pytanie": "Jak się masz dzisiaj rano?", "odpowiedź": "Dziękuję, całkiem dobrze."}])
    with pytest.raises(
        DataError, match=r"several columns of text .pytanie, odpowiedź; all columns: id, pytanie, odpo.*NAME"
    ):
        read_text(tmp_path, data, "a.jsonl")
    assert read_text(tmp_path, data, "a.jsonl", text_column="odpowiedź").texts == ["Dziękuję, całkiem dobrze."]


def test_a_wrong_field_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no column tekst; its columns are id, text"):
        read_text(tmp_path, json_lines([{"id": 1, "text": "a"}]), "a.jsonl", text_column="tekst")
    with pytest.raises(DataError, match="column id holds no text; its columns are id, text"):
        read_text(tmp_path, json_lines([{"id": 1, "text": "a"}]), "a.jsonl", text_column="id")


# --- .json


def test_an_array_of_objects_or_strings_or_one_object_is_read(tmp_path: Path) -> None:
    records = [{"text": f'Tekst "{number}", [x], {{y}}.'} for number in range(50)]
    for indent in (None, 2):
        outcome = read_text(tmp_path, json.dumps(records, indent=indent), "a.json")
        assert outcome.texts == [record["text"] for record in records]
        assert [d.line for d in outcome.documents] == [1 if indent is None else 2 + 3 * i for i in range(50)]
    assert read_text(tmp_path, ' \n["Raz.", "Dwa."]\n', "a.json").texts == ["Raz.", "Dwa."]
    assert read_text(tmp_path, '{"text": "Jedyny.", "x": [1, {"y": "]"}]}', "a.json").texts == ["Jedyny."]
    assert read_text(tmp_path, " [ ] ", "a.json").texts == []


def test_elements_longer_than_what_is_read_at_once_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osnowa.corpus.lines.GRID", 16)
    records = ['ąę\\ " ' * number for number in range(20)]
    for indent in (None, 1):
        assert read_text(tmp_path, json.dumps(records, indent=indent), "a.json").texts == records


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ('["a",\n "b" "c"]', "2:6", "Extra data"),
        ('["a",\n "b",]', "2:6", "missing after a comma"),
        ('["a", "b"', "1:7", "not closed"),
        ('["a"]\n["b"]', "2:1", "something follows"),
        ('["a", "b}]', "1:7", "not closed"),
        ('["a", }]', "1:7", "a } too many"),
        ('["a", 5]', "1:7", "it is a number"),
        ('["a", ' + "[" * 10_000, "1:107", "more than 100 levels"),
        ('["a", "' + "b" * 2000, "1:7", "more than corpus.max_record_characters = 1,000"),
    ],
)
def test_bad_json_stops_with_its_place_and_keeps_what_came_before_when_asked(
    tmp_path: Path, text: str, place: str, reason: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_text(tmp_path, text, "a.json", max_record_characters=1000, text_column=None)
    assert f"a.json:{place}: " in str(caught.value)
    assert reason in str(caught.value)
    outcome = read_text(tmp_path, text, "a.json", bad_lines="skip", max_record_characters=1000)
    assert outcome.texts[:1] == ["a"]
    assert len(outcome.rejected) == 1


def test_a_bad_element_does_not_hide_the_next(tmp_path: Path) -> None:
    data = '[{"text": "Raz."}, {"text": NaN}, {"text": "Trzy."}]'
    assert read_text(tmp_path, data, "a.json", bad_lines="skip").texts == ["Raz.", "Trzy."]
