"""Plain text to documents: units, runs, cuts, and the mode that suits a text."""

from __future__ import annotations

import json
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import read_text

from osnowa.corpus.raw import cut_document
from osnowa.errors import SettingsError

SENTENCES = [f"To jest zdanie numer {n}, które coś mówi o świecie." for n in range(3000)]
PARAGRAPHS = [" ".join(SENTENCES[n : n + 4]) for n in range(0, 3000, 4)]


def mode(tmp_path: Path, text: str, **config: object) -> tuple[str, str, str, list[str]]:
    outcome = read_text(tmp_path, text, **config)
    found = outcome.surveys[0]
    return found.document, found.unit, found.because, outcome.texts


# --- the choice


def test_a_small_file_is_a_document(tmp_path: Path) -> None:
    chosen, _, because, texts = mode(tmp_path, "\n\n".join(PARAGRAPHS[:50]))
    assert (chosen, len(texts)) == ("file", 1)
    size = len("\n\n".join(PARAGRAPHS[:50]).encode())
    assert because == f"the file is small ({size:,} bytes): it is one document"


def test_a_hard_wrapped_book_becomes_runs_of_paragraphs(tmp_path: Path) -> None:
    blocks = [textwrap.fill(paragraph, 72) for paragraph in PARAGRAPHS]
    chosen, unit, because, texts = mode(tmp_path, "\n\n".join(blocks))
    assert (chosen, unit) == ("run", "block")
    assert because == (
        "lines end mid-sentence and paragraphs are parted by blank lines: runs of paragraphs up to 8,000 characters"
    )
    assert "\n\n".join(texts) == "\n\n".join(blocks)
    assert all(len(text) <= 8000 for text in texts)
    assert all(text.split("\n\n")[0] in blocks for text in texts)


def test_one_paragraph_a_line_becomes_runs_of_lines(tmp_path: Path) -> None:
    lines = [line for n, paragraph in enumerate(PARAGRAPHS) for line in (f"Tytuł {n}", paragraph)]
    chosen, unit, because, texts = mode(tmp_path, "\n".join(lines))
    assert (chosen, unit) == ("run", "line")
    assert because == (
        "each line is a paragraph or less, and no blank lines part documents: runs of lines up to 8,000 characters"
    )
    assert "\n".join(texts) == "\n".join(lines)
    assert all(6000 < len(text) <= 8000 for text in texts[:-1])


def test_long_lines_of_several_sentences_are_documents(tmp_path: Path) -> None:
    lines = [" ".join(SENTENCES[n : n + 15]) for n in range(0, 3000, 15)]
    chosen, _, because, texts = mode(tmp_path, "\n".join(lines))
    assert (chosen, texts) == ("line", lines)
    assert because == "the lines are long and hold 15 sentences each: every line is a document"


def test_sentences_a_line_between_blank_lines_are_documents(tmp_path: Path) -> None:
    blocks = ["\n".join(SENTENCES[n : n + 10]) for n in range(0, 3000, 10)]
    chosen, _, because, texts = mode(tmp_path, "\n\n".join(blocks))
    assert (chosen, texts) == ("block", blocks)
    assert because == "between blank lines stand 10 lines of whole sentences: every block is a document"


def test_short_paragraphs_between_blank_lines_become_runs(tmp_path: Path) -> None:
    chosen, unit, because, texts = mode(tmp_path, "\n\n".join(PARAGRAPHS))
    assert (chosen, unit) == ("run", "block")
    assert because.startswith("blank lines part short paragraphs, not documents")
    assert "\n\n".join(texts) == "\n\n".join(PARAGRAPHS)


def test_long_articles_on_a_line_between_blank_lines_are_documents(tmp_path: Path) -> None:
    lines = [" ".join(SENTENCES[n : n + 15]) for n in range(0, 3000, 15)]
    assert mode(tmp_path, "\n\n".join(lines))[0] == "block"


def test_verse_without_blank_lines_becomes_runs_of_lines(tmp_path: Path) -> None:
    words = " ".join(SENTENCES).split()
    lines = [" ".join(words[n : n + 6]) for n in range(0, len(words), 6)]
    chosen, unit, because, _ = mode(tmp_path, "\n".join(lines))
    assert (chosen, unit) == ("run", "line")
    assert because.startswith("lines are short, end mid-sentence, and few blank lines part them")


def test_an_explicit_mode_wins_and_says_so(tmp_path: Path) -> None:
    text = "Raz.\nDwa.\n\nTrzy.\n"
    assert mode(tmp_path, text, document="line")[3] == ["Raz.", "Dwa.", "Trzy."]
    assert mode(tmp_path, text, document="block")[3] == ["Raz.\nDwa.", "Trzy."]
    assert mode(tmp_path, text, document="file")[3] == ["Raz.\nDwa.\n\nTrzy."]
    assert mode(tmp_path, text, document="run")[3] == ["Raz.\nDwa.\n\nTrzy."]
    assert mode(tmp_path, text, document="line")[2] == "corpus.document = line: each line is a document"


