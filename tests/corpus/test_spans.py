"""Spans: whatever the cut, the documents are those of the whole source."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import Outcome, json_lines, read, read_text

from osnowa.corpus import documents, lines
from osnowa.corpus.compression import Stream
from osnowa.corpus.lines import decode_cells, read_cells
from osnowa.errors import DataError

# Small pieces of everything that decides where lines, blocks, runs and characters begin and end.
ENDS = ["\n", "\n", "\n", "\n\n", "\r\n", "\r", "\u2028", "\u2029"]
WORDS = ["a", "bc. ", "ż", "😀", " ", "\t", "\x0c", "dłuższe słowa. ", "\u2027", "x" * 30]
LONG = ["y" * 150, "ą😀" * 60, " " * 200, "z" * 500]
WHOLE = 1 << 40
CELL = 64


@pytest.fixture(scope="module", autouse=True)
def small_cells() -> Iterator[None]:
    """Cells of 64 bytes, so that short texts have many."""
    patch = pytest.MonkeyPatch()
    for module in (lines, documents):
        patch.setattr(module, "GRID", CELL)
    patch.setattr("osnowa.corpus.content.GRID", CELL)
    yield
    patch.undo()


def same(folder: Path, content: bytes, name: str, size: int, **config: object) -> tuple[Outcome, Outcome]:
    whole = read_text(folder, content, name, size=WHOLE, **config)
    return whole, read(folder / name, size=size, **config)  # type: ignore[arg-type]


def make_text(seed: int) -> str:
    """A text of up to 300 pieces; lists that hypothesis draws have five on average, which is one cell."""
    chance = random.Random(seed)
    kinds = chance.choice([[ENDS, WORDS], [ENDS, WORDS, WORDS], [ENDS, WORDS, WORDS, WORDS, LONG]])
    return "".join(chance.choice(chance.choice(kinds)) for _ in range(chance.randint(0, 300)))


TEXTS = st.integers(0, 1 << 40).map(make_text)
SIZES = st.sampled_from([CELL, 2 * CELL, 5 * CELL])


@pytest.mark.parametrize("document", ["line", "block", "run"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=TEXTS, size=SIZES, limit=st.integers(5, 120), run=st.integers(5, 100))
def test_documents_of_text_do_not_depend_on_the_cut(
    tmp_path: Path, document: str, content: str, size: int, limit: int, run: int
) -> None:
    unchecked = {"max_document_characters": limit, "run_characters": run}
    whole, cut = same(tmp_path, b"x" + content.encode(), "a.txt", size, document=document, unchecked=unchecked)
    assert cut.documents == whole.documents


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=TEXTS, ends=st.sampled_from(["\n", "\r\n", "\n\n"]), size=SIZES)
def test_documents_of_jsonl_do_not_depend_on_the_cut(tmp_path: Path, content: str, ends: str, size: int) -> None:
    records = [*content.split("\n"), "koniec"]
    lines = ends.join(json.dumps({"text": record}, ensure_ascii=False) for record in records)
    whole, cut = same(tmp_path, lines.encode(), "a.jsonl", size)
    assert whole.texts == records
    assert cut.documents == whole.documents


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=TEXTS, broken=st.lists(st.tuples(st.floats(0, 1), st.sampled_from([b"\xff", b"\xe2\x80", b"\xc5"]))))
def test_rejected_lines_do_not_depend_on_the_cut(
    tmp_path: Path, content: str, broken: list[tuple[float, bytes]]
) -> None:
    data = "żółć gęś\n".encode() * 3 + content.encode()
    for share, piece in broken:
        place = int(share * len(data))
        data = data[:place] + piece + data[place:]
    for document in ("line", "block"):
        whole, cut = same(tmp_path, data, "a.txt", CELL, document=document, bad_lines="skip")
        assert cut.documents == whole.documents
        assert cut.rejected == whole.rejected


class Dripping:
    """A stream that gives a few bytes at a time, as decompressors do."""

    def __init__(self, content: bytes, portion: int) -> None:
        self.inner, self.portion = io.BytesIO(content), portion

    def read(self, size: int = -1, /) -> bytes:
        return self.inner.read(min(self.portion, size))


@settings(max_examples=200, deadline=None)
@given(text=TEXTS, portion=st.integers(1, 40))
def test_cells_lose_and_repeat_nothing(text: str, portion: int) -> None:
    content = text.encode()
    stream: Stream = Dripping(content, portion)
    assert b"".join(raw.data for raw in read_cells(stream, "text")) == content


@settings(max_examples=200, deadline=None)
@given(content=TEXTS)
def test_lines_are_those_of_one_rule_and_numbered_from_one(content: str) -> None:
    plain = content
    for end in ("\r\n", "\r", "\u2028", "\u2029"):
        plain = plain.replace(end, "\n")
    expected = plain.split("\n")
    if not expected[-1]:
        expected.pop()
    found: list[str] = []
    for batch in decode_cells(read_cells(io.BytesIO(content.encode()), "text"), "text", "a"):
        assert isinstance(batch, lines.Lines)
        here = batch.text.split("\n")
        assert batch.number == len(found) + batch.starts
        if not batch.starts:
            found[-1] += here.pop(0)
        found += here
    assert found == expected


def test_small_compressed_or_whole_file_sources_are_not_cut(tmp_path: Path) -> None:
    content = b"Wiersz.\n" * 100
    for name, data, config in (
        ("a.txt", content[:10], {"document": "line"}),
        ("a.txt", content, {"document": "file"}),
        ("a.txt.gz", gzip.compress(content), {"document": "line"}),
        ("a.txt", content.decode().encode("utf-16"), {"document": "line"}),
        ("a.csv", b"text\n" + content, {}),
    ):
        outcome = read_text(tmp_path, data, name, **config)
        assert documents.spans(outcome.sources[0], outcome.surveys[0], CELL) == [None], name
    outcome = read_text(tmp_path, content, document="line")
    assert len(documents.spans(outcome.sources[0], outcome.surveys[0], CELL)) == 13


def test_a_byte_order_mark_does_not_move_the_cells(tmp_path: Path) -> None:
    content = json_lines([{"text": f"Tekst {number}."} for number in range(50)])
    whole = read_text(tmp_path, content, "a.jsonl", size=CELL)
    marked = read_text(tmp_path, b"\xef\xbb\xbf" + content, "b.jsonl", size=CELL)
    assert marked.texts == whole.texts


def test_row_groups_of_parquet_are_each_read_once(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = [f"Tekst {number}." for number in range(1000)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet", row_group_size=100)
    for size, least in ((1, 10), (3000, 3), (WHOLE, 1)):
        outcome = read(tmp_path / "a.parquet", size=size)
        assert len(documents.spans(outcome.sources[0], outcome.surveys[0], size)) >= least
        assert outcome.texts == texts
        assert [document.line for document in outcome.documents] == list(range(1, 1001))


def test_the_line_of_a_broken_byte_is_right_behind_a_line_of_many_cells(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.txt:2: byte 1,006 \(line 2\)"):
        read_text(tmp_path, "ż\n".encode() + b"a" * 1003 + b"\xff" + b"b" * 500)


@pytest.mark.parametrize("end", ["\r\n", "\u2028", "\n"])
def test_a_line_end_is_never_cut_wherever_it_stands(end: str) -> None:
    for size in range(5 * CELL):
        content = (end + "a" * size + end + "b").encode()
        batches = list(decode_cells(read_cells(io.BytesIO(content), "text"), "text", "a"))
        assert [(batch.starts, batch.ends) for batch in batches if isinstance(batch, lines.Lines)][-1][1]
        text = "".join(b.text + "\n" * b.ends for b in batches if isinstance(b, lines.Lines))
        assert text == "\n" + "a" * size + "\nb\n"
