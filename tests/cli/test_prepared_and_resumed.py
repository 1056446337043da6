"""What a run or a prepared folder was made with holds: changed files, settings, tokenizers and damage are named."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from osnowa import files
from small_run import SMALL, Outcome, contents, osnowa
from texts import documents

PLAIN = tuple(
    word for word in SMALL if not word.startswith("--tokenizer")
)  # the default vocabulary, asked for by nobody


def write_texts(folder: Path) -> Path:
    folder.mkdir()
    for index, document in enumerate(documents()):
        (folder / f"{index:02d}.txt").write_text(document + "\n", encoding="utf-8")
    return folder


def change(text: Path) -> None:
    (text / "03.txt").write_text("Something else stands here now. It was not there before.\n", encoding="utf-8")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts(tmp_path_factory.mktemp("texts") / "teksty")


@pytest.fixture(scope="module")
def prepared(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared by lines that were asked for, with a small vocabulary."""
    folder = tmp_path_factory.mktemp("prepared") / "data"
    found = osnowa(
        "prepare", text, "--out", folder, "--quiet", "--tokenizer.vocab_size=300", "--corpus.run_characters=300"
    )
    assert found.code == 0, found.err
    return folder


@pytest.fixture(scope="module")
def begun(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that was given a tokenizer file, begun in its own folder so that text and run can be copied."""
    home = tmp_path_factory.mktemp("begun")
    shutil.copytree(text, home / "text")
    found = osnowa("prepare", text, "--out", home / "data", "--tokenizer.vocab_size=280", "--quiet")
    assert found.code == 0, found.err
    shutil.copy(home / "data" / "tokenizer.json", home / "tokenizer.json")
    shutil.rmtree(home / "data")
    with contextlib.chdir(home):
        found = go_on()
    assert found.code == 0, found.err
    return home


def go_on(*words: str) -> Outcome:
    return osnowa("pretrain", "text", "--out", "run", "--tokenizer=tokenizer.json", *PLAIN, "--steps=3", *words)


@pytest.fixture
def home(begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it as the working folder; the model is not yet published, so the run goes on."""
    copied = Path(shutil.copytree(begun, tmp_path / "home"))
    (copied / "run" / "model").rename(copied / "run-model")
    monkeypatch.chdir(copied)
    return copied


def same_model(home: Path) -> bool:
    there, before = (home / name / "model.safetensors" for name in ("run/model", "run-model"))
    return there.read_bytes() == before.read_bytes()


def refused(found: Outcome, code: int, *says: str) -> None:
    assert found.code == code, found.err
    assert "Traceback" not in found.err
    assert found.message.startswith("osnowa: ")
    for part in says:
        assert part in found.message, found.message


# --- a prepared folder as text ----------------------------------------------------------------------------------


def test_a_plain_pretrain_takes_a_prepared_folder_as_it_is_and_says_what_it_was(prepared: Path, tmp_path: Path) -> None:
    found = osnowa("pretrain", prepared, "--out", tmp_path / "run", *PLAIN, "--steps=2")
    assert found.code == 0, found.err
    recipe = (tmp_path / "run" / "recipe.toml").read_text(encoding="utf-8")
    assert "run_characters = 300" in recipe
    again = osnowa("pretrain", prepared, "--out", tmp_path / "run", "--quiet", "--recipe", tmp_path / "run/recipe.toml")
    assert again.code == 0, again.err


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("--tokenizer.vocab_size=500", ("tokenizer.vocab_size = 500", "was prepared with 300", "=300")),
        ("--tokenizer.kind=bpe", ('tokenizer.kind = "bpe"', 'was prepared with "wordpiece"', "kind=wordpiece")),
        ("--corpus.run_characters=400", ("corpus.run_characters = 400", "was prepared with 300")),
        ("--corpus.rules_off=repetition", ('corpus.rules_off = ["repetition"]', "was prepared with []")),
        ("--bad-lines=skip", ('corpus.bad_lines = "skip"', 'was prepared with "stop"', "prepare the text again")),
    ],
)
def test_a_setting_asked_for_that_contradicts_a_prepared_folder_is_refused_with_the_difference(
    prepared: Path, tmp_path: Path, word: str, says: tuple[str, ...]
) -> None:
    refused(osnowa("pretrain", prepared, "--out", tmp_path / "run", *PLAIN, "--steps=2", word), 78, *says)
    assert not (tmp_path / "run").exists()