def test_records_are_asked_of_text_in_vain(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"corpus\.document = record: .*a\.txt has no records; use auto, file, block"
    ):
        mode(tmp_path, "Tekst.", document="record")


def test_a_mode_for_text_leaves_records_as_they_are_and_says_so(tmp_path: Path) -> None:
    outcome = read_text(tmp_path, b'{"text": "Raz.\\nDwa."}\n', "a.jsonl", document="line")
    assert outcome.texts == ["Raz.\nDwa."]
    assert outcome.surveys[0].because == "each record is a document (corpus.document = line is for plain text)"


# --- units and runs


def test_documents_know_their_first_line(tmp_path: Path) -> None:
    outcome = read_text(tmp_path, "\n\nRaz.\n  \nDwa.\nTrzy.\n\n\n\nCztery.", document="block")
    assert [(d.text, d.line) for d in outcome.documents] == [("Raz.", 3), ("Dwa.\nTrzy.", 5), ("Cztery.", 10)]


def test_a_run_keeps_the_blank_lines_inside_it_and_is_never_cut_inside_a_block(tmp_path: Path) -> None:
    blocks = ["\n".join(SENTENCES[n : n + 3]) for n in range(0, 60, 3)]
    outcome = read_text(tmp_path, "\n\n\n".join(blocks), document="run", run_characters=500)
    assert "\n\n\n".join(outcome.texts) == "\n\n\n".join(blocks)
    assert all(len(text) <= 500 for text in outcome.texts)
    big = read_text(tmp_path, "\n\n".join(blocks), document="run", run_characters=200)
    assert all(text in blocks for text in big.texts) or big.surveys[0].unit == "line"


def test_runs_do_not_cross_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("lines", "documents", "content"):
        monkeypatch.setattr(f"osnowa.corpus.{module}.GRID", 1000)
    lines = [f"Wiersz {n:05}." for n in range(400)]  # 14 bytes with its end
    outcome = read_text(tmp_path, "\n".join(lines), document="run", run_characters=600)
    starts = [(document.line - 1) * 14 for document in outcome.documents]
    assert all(any(0 <= start - cell < 14 for start in starts) for cell in range(0, 400 * 14, 1000))
    assert "\n".join(outcome.texts) == "\n".join(lines)


# --- long documents


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.sampled_from("ab. \n\u0301ą"), max_size=300), limit=st.integers(4, 50))
def test_cutting_loses_nothing_and_respects_the_limit(text: str, limit: int) -> None:
    pieces = list(cut_document(text, limit))
    assert "".join(pieces) == text
    assert all(len(piece) <= limit for piece in pieces)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("a" * 70 + "\n\n" + "b c. d\ne f" + "g" * 50, "a" * 70 + "\n\n"),
        ("a" * 70 + "b c. d e\n" + "g" * 50, "a" * 70 + "b c. d e\n"),
        ("a" * 70 + "b c. D e" + "g" * 50, "a" * 70 + "b c. "),
        ("a" * 70 + "b c d" + "g" * 50, "a" * 70 + "b c "),
        ("a" * 79 + "\u0301" * 3 + "b" * 50, "a" * 78),
        ("a" * 200, "a" * 80),
    ],
)
def test_a_document_is_cut_after_a_paragraph_line_sentence_or_word(text: str, first: str) -> None:
    assert next(cut_document(text, 80)) == first


@pytest.mark.parametrize("piece", [".", ". ", ".)", "'", "\u0301", "\n"])
def test_cutting_takes_little_time_whatever_the_text(piece: str) -> None:
    before = time.monotonic()
    assert sum(map(len, cut_document(piece * 1_000_000, 200_000))) == len(piece) * 1_000_000
    assert time.monotonic() - before < 20


@pytest.mark.parametrize("document", ["file", "line", "block", "run"])
def test_long_documents_are_cut_not_lost(tmp_path: Path, document: str) -> None:
    text = " ".join(SENTENCES)
    outcome = read_text(tmp_path, text, document=document, max_document_characters=1000)
    assert "".join(outcome.texts) == text
    assert all(700 < len(piece) <= 1000 for piece in outcome.texts[:-1])
    assert all(piece.endswith(". ") for piece in outcome.texts[:-1])


def test_pieces_of_a_long_document_know_their_lines(tmp_path: Path) -> None:
    text = "\n".join(SENTENCES[:200])
    outcome = read_text(tmp_path, text, document="file", max_document_characters=1000)
    assert "".join(outcome.texts) == text
    assert all(SENTENCES[d.line - 1] == d.text.split("\n")[0] for d in outcome.documents)


def test_surveys_are_json(tmp_path: Path) -> None:
    found = read_text(tmp_path, "Tekst.").surveys[0]
    assert json.loads(json.dumps(found.as_dict()))["because"] == found.because
