"""What the command line says is right for every objective: results, presets, rows before training, advice."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

import osnowa as api
from osnowa.cli import show
from osnowa.runs.pretrain import Run
from small_run import SMALL, osnowa
from texts import documents

DECODER = ("--preset=gpt2-tiny", "--tokenizer.vocab_size=400", "--data.row_length=32", "--training.batch_rows=4")
BOTH = ("--preset=t5-tiny", "--tokenizer.vocab_size=400", "--data.row_length=32", "--training.batch_rows=4")
TINY = ("--model.d_model=32", "--model.num_heads=2", "--model.d_ff=48", "--training.evaluations=2")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    for index, document in enumerate(documents()):
        (folder / f"{index:02d}.txt").write_text(document + "\n", encoding="utf-8")
    return folder


def finished(name: str, **result: Any) -> str:
    figures = {"token_loss": 3.0, "token_accuracy": 0.4, "perplexity": 20.1, "bits_per_byte": 1.25, **result}
    facts = {
        "objective": {"name": name},
        "result": figures,
        "untrained": {"token_loss": 6.0, "token_accuracy": 0.001, "perplexity": 403.4},
        "baselines": {"most_frequent_token": ",", "most_frequent_share": 0.06, "unigram_loss": 5.0},
        "training": {"steps": 3, "tokens": 100, "seconds": 2.0},
        "rows": {"rows": 1, "trained_tokens": 2, "special_tokens": 3, "padded_tokens": 4, "dropped_tokens": 0},
        "corpus": {"split": {"overlap": 0}},
    }
    with redirect_stdout(io.StringIO()) as out:
        show.finished(Run(Path("RUN"), facts))
    return " ".join(out.getvalue().split())


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "masked",
            ["hidden tokens guessed right 40.0 %", "masked loss 3.000", "pseudo-perplexity 20.1", "sees both sides"],
        ),
        (
            "next-token",
            [
                "next tokens guessed right 40.0 %",
                "next-token loss 3.000",
                " perplexity 20.1",
                "any left-to-right model",
            ],
        ),
        (
            "infilling",
            ["target tokens guessed right 40.0 %", "target loss 3.000", "perplexity of targets 20.1", "same objective"],
        ),
    ],
)
def test_the_outcome_of_a_run_is_told_in_its_own_words(name: str, says: list[str]) -> None:
    told = finished(name)
    for each in says:
        assert each in told
    assert ("hidden" in told) is (name == "masked")


def test_pairs_are_told_by_what_was_asked_of_them() -> None:
    assert "sentence order 60.0 %" in finished("sentence-order", next_sentence_accuracy=0.6, num_pairs=100)
    assert "next sentence 60.0 %" in finished("masked-next-sentence", next_sentence_accuracy=0.6, num_pairs=100)


def test_scores_of_translations_are_told() -> None:
    scores = {"bleu": 12.3, "chrf": 45.6, "copied_bleu": 1.2, "copied_chrf": 20.0, "scored_pairs": 7}
    assert "BLEU, chrF 12.3 45.6; the source itself 1.2, 20.0 (7 pairs)" in finished("translation", **scores)


def test_presets_of_a_family_are_listed_with_their_class() -> None:
    rows = json.loads(osnowa("presets", "t5", "--json").out)["presets"]
    assert {row["family"] for row in rows} == {"t5"}
    assert {"t5-small", "t5-11b", "t5-tiny"} <= {row["name"] for row in rows}
    shown = osnowa("presets", "t5", "gpt3-tiny").out
    assert "T5ForConditionalGeneration" in shown
    assert "own format" in shown
    assert "t5: encoder-decoder" in shown
    assert "gpt3: decoder" in shown


def test_a_preset_that_is_none_is_a_bad_setting() -> None:
    assert osnowa("presets", "t6").code == 78


def test_rows_are_shown_before_training_when_asked(text: Path, tmp_path: Path) -> None:
    shown = osnowa("prepare", text, "--out", tmp_path / "a", *SMALL, "--show", "2")
    assert shown.code == 0, shown.err
    assert "row 1: " in shown.out
    assert "row 2: " in shown.out
    assert "(masked)" in shown.out
    assert "pair: " in shown.out
    assert "row 1" not in osnowa("prepare", text, "--out", tmp_path / "a", *SMALL).out
    answer = json.loads(osnowa("prepare", text, "--out", tmp_path / "a", *SMALL, "--show=1", "--json").out)
    (row,) = answer["samples"]
    assert row["question"] == "hidden"
    assert {"place", "shown", "truth", "how"} == row["texts"][0]["asked"][0].keys()
    assert osnowa("prepare", text, "--out", tmp_path / "a", *SMALL, "--show=-1").code == 2


def test_rows_of_decoders_and_encoder_decoders_are_shown(text: Path, tmp_path: Path) -> None:
    decoder = osnowa("prepare", text, "--out", tmp_path / "a", *DECODER, "--quiet", "--show", "1")
    assert decoder.code == 0, decoder.err
    assert "out:  <s> -> " in decoder.out
    assert "nothing comes after it" in decoder.out
    both = osnowa("prepare", text, "--out", tmp_path / "b", *BOTH, "--quiet", "--show", "1")
    assert both.code == 0, both.err
    assert "<extra_id_0>" in both.out
    assert "(after <s>)" in both.out


def test_python_gets_the_same_rows(text: Path, tmp_path: Path) -> None:
    settings = {"tokenizer": {"vocab_size": 300}}
    prepared = api.prepare(text, tmp_path / "data", preset="encoder-tiny", settings=settings, show=2)
    assert len(prepared.samples) == 2
    assert prepared.samples[0].question == "hidden"


def test_the_doctor_advises_and_foresees_memory(text: Path) -> None:
    found = osnowa("doctor", text, *BOTH, "--quiet", "--json")
    assert found.code == 0, found.err
    answer = json.loads(found.out)
    assert answer["advice"]["preset"] == "t5-tiny"
    assert {"preset", "vocab_size", "minutes", "assumed"} <= answer["advice"].keys()
    assert answer["memory"]["total"] > answer["memory"]["program"] > 0
    assert 0 <= answer["padding_share"] < 0.9, "of source and target side by side"
    told = osnowa("doctor", text, *BOTH, "--quiet").out
    assert "memory at the peak, estimated" in told
    assert "Hoffmann et al. 2022" in told
    assert "next-sentence pairs" not in told


@pytest.mark.parametrize(
    ("words", "accuracy", "folder"),
    [(DECODER, "next tokens guessed right", "a"), (BOTH, "target tokens guessed right", "b")],
)
def test_a_run_of_each_topology_speaks_of_itself(
    text: Path, tmp_path: Path, words: tuple[str, ...], accuracy: str, folder: str
) -> None:
    run = tmp_path / folder
    done = osnowa("pretrain", text, "--out", run, *words, *TINY, "--steps=2", "--training.held_out_rows=4")
    assert done.code == 0, done.err
    assert accuracy in done.out
    assert "memory at the peak, estimated: " in done.err
    facts = json.loads((run / "facts.json").read_text(encoding="utf-8"))
    assert "held_out_mask_share" not in facts["objective"]
    assert facts["objective"]["question"] in ("next", "target")
    assert facts["model"]["topology"] in ("decoder", "encoder-decoder")
    rows = facts["rows"]
    assert rows["rows"] * rows["places_per_row"] == sum(
        rows[f"{part}_tokens"] for part in ("trained", "special", "padded")
    )
    report = (run / "report.html").read_text(encoding="utf-8")
    assert accuracy in report
    assert "it adds up" in report
    card = (run / "model" / "README.md").read_text(encoding="utf-8")
    assert accuracy in card
    assert "osnowa generate" in card
