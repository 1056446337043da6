"""The embedded default text: English prose from the running Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import Outcome, read

from osnowa.corpus.sample import SAMPLES, keep_prose, read_python_docs


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return read("sample:python-docs", workspace=tmp_path_factory.mktemp("w"))


def test_it_is_one_source_of_many_documents(outcome: Outcome) -> None:
    (source,) = outcome.sources
    assert (source.name, source.kind, source.format) == ("python-docs", "sample", "jsonl")
    assert len(outcome.texts) > 200
    assert sum(len(text.split()) for text in outcome.texts) > 150_000
    assert min(map(len, outcome.texts)) >= 200
    assert len(set(outcome.texts)) == len(outcome.texts)


def test_it_is_prose_and_no_code(outcome: Outcome) -> None:
    text = "\n".join(outcome.texts)
    assert ">>>" not in text
    assert "::=" not in text
    words = text.split()
    assert sum(word.lower() in {"the", "a", "of", "to", "is"} for word in words) > 0.12 * len(words)
    letters = sum(letter.isalpha() or letter in " .,'\n" for letter in text)
    assert letters > 0.93 * len(text)


def test_it_repeats(outcome: Outcome) -> None:
    assert [record["text"] for record in read_python_docs()] == outcome.texts


def test_code_grammar_and_tables_are_left_out_and_lines_joined() -> None:
    text = """
        The "assert" statement
        **********************

        Assert statements are a convenient way to insert debugging
        assertions into a program:

           assert_stmt ::= "assert" expression

        The simple form is equivalent to

           if __debug__:
               if not expression: raise AssertionError

        * The first item of the list has some words.

        * The second one uses ``code`` and :func:`len` in it.

        >>> the_example = "of the code that is in it"
        """
    assert keep_prose(text) == "\n\n".join(
        [
            "Assert statements are a convenient way to insert debugging assertions into a program:",
            "The simple form is equivalent to",
            "* The first item of the list has some words.",
            "* The second one uses code and len in it.",
        ]
    )


def test_it_is_written_once_and_only_into_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SAMPLES, "python-docs", lambda: iter([{"text": "Pierwszy tekst."}]))
    first = read("sample:python-docs", workspace=tmp_path / "w")
    assert first.texts == ["Pierwszy tekst."]
    monkeypatch.setitem(SAMPLES, "python-docs", lambda: iter([{"text": "Inny tekst."}]))
    again = read("sample:python-docs", workspace=tmp_path / "w")
    assert again.sources == first.sources
    assert again.texts == first.texts
    (path,) = (path for path in tmp_path.rglob("*.jsonl"))
    assert path.parent.parent == tmp_path / "w" / "inputs"
    path.write_bytes(path.read_bytes()[:-1])  # damaged: made anew
    assert read("sample:python-docs", workspace=tmp_path / "w").texts == ["Inny tekst."]
