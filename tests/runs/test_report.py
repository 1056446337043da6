"""A report shows what the run's files say, all of it escaped, finished or not."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fake_run import HOSTILE, facts, hostile_run, ledger, write, write_run
from html_page import Node, read_page
from osnowa.errors import CannotCreateError, InputMissingError
from osnowa.runs.report import page, write_report
from osnowa.runs.report_data import read_run
from osnowa.runs.report_html import element

TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "footer", "nav", "section", "div", "p", "a"),
    *("h1", "h2", "h3", "strong", "b", "i", "span", "bdi", "code", "pre", "ul", "li", "dl", "dt", "dd", "figure"),
    *("details", "summary", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "desc", "g", "path", "text", "circle", "rect"),
}


def report(folder: Path) -> Node:
    return read_page(write_report(folder).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "pl-demo")


@pytest.fixture(scope="module")
def whole(run_folder: Path) -> Node:
    return report(run_folder)


def records(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["kind"] == kind]


def figures(root: Node) -> dict[str, tuple[str, str]]:
    """Name -> (value, note) of the figures at the top."""
    found = {}
    for block in root.one("dl", class_="figures").find("div"):
        values = block.find("dd")
        found[block.one("dt").text] = (values[0].text, values[1].text if len(values) > 1 else "")
    return found


# --- the numbers ---


def test_the_result_is_one_plain_sentence_with_its_baseline(run_folder: Path, whole: Node) -> None:
    right = records(run_folder, "held_out")[-1]["token_accuracy"]
    assert whole.one("h1").text == (
        f"It guesses {100 * right:.1f} % of hidden words on text it never saw; always saying “,” would be right 6.1 %."
    )


def test_the_figures_are_those_of_the_last_evaluation_beside_the_first(run_folder: Path, whole: Node) -> None:
    first, last = (records(run_folder, "held_out")[place] for place in (0, -1))
    shown = figures(whole)
    assert shown["held-out loss, nats"] == (f"{last['token_loss']:.3f}", f"{first['token_loss']:.3f} before training")
    assert shown["pseudo-perplexity"] == (
        f"{last['perplexity']:.1f}",
        f"{first['perplexity']:,.0f} before training",
    )
    assert shown["bits per byte"][0] == f"{last['bits_per_byte']:.3f}"
    assert shown["sentence pairs judged right"] == (
        f"{100 * last['next_sentence_accuracy']:.1f} %",
        f"{100 * first['next_sentence_accuracy']:.1f} % before training; 50 % by chance",
    )
    assert shown["tokens trained on"] == ("3.79 M", "1,850 steps, 2.98 times through the text")
    assert shown["parameters"][0] == "5.36 M"
    assert shown["tokens in the vocabulary"] == ("8,192", "wordpiece")
    assert shown["documents kept"] == ("3,741", "of 4,211 read; 12.6 MB")


@pytest.mark.parametrize(
    ("measure", "show"),
    [
        ("token_loss", lambda value: f"{value:.3f}"),
        ("next_sentence_loss", lambda value: f"{value:.3f}"),
        ("token_accuracy", lambda value: f"{100 * value:.1f} %" if value >= 0.001 else f"{100 * value:.2g} %"),
        ("perplexity", lambda value: f"{value:,.0f}" if value >= 1000 else f"{value:.1f}"),
        ("bits_per_byte", lambda value: f"{value:.3f}"),
        ("next_sentence_accuracy", lambda value: f"{100 * value:.1f} %"),
    ],
)
def test_the_table_under_a_chart_holds_every_evaluation(run_folder: Path, whole: Node, measure: str, show: Any) -> None:
    rows = whole.one("div", id=measure.replace("_", "-")).one("table").rows()
    logged = [(f"{record['step']:,}", show(record[measure])) for record in records(run_folder, "held_out")]
    assert [(row[0], row[1]) for row in rows] == logged


def test_each_chart_has_a_title_a_description_and_its_last_value_as_logged(run_folder: Path, whole: Node) -> None:
    train, held_out = records(run_folder, "train")[-1], records(run_folder, "held_out")[-1]
    for chart in whole.one("section", id="learning").find("svg", role="img"):
        title, summary = chart.attributes["aria-labelledby"].split()
        assert chart.one("title", id=title).text.endswith("by step")
        assert f"at step {train['step']:,}" in chart.one("desc", id=summary).text
    loss = whole.one("div", id="token-loss").one("svg", class_="chart wide")
    assert [text.text for text in loss.find("text", class_="last held")] == [f"held-out {held_out['token_loss']:.3f}"]
    assert [text.text for text in loss.find("text", class_="last train")] == [f"train {train['token_loss']:.3f}"]


def test_all_curves_of_the_run_are_there_in_the_order_of_the_story(whole: Node) -> None:
    assert [block.attributes["id"] for block in whole.find("div", class_="measure")] == [
        "token-loss",
        "next-sentence-loss",
        "loss",
        "token-accuracy",
        "perplexity",
        "bits-per-byte",
        "next-sentence-accuracy",
        "learning-rate",
        "gradient-norm",
        "tokens-per-second",
    ]
    for block in whole.find("div", class_="measure"):
        words = block.one("div", class_="words").text
        assert all(part in words for part in ("What it is.", "Good:", "Otherwise:"))


def test_samples_show_the_first_and_the_last_guesses_with_their_probabilities(run_folder: Path, whole: Node) -> None:
    probes = [r for r in records(run_folder, "probe") if r["text"].startswith("Natura")]
    rows = whole.one("section", id="samples").find("table")[0].rows()
    assert len(rows) == 7
    assert [rows[0][0], rows[-1][0]] == ["0", "1,850"]
    for row, probe in ((rows[0], probes[0]), (rows[-1], probes[-1])):
        for cell, guess in zip(row[1:], probe["masks"][0], strict=True):
            assert cell == guess["token"] + (
                f"{100 * guess['probability']:.1f} %" if guess["probability"] > 0.001 else "0.012 %"
            )
    assert {code.text for g in whole.find("div", class_="guess right") for code in g.find("code")} >= {"stwarza"}


def test_a_sentence_with_two_masks_has_a_table_for_each(whole: Node) -> None:
    captions = [caption.text for caption in whole.one("section", id="samples").find("caption")]
    assert captions == ["Hidden place 1 of 2", "Hidden place 2 of 2"]


# --- accounts ---


def amount(cell: str) -> int:
    return int(cell.replace(",", "").replace("−", "-").replace("+", "")) if cell else 0


def test_the_ledger_adds_up_in_the_reader_s_eyes(whole: Node) -> None:
    rows = {row[0]: row[1:] for row in whole.one("table", class_="ledger").rows()}
    for column in (0, 1):
        leaving = [amount(row[column]) for name, row in rows.items() if name.startswith(("dropped", "removed"))]
        assert len(leaving) == 7
        assert amount(rows["read"][column]) + sum(leaving) == amount(rows["kept"][column])
        parts = [amount(row[column]) for name, row in rows.items() if name.startswith("of these")]
        assert sum(parts) == amount(rows["kept"][column])
    assert rows["dropped: near_duplicate"][:2] == ["−187", "−641,900"]
    assert rows["removed inside 611 documents: repeated_line"][:2] == ["", "−190,404"]
    assert "14,203,118 bytes read = 12,622,622 kept + 1,369,980 dropped + 210,516 removed: it adds up." in whole.text


def test_a_ledger_that_does_not_add_up_is_not_called_sound(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=20)
    broken = ledger()
    broken["documents"]["train"] -= 3
    write(folder / "corpus.json", broken)
    shown = report(folder)
    assert "4,211 documents read = 3,738 kept + 470 dropped: 3 documents are missing." in shown.text
    assert [p.text[:1] for p in shown.find("p", class_="note unsound")] == ["✗"]


def test_a_rule_that_lengthens_texts_is_shown_as_an_addition(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=20)
    longer = ledger()
    longer["bytes"]["removed"]["white_space"] -= 30_000
    longer["bytes"]["train"] += 30_000
    write(folder / "corpus.json", longer)
    rows = {row[0]: row[1:] for row in report(folder).one("table", class_="ledger").rows()}
    assert rows["removed inside 1,904 documents: white_space"][1] == "+10,000"


def test_rows_are_accounted_for(whole: Node) -> None:
    told = "29,766 rows of 128 = 3,810,048 places = 3,712,004 trained + 60,000 special + 38,044 padded: it adds up."
    assert told in whole.one("section", id="rows").text
    assert "Padding takes 1.0 % of their places." in whole.text


def test_rows_that_do_not_add_up_are_not_called_sound(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=20)
    broken = facts()
    broken["rows"]["padded_tokens"] += 1
    write(folder / "facts.json", broken)
    assert "✗ 29,766 rows of 128 = 3,810,048 places" in report(folder).text
    assert "the parts make 3,810,049." in report(folder).text


def test_sources_and_examples_say_where_they_come_from(whole: Node) -> None:
    section = whole.one("section", id="text")
    sources = next(table for table in section.find("table") if "encoding" in table.text).rows()
    assert sources[1][:3] == ["wiersze/mickiewicz.txt", "901 kB", "windows-1250"]
    assert sources[1][3] == "fileshort lines without blank lines between them"
    blocks = {block.one("summary").text: block.one("table").rows() for block in section.find("details")}
    assert blocks["near_duplicate: 1 example"] == [
        ["zdania.jsonl.gz, line 71", "excerpt: Natura stwarza obrazy.same as: lalka-tom-pierwszy.txt, line 4"]
    ]
    assert blocks["white_space: 1 example"] == [["zdania.jsonl.gz, line 9", "before: a \u00a0 bafter: a b"]]


def test_warnings_and_events_are_shown_with_their_evidence(whole: Node) -> None:
    section = whole.one("section", id="warnings")
    assert section.one("li").text.startswith("repeated_line one line stands in 611 documents")
    assert json.loads(section.one("pre").text) == {
        "documents": 611,
        "samples": ["Ta lektura, podobnie jak tysiące innych"],
    }
    assert section.one("table").rows() == [["1,000", "the loss was not finite; not applied"]]


def test_languages_tokenizer_and_circumstances_are_shown(whole: Node) -> None:
    text = whole.text
    for part in ("pl3,70212,540,00199.3 %", "windows-1250", "unknown share", "0.0031 %", "AMD EPYC 9R45"):
        assert part in text
    assert "Before training the loss should be about 9.011 (guessing evenly); measured: 9.014." in text


def test_the_commands_are_the_exact_ones_for_this_folder(run_folder: Path, whole: Node) -> None:
    commands, snippet = [pre.text for pre in whole.one("section", id="use").find("pre")]
    assert commands.splitlines()[0] == f"osnowa fill {run_folder} 'Natura [MASK] najpiękniejsze obrazy.'"
    assert commands.splitlines()[1].startswith(f"osnowa next-sentence {run_folder} ")
    assert f"from_pretrained('{run_folder}/model')" in snippet
    compile(snippet, "snippet", "exec")


# --- hostile data (G8) ---


def test_hostile_texts_are_shown_as_text(tmp_path: Path) -> None:
    root = report(hostile_run(tmp_path / "<img onerror=alert(1) src=x>"))
    for node in root.walk():
        assert node.tag in TAGS | {"root"}
        assert not [name for name in node.attributes if name.startswith("on") or name in ("src", "xlink:href")]
        assert node.attributes.get("href", "#").startswith("#")
    shown = root.text
    for text in HOSTILE:
        assert shown.count(text.replace("\x00", "␀").replace("\x1b", "␛")) >= 10
    assert "\ufffd" in shown
    assert "\x00" not in shown


def test_attributes_are_escaped() -> None:
    assert element("i", "<", title='"><b>') == '<i title="&quot;&gt;&lt;b&gt;">&lt;</i>'


def test_nothing_is_loaded_and_nothing_runs(run_folder: Path) -> None:
    content = write_report(run_folder).read_text(encoding="utf-8")
    policy = read_page(content).one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert not re.search(r"https?:|//\w|url\(|@import|<script|<link|<img|javascript:", content)


# --- runs that are not whole ---


def test_an_unfinished_run_says_where_it_stands(tmp_path: Path) -> None:
    root = report(write_run(tmp_path / "run", steps=400, stop_at=140))
    assert "This run is not finished: it stands at step 140 of 400." in root.text
    assert root.one("p", class_="lede").text.startswith(
        "encoder-mini, trained from nothing on 3,560 documents (12.0 MB)"
    )
    assert "The model folder appears when the run is finished." in root.text
    assert "guessing evenly: ln V = 9.011" in root.text  # the vocabulary's size from recipe.toml


def test_a_run_with_a_model_whose_plan_was_extended_is_not_finished(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=20)
    write(folder / "run.json", {"plan": {"steps": 50}})
    assert "it stands at step 20 of 50." in report(folder).text


def test_a_run_that_has_only_begun_makes_a_page(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("[run]\npreset = 'bert-tiny'\n", encoding="utf-8")
    root = report(tmp_path)
    assert root.one("h1").text == "Nothing has been measured on held-out text yet."
    assert "Nothing has been measured yet." in root.text


def test_an_untrained_model_is_not_praised(tmp_path: Path) -> None:
    lines = [
        '{"kind": "held_out", "step": 0, "token_accuracy": 0.01}',
        '{"kind": "train", "step": 1, "token_loss": 9}',
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines), encoding="utf-8")
    root = report(tmp_path)
    assert root.one("h1").text == "Untrained, it guesses 1.0 % of hidden words on text it never saw."
    assert "before training" not in root.text


def test_what_was_not_measured_before_training_is_not_claimed(tmp_path: Path) -> None:
    measured = [{"kind": "held_out", "step": step, "token_accuracy": share} for step, share in ((5, 0.1), (9, 0.2))]
    lines = [json.dumps(record) for record in measured]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines), encoding="utf-8")
    root = report(tmp_path)
    assert figures(root)["hidden tokens guessed right"] == ("20.0 %", "")
    assert "efore training" not in root.text


def test_what_is_no_number_is_not_shown_as_one(tmp_path: Path) -> None:
    line = '{"kind": "held_out", "step": 1, "token_accuracy": true, "token_loss": "4", "bits_per_byte": NaN}\n'
    (tmp_path / "metrics.jsonl").write_text(line, encoding="utf-8")
    assert report(tmp_path).one("h1").text == "Nothing has been measured on held-out text yet."
    assert not report(tmp_path).find("svg")


@pytest.mark.parametrize("count", [1, 2, 8, 9, 12, 40])
def test_samples_always_hold_the_first_and_the_last_moment(tmp_path: Path, count: int) -> None:
    guess = {"token": "a", "id": 9, "probability": 0.5}
    probes = [{"kind": "probe", "step": step, "text": "[MASK]", "masks": [[guess]]} for step in range(count)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(json.dumps(probe) for probe in probes), encoding="utf-8")
    moments = [int(row[0]) for row in report(tmp_path).one("section", id="samples").one("table").rows()]
    assert (moments[0], moments[-1]) == (0, count - 1)
    assert len(moments) <= 9
    assert len({b - a for a, b in itertools.pairwise(moments[1:])}) <= 1


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match=r"is not a run folder; give one that holds metrics\.jsonl"):
        write_report(tmp_path)


def test_torn_and_repeated_lines_do_not_show_wrong_numbers(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=20)
    (folder / "corpus.json").write_text("{", encoding="utf-8")
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as handle:
        handle.write('{"kind": "held_out", "step": 20, "token_accuracy": 0.5, "token_loss": 2.0}\n{"kind": "hel')
    root = report(folder)
    assert root.one("h1").text.startswith("It guesses 50.0 %")
    assert "metrics.jsonl: 1 unreadable line(s) left out of this report" in root.text
    assert "corpus.json: is not readable JSON" in root.text
    assert "Warnings (2)" in root.one("nav").text


def test_an_older_page_survives_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_run(tmp_path / "run", steps=20)
    before = write_report(folder).read_bytes()
    (folder / "facts.json").unlink()
    from osnowa.files import system

    def refuse(path: Path) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(system, "create", refuse)
    with pytest.raises(CannotCreateError):
        write_report(folder)
    assert (folder / "report.html").read_bytes() == before


def test_the_same_run_gives_the_same_page(run_folder: Path) -> None:
    assert page(read_run(run_folder)) == page(read_run(run_folder))


_KEYS = """documents bytes in train held_out dropped removed changed languages sources split overlap examples warnings
tokenizer fertility rows row_length trained_tokens padded_tokens model baselines preset parameters kind vocab_size
evidence training steps most_frequent_token most_frequent_share unigram_loss rejected"""
_NAMES = st.sampled_from(_KEYS.split())
_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=5), max_leaves=25
)
_OBJECT = st.dictionaries(_NAMES, _JSON, max_size=8)
_RECORD = st.fixed_dictionaries(
    {"kind": st.sampled_from(["train", "held_out", "probe", "event"]), "step": st.integers(0, 10**9)},
    optional={
        name: _JSON | st.floats(allow_nan=False, allow_infinity=False)
        for name in ("loss", "token_loss", "token_accuracy", "gradient_norm", "perplexity", "learning_rate")
    }
    | {"text": st.text(max_size=5), "masks": st.lists(st.lists(_OBJECT | _LEAVES, max_size=2) | _LEAVES, max_size=2)},
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(corpus=_OBJECT, told=_OBJECT, lines=st.lists(_RECORD, max_size=6))
def test_any_json_makes_a_well_formed_page(
    tmp_path: Path, corpus: dict[str, Any], told: dict[str, Any], lines: list[dict[str, Any]]
) -> None:
    write(tmp_path / "corpus.json", corpus)
    write(tmp_path / "facts.json", told)
    (tmp_path / "metrics.jsonl").write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    assert read_page(page(read_run(tmp_path))).one("h1").text
