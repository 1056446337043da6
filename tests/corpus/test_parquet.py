"""Parquet: the text column alone is read, and what can't be read is refused with the columns listed (A14)."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import read, read_text

from osnowa.errors import DataError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def write(folder: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), folder / "a.parquet")
    return folder / "a.parquet"


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_columns_of_strings_are_read(tmp_path: Path, kind: object) -> None:
    path = write(tmp_path, id=[1, 2], text=pa.array(["Raz.", "Dwa ą."], kind))
    outcome = read(path)
    assert [(d.text, d.line) for d in outcome.documents] == [("Raz.", 1), ("Dwa ą.", 2)]
    assert outcome.surveys[0].text_column == "text"


def test_a_nested_or_numeric_column_is_no_text_and_the_types_are_listed(tmp_path: Path) -> None:
    path = write(tmp_path, id=[1], text=[["a"]], meta=[{"x": "y"}], raw=[b"bytes"])
    with pytest.raises(DataError) as caught:
        read(path)
    assert "has no column of text among id, text, meta, raw" in str(caught.value)
    assert "id (int64), text (list<" in str(caught.value)
    with pytest.raises(DataError, match="column text holds no text"):
        read(path, text_column="text")


def test_an_extension_type_is_no_text_and_its_code_is_not_looked_for(tmp_path: Path) -> None:
    class Hostile(pa.ExtensionType):
        def __init__(self) -> None:
            super().__init__(pa.string(), "hostile.type")

        def __arrow_ext_serialize__(self) -> bytes:
            return b"os.system"

        @classmethod
        def __arrow_ext_deserialize__(cls, storage: object, serialized: bytes) -> Hostile:
            return cls()

    pa.register_extension_type(Hostile())
    try:
        path = write(tmp_path, id=[1], text=pa.ExtensionArray.from_storage(Hostile(), pa.array(["Raz."])))
        with pytest.raises(DataError, match=r"no column of text among id, text .types: id .int64., text .extension<"):
            read(path)
    finally:
        pa.unregister_extension_type("hostile.type")
    assert read(path).texts == ["Raz."]  # a type that nobody knows is what it is stored as


def test_a_missing_value_stops_or_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path, text=["Raz.", None, "Trzy."])
    with pytest.raises(DataError, match=r"a\.parquet:2: its text field is not text \(text is null\)"):
        read(path)
    outcome = read(path, bad_lines="skip")
    assert outcome.texts == ["Raz.", "Trzy."]
    assert [bad.line for bad in outcome.rejected] == [2]


def test_a_text_that_is_too_long_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path, text=["Raz.", "x" * 2000])
    with pytest.raises(DataError, match=r"a\.parquet:2: is too long \(2,000 characters"):
        read(path, max_record_characters=1000)


@pytest.mark.parametrize("cut", [3, 8, 20, -4, -1])
def test_truncated_files_are_refused(tmp_path: Path, cut: int) -> None:
    data = write(tmp_path, text=["Raz."] * 100).read_bytes()
    with pytest.raises(DataError, match=r"b\.parquet: is (a truncated|no) Parquet file"):
        read_text(tmp_path, data[:cut], "b.parquet")


def test_text_named_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no Parquet file"):
        read_text(tmp_path, b"To jest zwykly tekst, nic wiecej.", "b.parquet")


def test_flipped_bytes_never_end_in_a_traceback(tmp_path: Path) -> None:
    data = write(tmp_path, text=[f"Zdanie {n}." for n in range(300)]).read_bytes()
    messages = []
    for place in range(4, len(data) - 4, max(1, len(data) // 150)):
        broken = bytearray(data)
        broken[place] ^= 0x5A
        try:
            read_text(tmp_path, bytes(broken), "b.parquet")
        except DataError as error:
            messages.append(str(error))
    assert len(messages) > 20
    assert not any("\n" in message for message in messages)


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, text=[f"Zdanie {n} " * 50 for n in range(100)])
    with pytest.raises(DataError, match=r"column text unpacks to .* bytes; raise --corpus\.max_archive_bytes"):
        read(path, max_archive_bytes=2000)


def test_a_file_without_rows_has_no_documents(tmp_path: Path) -> None:
    path = write(tmp_path, text=pa.array([], pa.string()))
    with pytest.raises(DataError, match="has no column of text among text"):
        read(path)
