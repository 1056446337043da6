"""A report speaks of what was asked: next tokens and targets are not called hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_run import CONTINUED, HOSTILE, facts, write, write_run
from html_page import Node, read_page
from osnowa.runs.report import write_report

NAMES = ("next-token", "span-corruption")


def report(folder: Path) -> Node:
    return read_page(write_report(folder).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Node]:
    home = tmp_path_factory.mktemp("runs")
    return {name: report(write_run(home / name, objective=name, log_every=20)) for name in NAMES}


@pytest.mark.parametrize(
    ("name", "words", "tokens", "perplexity"),
    [
        ("next-token", "next words", "next tokens", "perplexity"),
        ("span-corruption", "target words", "target tokens", "perplexity of targets"),
    ],
)
def test_the_result_and_the_figures_say_what_was_asked(
    pages: dict[str, Node], name: str, words: str, tokens: str, perplexity: str
) -> None:
    page = pages[name]
    assert f"% of {words} on text it never saw" in page.one("h1").text.replace("\u202f", " ")
    shown = [block.one("dt").text for block in page.one("dl", class_="figures").find("div")]
    assert f"{tokens} guessed right" in shown
    assert perplexity in shown
    assert page.one("div", id="perplexity").one("h3").text.lower() == perplexity
    for word in ("hidden", "Pseudo", "pseudo", "masked"):
        said = page.one("section", id="learning").text + page.one("header").text
        assert word not in said.replace("models that fill hidden places", ""), word


def test_bits_per_byte_say_what_they_compare_with(pages: dict[str, Node]) -> None:
    told = {name: pages[name].one("div", id="bits-per-byte").one("div", class_="words").text for name in NAMES}
    assert "compares with other left-to-right models" in told["next-token"]
    assert "only between runs with the same objective" in told["span-corruption"]


@pytest.mark.parametrize(("name", "asked"), [("next-token", "prompt: "), ("span-corruption", "source: ")])
def test_continuations_stand_beside_what_the_corpus_says(pages: dict[str, Node], name: str, asked: str) -> None:
    text, answer, (before, after) = CONTINUED[name]
    section = pages[name].one("section", id="samples")
    assert section.one("p", class_="probe").text == asked + text
    assert f"in the corpus: {answer}" in section.text
    rows = section.one("table").rows()
    assert (rows[0], rows[-1]) == (["0", before], ["1,850", after])
    assert 2 <= len(rows) <= 8


@pytest.mark.parametrize(
    ("name", "auto"), [("next-token", "AutoModelForCausalLM"), ("span-corruption", "AutoModelForSeq2SeqLM")]
)
def test_the_commands_are_those_of_the_topology(pages: dict[str, Node], name: str, auto: str) -> None:
    commands, snippet = [pre.text for pre in pages[name].one("section", id="use").find("pre")]
    assert commands.startswith("osnowa generate ")
    assert CONTINUED[name][0] in commands
    assert f"from transformers import {auto}, AutoTokenizer" in snippet
    compile(snippet, "snippet", "exec")


def test_a_folder_in_our_own_format_is_not_offered_to_transformers(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=20, objective="next-token")
    told = facts("next-token")
    told["export"]["own_format"] = True
    write(folder / "facts.json", told)
    section = report(folder).one("section", id="use")
    assert "osnowa's own format" in section.text
    assert "from transformers" not in section.text


def test_a_decoder_that_saw_its_source_whole_is_not_offered_to_transformers(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=20, objective="span-corruption")
    told = facts("span-corruption")
    told["model"] |= {"topology": "decoder", "encoder_layers": 0}
    write(folder / "facts.json", told)
    section = report(folder).one("section", id="use")
    assert "saw its whole source from both sides" in section.text
    assert "from transformers" not in section.text


def test_an_unfinished_run_says_what_was_asked_by_its_recipe(tmp_path: Path) -> None:
    page = report(write_run(tmp_path / "run", steps=40, stop_at=20, objective="next-token"))
    assert "of next words on text it never saw" in page.one("h1").text


def test_sentence_order_is_not_called_following(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=20)
    told = facts()
    told["objective"] = {"name": "sentence-order", "mask_share": 0.15}
    write(folder / "facts.json", told)
    words = report(folder).one("div", id="next-sentence-accuracy").text
    assert "stand in their order" in words
    assert "followed" not in words


def test_places_of_source_and_target_are_accounted_for(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=20, objective="span-corruption")
    told = facts("span-corruption")
    told["rows"] |= {"row_length": 512, "places_per_row": 128}
    write(folder / "facts.json", told)
    assert "29,766 rows of 128 = 3,810,048 places" in report(folder).text
    assert "it adds up" in report(folder).one("section", id="rows").text


def test_hostile_continuations_are_shown_as_text(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=20, objective="next-token")
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as handle:
        import json

        for text in HOSTILE:
            record = {"kind": "probe", "step": 20, "text": text, "answer": text, "continuation": text}
            handle.write(json.dumps(record) + "\n")
    content = write_report(folder).read_text(encoding="utf-8")
    assert "<script" not in content
    assert "onerror=alert(1)>" not in content
    shown = read_page(content).one("section", id="samples").text
    for text in HOSTILE:
        assert shown.count(text.replace("\x00", "␀").replace("\x1b", "␛")) >= 3
