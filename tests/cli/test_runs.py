"""Runs by the command line: begun, stopped, gone on with, finished, extended, moved, damaged, asked."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from small_run import SMALL, contents, osnowa, pretrain
from texts import documents


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teksty i inne")
    for index, document in enumerate(documents()):
        (folder / f"{index:02d}.txt").write_text(document + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def finished(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "zażółć gęślą"
    found = pretrain(text, run)
    assert found.code == 0, found.err
    return run


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def test_a_run_folder_holds_what_the_contract_says(finished: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    assert {
        "recipe.toml",
        "corpus.json",
        "rejected.jsonl",
        "metrics.jsonl",
        "checkpoints",
        "model",
        "report.html",
    } <= names
    assert not any("tmp" in name or name == "work" for name in names)
    model = {path.name for path in (finished / "model").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"} <= model
    kinds = {json.loads(line)["kind"] for line in (finished / "metrics.jsonl").read_text().splitlines()}
    assert {"train", "held_out", "probe"} <= kinds


def test_the_same_command_on_a_finished_run_says_so_and_changes_nothing(text: Path, finished: Path) -> None:
    before = contents(finished)
    found = pretrain(text, finished)
    assert found.code == 0
    assert "finished" in found.out
    assert contents(finished) == before


def test_the_same_text_and_settings_give_the_same_bytes(text: Path, finished: Path, tmp_path: Path) -> None:
    assert pretrain(text, tmp_path / "again").code == 0
    assert weights(tmp_path / "again") == weights(finished)


def test_the_written_recipe_read_back_gives_the_same_run(text: Path, finished: Path, tmp_path: Path) -> None:
    found = osnowa("pretrain", text, "--recipe", finished / "recipe.toml", "--out", tmp_path / "again", "--quiet")
    assert found.code == 0, found.err
    assert weights(tmp_path / "again") == weights(finished)


def test_the_preset_named_in_two_ways_is_the_same(text: Path, tmp_path: Path) -> None:
    words = [word for word in SMALL if not word.startswith("--preset")]
    found = osnowa(
        "pretrain", text, "--out", tmp_path / "run", "--preset", "encoder", "--size", "tiny", *words, "--steps=6"
    )
    assert found.code == 0, found.err
    assert 'preset = "encoder-tiny"' in (tmp_path / "run" / "recipe.toml").read_text()


@pytest.mark.parametrize("preset", ["bert-tiny", "encoder-tiny"])
def test_one_step_works_for_a_preset(text: Path, tmp_path: Path, preset: str) -> None:
    words = [word for word in SMALL if not word.startswith("--preset")]
    found = osnowa("pretrain", text, "--out", tmp_path / "run", f"--preset={preset}", *words, "--steps=1")
    assert found.code == 0, found.err


def test_masked_only_works_and_has_no_next_sentence(text: Path, tmp_path: Path) -> None:
    found = pretrain(text, tmp_path / "run", "--objective=masked")
    assert found.code == 0, found.err
    asked = osnowa("next-sentence", tmp_path / "run", "Ala ma kota.", "Kot ma Alę.")
    assert asked.code == 78
    assert "no next-sentence head" in asked.message


def test_tokens_say_how_long(text: Path, tmp_path: Path) -> None:
    found = osnowa("pretrain", text, "--out", tmp_path / "run", *SMALL, "--tokens=1200", "--json")
    assert found.code == 0, found.err
    trained = json.loads(found.out)["training"]["tokens"]
    assert 900 <= trained <= 1500


def test_json_is_exactly_one_object_on_standard_output(text: Path, tmp_path: Path) -> None:
    found = pretrain(text, tmp_path / "run", "--json")
    assert found.code == 0
    answer = json.loads(found.out)
    assert found.out.count("\n") == 1
    assert answer["finished"] is True
    assert 0 <= answer["result"]["token_accuracy"] <= 1
    assert answer["rows"]["dropped_tokens"] == 0


# --- changed settings, text, tokenizer ---------------------------------------------------------------------------


def test_changed_settings_are_refused_with_the_difference(text: Path, copy: Path) -> None:
    before = contents(copy)
    found = pretrain(text, copy, "--training.learning_rate=0.001")
    assert found.code == 78
    assert "training.learning_rate: 0.003 -> 0.001" in found.message
    assert "--override" in found.message
    assert contents(copy) == before


def test_an_architecture_never_changes_within_a_run(text: Path, copy: Path) -> None:
    found = pretrain(text, copy, "--model.activation=relu", "--override")
    assert found.code == 78
    assert "model.activation" in found.message


def test_override_goes_on_with_changed_settings_and_says_which_won(text: Path, copy: Path) -> None:
    found = pretrain(text, copy, "--training.learning_rate=0.001", "--override", steps="9")
    assert found.code == 0, found.err
    assert "training.learning_rate: 0.003 -> 0.001" in (copy / "metrics.jsonl").read_text()
    assert "learning_rate = 0.001" in (copy / "recipe.toml").read_text()


def test_changed_text_is_refused_and_named(text: Path, copy: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(text, tmp_path / "other"))
    (other / "03.txt").write_text("Something else stands here now. It was not there before.\n", encoding="utf-8")
    found = pretrain(other, copy)
    assert found.code == 78
    assert "03.txt" in found.message


def test_override_goes_on_with_changed_text_and_the_old_vocabulary(text: Path, copy: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(text, tmp_path / "other"))
    (other / "03.txt").write_text("Something else stands here now. It was not there before.\n", encoding="utf-8")
    tokenizer = (copy / "tokenizer.json").read_bytes()
    found = pretrain(other, copy, "--override", steps="9")
    assert found.code == 0, found.err
    assert (copy / "tokenizer.json").read_bytes() == tokenizer


def test_another_tokenizer_is_refused(text: Path, copy: Path) -> None:
    found = pretrain(text, copy, f"--tokenizer={copy / 'tokenizer.json'}")
    assert found.code == 78
    assert "tokenizer" in found.message


def test_a_given_tokenizer_is_used_as_it_is(text: Path, finished: Path, tmp_path: Path) -> None:
    found = pretrain(text, tmp_path / "run", f"--tokenizer={finished / 'model'}")
    assert found.code == 0, found.err
    assert (tmp_path / "run" / "tokenizer.json").read_bytes() == (finished / "tokenizer.json").read_bytes()


# --- going on ----------------------------------------------------------------------------------------------------


def test_a_finished_run_can_be_extended(text: Path, copy: Path) -> None:
    words = ("pretrain", text, "--out", copy, *SMALL)
    found = osnowa(*words, "--steps", "+3", "--json")
    assert found.code == 0, found.err
    assert json.loads(found.out)["training"]["steps"] == 9


def test_extending_what_is_not_there_is_a_usage_error(text: Path, tmp_path: Path) -> None:
    found = osnowa("pretrain", text, "--out", tmp_path / "run", *SMALL, "--steps", "+3")
    assert found.code == 2
    assert not (tmp_path / "run").exists()


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(text: Path, copy: Path, finished: Path) -> None:
    shutil.rmtree(copy / "model")
    newest = sorted((copy / "checkpoints").iterdir())[-1]
    data = bytearray((newest / "weights.safetensors").read_bytes())
    data[len(data) // 2] ^= 1
    (newest / "weights.safetensors").write_bytes(data)
    found = pretrain(text, copy)
    assert found.code == 0, found.err
    assert newest.name in (copy / "metrics.jsonl").read_text()
    assert weights(copy) == weights(finished)


def test_damaged_data_are_prepared_again_to_the_same_bytes(text: Path, copy: Path, finished: Path) -> None:
    shutil.rmtree(copy / "model")
    path = copy / "data" / "train.tokens"
    path.write_bytes(path.read_bytes()[:-2])
    found = pretrain(text, copy)
    assert found.code == 0, found.err
    assert weights(copy) == weights(finished)


def test_a_finished_run_whose_checkpoints_were_removed_is_still_finished(text: Path, copy: Path) -> None:
    shutil.rmtree(copy / "checkpoints")
    before = contents(copy)
    found = pretrain(text, copy)
    assert found.code == 0, found.err
    assert "finished" in found.out
    assert contents(copy) == before
    assert pretrain(text, copy, "--training.learning_rate=0.001").code == 78


def test_a_lost_log_does_not_lose_the_model(text: Path, copy: Path, finished: Path) -> None:
    shutil.rmtree(copy / "model")
    (copy / "metrics.jsonl").unlink()
    found = pretrain(text, copy)
    assert found.code == 0, found.err
    assert weights(copy) == weights(finished)


def test_a_run_may_be_moved(text: Path, copy: Path, tmp_path: Path, finished: Path) -> None:
    moved = tmp_path / "inne miejsce" / "żółw"
    moved.parent.mkdir()
    copy.rename(moved)
    shutil.rmtree(moved / "model")
    assert pretrain(text, moved).code == 0
    assert weights(moved) == weights(finished)


def test_a_checkpoint_from_a_newer_version_is_refused(text: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(copy / "model")
    before = contents(copy)
    monkeypatch.setattr("osnowa.files.published.FORMAT_VERSION", 0)
    found = pretrain(text, copy)
    assert found.code == 78
    assert "newer" in found.message
    assert contents(copy) == before


def test_two_runs_in_one_folder_the_second_is_refused(text: Path, copy: Path) -> None:
    from osnowa import files

    with files.lock(copy):
        code = subprocess.run(
            [sys.executable, "-m", "osnowa", "pretrain", str(text), "--out", str(copy), *SMALL, "--steps=6"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert code.returncode == 69
    assert str(os.getpid()) in code.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_the_same_command_goes_on(
    text: Path, finished: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    run = tmp_path / "run"
    words = [sys.executable, "-m", "osnowa", "pretrain", str(text), "--out", str(run), *SMALL]
    process = subprocess.Popen([*words, "--steps=100000"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and '"kind": "train"' not in read(run / "metrics.jsonl"):
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "saved at step" in err
    assert "Traceback" not in err
    saved = sorted((run / "checkpoints").iterdir())[-1]
    assert int(saved.name.removeprefix("step-")) > 0


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


# --- other verbs -------------------------------------------------------------------------------------------------


def test_prepare_then_pretrain_equals_pretrain(text: Path, finished: Path, tmp_path: Path) -> None:
    made = osnowa("prepare", text, "--out", tmp_path / "data", "--tokenizer.vocab_size=300", "--quiet", "--json")
    assert made.code == 0, made.err
    assert json.loads(made.out)["corpus"]["documents"]["in"] == len(documents())
    assert pretrain(tmp_path / "data", tmp_path / "run").code == 0
    assert weights(tmp_path / "run") == weights(finished)


def test_prepare_shows_what_each_rule_removed_when_asked(tmp_path: Path) -> None:
    for index, document in enumerate([*documents(), documents()[0]]):
        (tmp_path / f"{index}.txt").write_text(document, encoding="utf-8")
    shown = osnowa(
        "prepare",
        tmp_path,
        "--out",
        tmp_path.with_name("made"),
        "--tokenizer.vocab_size=300",
        "--quiet",
        "--show-removed",
    )
    assert shown.code == 0, shown.err
    assert "exact_duplicate:" in shown.out
    assert documents()[0][:20] in shown.out


def test_standard_input_is_text(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "osnowa",
            "prepare",
            "-",
            "--out",
            str(tmp_path / "data"),
            "--tokenizer.vocab_size=300",
            "--corpus.document=block",
            "--json",
        ],
        input="\n\n".join(documents()).encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["corpus"]["documents"]["in"] == len(documents())


def test_doctor_says_what_the_corpus_is_like_and_keeps_nothing(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = osnowa("doctor", text, *SMALL, "--json")
    assert found.code == 0, found.err
    answer = json.loads(found.out)
    assert answer["documents"]["in"] == len(documents())
    assert any(warning["code"] == "held-out" for warning in answer["warnings"])
    assert list(tmp_path.iterdir()) == []
    assert "next-sentence pairs" in osnowa("doctor", text, *SMALL).out


def test_fill_answers_each_mask(finished: Path) -> None:
    found = osnowa("fill", finished, "Babcia [MASK] książkę w [MASK].", "--top-k", "3", "--json")
    assert found.code == 0, found.err
    masks = json.loads(found.out)["masks"]
    assert [len(guesses) for guesses in masks] == [3, 3]
    assert set(masks[0][0]) == {"token", "id", "probability"}
    assert masks[0][0]["probability"] >= masks[0][1]["probability"]
    assert osnowa("fill", finished / "model", "Babcia [MASK].").code == 0


def test_next_sentence_answers(finished: Path) -> None:
    found = osnowa("next-sentence", finished, "Babcia czyta.", "Kot śpi.", "--json")
    assert found.code == 0, found.err
    answer = json.loads(found.out)
    assert set(answer) == {"is_next", "probability"}
    assert answer["is_next"] == (answer["probability"] >= 0.5)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("fill", "RUN", "no mask here"), 65, "no [MASK]"),
        (("fill", "RUN", "[MASK] " + "kot " * 4000), 65, "tokens, this model takes"),
        (("fill", "RUN", "[MASK]", "--top-k", "0"), 2, "--top-k"),
        (("fill", "nowhere", "[MASK]"), 66, "nowhere"),
        (("next-sentence", "RUN", "A.", " "), 65, "second sentence is empty"),
        (("report", "nowhere"), 65, "not a run folder"),
        (("verify", "nowhere"), 66, "no such folder"),
        (("presets", "bard"), 78, "no such preset"),
    ],
)
def test_questions_that_make_no_sense_get_one_line(
    finished: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    found = osnowa(*(str(finished) if word == "RUN" else word for word in words))
    assert found.code == code, found.err
    assert says in found.message


def test_a_read_only_model_can_be_asked(copy: Path) -> None:
    for path in [*copy.rglob("*"), copy]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert osnowa("fill", copy, "Babcia [MASK] książkę.").code == 0
    finally:
        for path in [copy, *copy.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_verify_finds_the_damaged_file_and_a_sound_run_sound(copy: Path) -> None:
    assert osnowa("verify", copy).code == 0
    path = copy / "data" / "train.sentences"
    data = bytearray(path.read_bytes())
    data[9] ^= 1
    path.write_bytes(data)
    found = osnowa("verify", copy)
    assert found.code == 65
    assert "train.sentences" in found.out


def test_verify_can_try_a_resume(finished: Path) -> None:
    before = contents(finished)
    found = osnowa("verify", finished, "--resume", "--json")
    assert found.code == 0, found.out
    assert json.loads(found.out)["resume"] is True
    assert contents(finished) == before


def test_report_is_written_anew(copy: Path) -> None:
    (copy / "report.html").unlink()
    assert osnowa("report", copy).code == 0
    assert "<svg" in (copy / "report.html").read_text(encoding="utf-8")


def test_presets_are_listed(tmp_path: Path) -> None:
    rows = json.loads(osnowa("presets", "--json").out)["presets"]
    assert {"bert-base", "encoder-mini"} <= {row["name"] for row in rows}
    assert "110,106,428" in osnowa("presets").out


def test_presets_show_what_each_changes_of_its_ancestor() -> None:
    shown = " ".join(osnowa("presets", "bert-base", "bert-mini", "encoder-base").out.split())
    assert "bert-base (the original" in shown
    assert "bert-mini is bert-base but for model encoder_layers 12 -> 4, d_model 768 -> 256, d_ff 3072 -> 1024" in shown
    assert "training batch_rows 256 -> 32, learning_rate 0.0001 -> 0.001" in shown
    assert "feed_forward mlp -> glu" in shown, "where the ancestor names no value, its default is shown"
    unchanged = [
        words
        for words in shown.split(", ")
        if len(parts := words.split(" -> ")) == 2 and parts[0].split()[-1] == parts[1]
    ]
    assert unchanged == []