def test_a_recipe_that_contradicts_a_prepared_folder_is_refused_and_each_difference_is_said(
    prepared: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[corpus]\nrun_characters = 5000\n[tokenizer]\nlowercase = true\n", encoding="utf-8")
    found = osnowa("pretrain", prepared, "--out", tmp_path / "run", *PLAIN, "--recipe", recipe)
    refused(found, 78, "corpus.run_characters = 5000", "tokenizer.lowercase = true")


def test_a_preset_that_was_named_is_asked_for_and_the_default_one_is_not(text: Path, tmp_path: Path) -> None:
    made = osnowa("prepare", text, "--out", tmp_path / "data", "--tokenizer.kind=bpe", "--tokenizer.vocab_size=400")
    assert made.code == 0, made.err
    words = [word for word in PLAIN if not word.startswith("--preset")]
    found = osnowa("pretrain", tmp_path / "data", "--out", tmp_path / "named", "--preset=encoder-tiny", *words)
    refused(found, 78, 'tokenizer.kind = "wordpiece"', 'was prepared with "bpe"', "--tokenizer.kind=bpe")
    found = osnowa("pretrain", tmp_path / "data", "--out", tmp_path / "run", *words, "--steps=2")
    assert found.code == 0, found.err
    assert 'kind = "bpe"' in (tmp_path / "run" / "recipe.toml").read_text(encoding="utf-8")


def test_another_tokenizer_beside_a_prepared_folder_is_refused_with_both_fingerprints(
    begun: Path, prepared: Path, tmp_path: Path
) -> None:
    other, own = (fingerprint(path / "tokenizer.json") for path in (begun, prepared))
    assert other != own
    words = (*PLAIN, "--steps=2")
    for verb in (("pretrain", prepared, "--out", tmp_path / "run"), ("doctor", prepared)):
        found = osnowa(
            *verb, *words[: None if verb[0] == "pretrain" else -1], f"--tokenizer={begun / 'tokenizer.json'}"
        )
        refused(found, 78, other, own)
    found = osnowa(
        "pretrain", prepared, "--out", tmp_path / "run", *words, f"--tokenizer={prepared / 'tokenizer.json'}"
    )
    assert found.code == 0, found.err


def fingerprint(path: Path) -> str:
    from osnowa.tokenizer import Tokenizer

    return Tokenizer.from_file(path).fingerprint[:12]


@pytest.mark.parametrize("verb", ["doctor", "pretrain", "prepare"])
def test_a_prepared_folder_among_other_text_is_refused(verb: str, text: Path, prepared: Path, tmp_path: Path) -> None:
    out = () if verb == "doctor" else ("--out", tmp_path / "out")
    found = osnowa(verb, text, prepared, *out, "--quiet")
    refused(found, 2, str(prepared), "can't be mixed with other text; give it alone")
    assert list(tmp_path.iterdir()) == []


def test_preparing_a_prepared_folder_is_refused(prepared: Path, tmp_path: Path) -> None:
    refused(
        osnowa("prepare", prepared, "--out", tmp_path / "out"), 2, "is prepared already; give it to osnowa pretrain"
    )
    assert list(tmp_path.iterdir()) == []


def test_doctor_examines_a_prepared_folder_as_it_is(prepared: Path) -> None:
    before = contents(prepared)
    found = osnowa("doctor", prepared, *PLAIN, "--json")
    assert found.code == 0, found.err
    answer, ledger = json.loads(found.out), json.loads((prepared / "corpus.json").read_text(encoding="utf-8"))
    assert answer["documents"] == ledger["documents"]
    assert answer["vocab_size"] <= 300
    assert contents(prepared) == before
    refused(osnowa("doctor", prepared, *PLAIN, "--corpus.run_characters=400"), 78, "was prepared with 300")


def test_a_guessed_encoding_is_warned_of_and_stands_beside_the_source(tmp_path: Path) -> None:
    write_texts(tmp_path / "text")
    (tmp_path / "text" / "99.txt").write_bytes("The café’s façade is naïve, they said at noon.\n".encode("cp1252"))
    found = osnowa("doctor", tmp_path / "text", *SMALL)
    assert found.code == 0, found.err
    assert "warning: the encoding of 1 file is a guess" in found.out
    assert 'guessed to be cp1252 (Western European), where a word is "café’s"' in found.out
    assert "--corpus.encoding" in found.out


def test_doctor_names_each_source_with_encoding_document_mode_and_notes(tmp_path: Path) -> None:
    write_texts(tmp_path / "text")
    (tmp_path / "text" / "99.txt").write_bytes("Zażółć gęślą jaźń, powiedziała babcia Ali.\n".encode("cp1250") * 3)
    found = osnowa("doctor", tmp_path / "text", *SMALL, "--json")
    assert found.code == 0, found.err
    sources = json.loads(found.out)["sources"]
    assert len(sources) == json.loads(found.out)["num_sources"] == len(documents()) + 1
    last = sources[-1]
    assert last["name"].endswith("99.txt")
    assert last["encoding"] == "cp1250"
    assert last["document"] in ("file", "line", "block", "run")
    assert last["because"]
    assert any("read as cp1250" in note for note in last["notes"])


# --- a run that goes on -----------------------------------------------------------------------------------------


def test_an_unchanged_tokenizer_file_goes_on_and_a_changed_one_at_the_same_path_is_refused(
    home: Path, prepared: Path
) -> None:
    own, other = fingerprint(home / "tokenizer.json"), fingerprint(prepared / "tokenizer.json")
    old = (home / "tokenizer.json").read_bytes()
    before = contents(home / "run")
    shutil.copy(prepared / "tokenizer.json", home / "tokenizer.json")
    for words in ((), ("--override",)):
        refused(go_on(*words), 78, own, other, "put the old tokenizer back")
    assert contents(home / "run") == before
    (home / "tokenizer.json").write_bytes(old)
    assert go_on().code == 0
    assert same_model(home)


def test_a_tokenizer_given_before_is_not_kept_when_the_next_call_gives_none(
    text: Path, begun: Path, tmp_path: Path
) -> None:
    words = ("prepare", text, "--out", tmp_path / "data", "--quiet", "--corpus.run_characters=300")
    assert osnowa(*words, f"--tokenizer={begun / 'tokenizer.json'}").code == 0
    given = fingerprint(tmp_path / "data" / "tokenizer.json")
    assert osnowa(*words, "--tokenizer.vocab_size=none").code == 0
    assert fingerprint(tmp_path / "data" / "tokenizer.json") != given


@pytest.mark.parametrize("damage", ["flipped", "gone"])
def test_damaged_data_and_changed_text_together_are_refused_like_changed_text(home: Path, damage: str) -> None:
    path = home / "run" / "data" / "train.tokens"
    flip(path) if damage == "flipped" else shutil.rmtree(path.parent)
    change(home / "text")
    before = contents(home / "run")
    refused(go_on(), 78, "text/03.txt: changed", "--override")
    assert contents(home / "run") == before
    assert go_on("--override").code == 0


def test_sound_data_of_another_text_are_not_taken_for_the_runs_own(home: Path, prepared: Path) -> None:
    shutil.rmtree(home / "run" / "data")
    shutil.copytree(prepared, home / "run" / "data")
    assert go_on().code == 0
    assert "holds other data than the run began with" in (home / "run" / "metrics.jsonl").read_text(encoding="utf-8")
    assert same_model(home)


def test_a_flipped_bit_or_a_lost_end_in_run_json_is_named_and_refused(home: Path) -> None:
    path = home / "run" / "run.json"
    whole = path.read_bytes()
    for spoiled in (whole.replace(b'"seed": 0', b'"seed": 1'), whole[:-40], b"", b"\xff" * 100):
        path.write_bytes(spoiled)
        before = contents(home / "run")
        refused(go_on(), 65, "run.json: is damaged or was altered", "another --out")
        assert contents(home / "run") == before
        verdict = osnowa("verify", home / "run")
        assert verdict.code == 65
        assert "DAMAGED" in verdict.out
        assert "run.json" in verdict.out
    path.unlink()
    refused(go_on(), 65, "run.json: is missing")


def test_two_prepares_of_one_folder_the_second_is_refused_with_pid_and_host(text: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    workspace = files.make_folder(tmp_path / "data.tmp-work")
    words = ["prepare", str(text), "--out", str(out), "--tokenizer.vocab_size=300", "--quiet"]
    with files.lock(workspace):
        done = subprocess.run([sys.executable, "-m", "osnowa", *words], capture_output=True, text=True, check=False)
        assert list(workspace.iterdir()) == [workspace / "run.lock"]
    assert done.returncode == 69, done.stderr
    assert f"{out}: another run works here (pid {os.getpid()} on " in done.stderr
    assert osnowa(*words).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_many_changed_files_are_counted_and_not_all_listed(home: Path) -> None:
    (home / "text").rename(home / "other")
    shutil.copytree(home / "other", home / "text" / "deeper")
    found = go_on()
    refused(found, 78, "text/00.txt: removed", f"and {2 * len(documents()) - 10} more")
    assert len(found.message) < 1000
