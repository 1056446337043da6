"""A user's mistake gets one clear line, the documented exit code, and changes nothing."""

from __future__ import annotations

import gzip
import json
import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from small_run import contents, osnowa, pretrain
from texts import documents

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@dataclass(frozen=True)
class Case:
    """A mistake: how to make it, with which further words, and what must be said."""

    name: str
    make: Callable[[Path], Path | str]
    code: int
    says: str
    words: tuple[str, ...] = ()


def write(name: str, content: bytes | str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


def good(folder: Path) -> Path:
    return write("good.txt", "\n\n".join(documents()))(folder)


def dangling(folder: Path) -> Path:
    (folder / "link.txt").symlink_to(folder / "nowhere.txt")
    return folder / "link.txt"


def empty_folder(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def encrypted_looking_zip(folder: Path) -> Path:
    path = folder / "outside.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../outside.txt", "text that must not leave the archive")
    return path


def bomb(folder: Path) -> Path:
    path = folder / "bomb.txt.gz"
    path.write_bytes(gzip.compress(b"a" * 60_000_000, 9))
    return path


LINES = [json.dumps({"text": text}) for text in documents()]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20

CASES = [
    Case("A1 empty file", write("empty.txt", ""), 65, r"empty\.txt.*empty"),
    Case("A1 only white space", write("blank.txt", " \n\t\n"), 65, r"blank\.txt"),
    Case("A1 empty folder", empty_folder, 65, r"empty"),
    Case(
        "A2 missing path", lambda folder: folder / "deep" / "nothing.txt", 66, r"nothing\.txt.*nearest existing folder"
    ),
    Case("A2 dangling link", dangling, 66, r"link\.txt"),
    Case(
        "A4 mixed damage",
        write("mixed.txt", ("Zażółć gęślą jaźń. " * 200).encode() + b"\xff\xfe\xfa broken"),
        65,
        r"mixed\.txt.*(byte|offset)",
    ),
    Case("A9 picture called .txt", write("picture.txt", PNG), 65, r"picture\.txt.*(PNG|binary)"),
    Case(
        "A10 bad JSON line",
        write("bad.jsonl", "\n".join([*LINES[:3], '{"text": "no end', *LINES[3:]])),
        65,
        r"bad\.jsonl:4:\d+",
    ),
    Case("A11 not an object", write("list.jsonl", "\n".join([*LINES[:2], "[1, 2]"])), 65, r"list\.jsonl:3"),
    Case(
        "A11 field missing",
        write("field.jsonl", "\n".join([*LINES[:2], '{"title": "x"}'])),
        65,
        r"field\.jsonl:3.*text",
    ),
    Case(
        "A12 deep nesting",
        write("deep.jsonl", "\n".join([*LINES[:2], '{"text": ' + "[" * 20_000])),
        65,
        r"deep\.jsonl:3",
    ),
    Case("A12 NaN", write("nan.jsonl", "\n".join([*LINES[:2], '{"text": NaN}'])), 65, r"nan\.jsonl:3"),
    Case("A14 no Parquet", write("table.parquet", b"PAR1 not really PAR1"), 65, r"table\.parquet"),
    Case(
        "A15 truncated gzip",
        write("cut.txt.gz", gzip.compress("\n\n".join(documents()).encode())[:-20]),
        65,
        r"cut\.txt\.gz",
    ),
    Case("A15 bomb", bomb, 65, r"bomb\.txt\.gz"),
    Case("A15 path out of the archive", encrypted_looking_zip, 65, r"outside\.zip"),
    Case(
        "A16 wrong column",
        write("table.csv", "id,body\n1,some text here\n"),
        65,
        r"table\.csv.*(id|body)",
        ("--corpus.text_column=story",),
    ),
    Case(
        "A24 one small document",
        write("one.txt", "Only one sentence stands here."),
        65,
        r"(one document|training tokens|held)",
    ),
    Case(
        "A24 fewer rows than a batch",
        good,
        65,
        r"one batch takes 4000 rows; use --training.batch_rows=\d+",
        ("--training.batch_rows=4000", "--corpus.document=block"),
    ),
    Case("B2 vocabulary below the alphabet", good, 78, r"vocab_size.*\d+", ("--tokenizer.vocab_size=20",)),
    Case(
        "C13 learning rate 1e9", good, 78, r"training\.learning_rate = 1000000000\.0", ("--training.learning_rate=1e9",)
    ),
    Case("C13 learning rate 0", good, 78, r"training\.learning_rate = 0", ("--training.learning_rate=0",)),
    Case("C13 negative learning rate", good, 78, r"training\.learning_rate = -1", ("--training.learning_rate=-1",)),
    Case("C13 warm-up longer than the run", good, 78, r"training\.warmup_steps = 99", ("--training.warmup_steps=99",)),
    Case("C13 batch 0", good, 78, r"training\.batch_rows = 0", ("--training.batch_rows=0",)),
    Case(
        "C13 heads do not divide",
        good,
        78,
        r"model\.num_heads = 5: does not divide model\.d_model = 32; use 1, 2, 4",
        ("--model.num_heads=5",),
    ),
    Case(
        "C14 misspelt setting",
        good,
        78,
        r"model\.nrom: no such setting; did you mean model\.norm\?",
        ("--model.nrom=rmsnorm",),
    ),
    Case(
        "C14 misspelt section",
        good,
        78,
        r"--trainign\.steps: no such setting; did you mean training\?",
        ("--trainign.steps=3",),
    ),
    Case("C14 a setting that follows from another", good, 78, r"--tokenizer.vocab_size", ("--model.vocab_size=100",)),
    Case(
        "no such preset",
        good,
        78,
        r"encoder-mni: no such preset; did you mean encoder-mini\?",
        ("--preset=encoder-mni",),
    ),
    Case(
        "no such objective",
        good,
        78,
        r'objective\.name = "maskd" is not one of the choices|objective\.name',
        ("--objective=maskd",),
    ),
    Case("two lengths", good, 78, r"steps and tokens", ("--tokens=100",)),
    Case("minus minutes", good, 78, r"training\.minutes = -1", ("--minutes=-1", "--training.steps=none")),
    Case(
        "warm-up longer than a run of tokens",
        good,
        78,
        r"warmup_steps = 9999",
        ("--training.warmup_steps=9999", "--training.steps=none", "--tokens=900", "--corpus.document=block"),
    ),
    Case("row longer than the model takes", good, 78, r"data\.row_length = 1024", ("--data.row_length=1024",)),
    Case(
        "a head without its questions",
        good,
        78,
        r"model\.next_sentence = true",
        ("--objective=masked", "--model.next_sentence=true"),
    ),
    Case("no recipe", good, 66, r"nothing\.toml", ("--recipe=nothing.toml",)),
    Case("no tokenizer", good, 66, r"nothing\.json", ("--tokenizer=nothing.json",)),
    Case("CUDA that is not there", good, 78, r"cuda", ("--device=cuda",)),
    Case("hub without network", lambda _: "hf://datasets/nobody/nothing", 66, r"(datasets|hub|network)"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mistake_gets_one_line_and_changes_nothing(case: Case, tmp_path: Path) -> None:
    if case.name.startswith("CUDA"):
        import torch

        if torch.cuda.is_available():
            pytest.skip("this machine has a GPU")
    text, run = case.make(tmp_path), tmp_path / "run"
    found = pretrain(text, run, *case.words)
    assert found.code == case.code, found.err
    assert re.search(case.says, found.message, re.S), found.message
    assert "Traceback" not in found.err
    assert found.message.startswith("osnowa: ")
    assert not run.exists(), contents(run)


def test_a_recipe_with_a_key_outside_a_section_is_refused_with_its_place(tmp_path: Path) -> None:
    recipe = write("recipe.toml", "minutes = 5\n")(tmp_path)
    found = osnowa("pretrain", good(tmp_path), "--out", tmp_path / "run", "--recipe", recipe)
    assert found.code == 78
    assert "recipe.toml: minutes" in found.message
    assert "[training]" in found.message


def test_many_wrong_settings_are_all_said_at_once(tmp_path: Path) -> None:
    found = pretrain(
        good(tmp_path), tmp_path / "run", "--model.num_heads=5", "--training.batch_rows=0", "--data.row_length=1"
    )
    assert found.code == 78
    for name in ("model.num_heads", "training.batch_rows", "data.row_length"):
        assert name in found.message


@pytest.mark.skipif(ROOT, reason="root may read everything")
def test_unreadable_files_are_listed_before_any_work(tmp_path: Path) -> None:
    good(tmp_path)
    closed = write("closed.txt", "text")(tmp_path)
    closed.chmod(0)
    found = pretrain(tmp_path, tmp_path / "run")
    assert found.code == 66
    assert "closed.txt" in found.message


def test_bad_lines_can_be_skipped_and_are_kept_verbatim(tmp_path: Path) -> None:
    text = write(
        "bad.jsonl", "\n".join([*LINES, '{"text": "no end', *(line.replace("text", "text", 1) for line in LINES[:0])])
    )(tmp_path)
    found = pretrain(text, tmp_path / "run", "--bad-lines=skip")
    assert found.code == 0, found.err
    rejected = [json.loads(line) for line in (tmp_path / "run" / "rejected.jsonl").read_text().splitlines()]
    assert [record["raw"] for record in rejected] == ['{"text": "no end']
    assert rejected[0]["line"] == len(LINES) + 1


def test_a_folder_with_other_things_in_it_is_not_touched(tmp_path: Path) -> None:
    write("run/letter.txt", "Dear Zosia")(tmp_path)
    before = contents(tmp_path / "run")
    found = pretrain(good(tmp_path), tmp_path / "run")
    assert found.code == 73
    assert "is not empty" in found.message
    assert contents(tmp_path / "run") == before


def test_an_out_that_is_a_file_is_refused(tmp_path: Path) -> None:
    found = pretrain(good(tmp_path), write("run", "a file")(tmp_path))
    assert found.code == 73
    assert (tmp_path / "run").read_text() == "a file"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("pretrian",), "pretrian"),
        (("pretrain", "x.txt"), "--out"),
        (("pretrain", "--out", "r"), "no text given"),
        (("fill",), "MODEL"),
        (("pretrain", "x.txt", "--out", "r", "--frobnicate"), "--frobnicate"),
        (("pretrain", "x.txt", "--out", "r", "--steps", "many"), "many"),
        (("pretrain", "x.txt", "--out", "r", "--minutes", "soon"), "soon"),
        (("fill", "m", "text", "--model.d_model=3"), "settings"),
        (("pretrain", "--sample", "python-doc", "--out", "r"), "python-doc"),
    ],
)
def test_wrong_words_are_a_usage_error(
    words: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = osnowa(*words)
    assert found.code == 2
    assert says in found.message
    assert list(tmp_path.iterdir()) == []


def test_no_word_at_all_shows_the_help(tmp_path: Path) -> None:
    found = osnowa()
    assert found.code == 2
    assert "pretrain" in found.err
