"""`osnowa explain` and `osnowa.explain`: a folder and a text in, one file out, or one clear line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from looking import SECOND, TEXT, model_of
from reading_back import read_page, steps_of, tensors_of

import osnowa
from osnowa.errors import SettingsError
from osnowa.explain import page
from osnowa.explain.check import check
from small_models import publish_model
from small_run import contents, pretrain
from small_run import osnowa as command


@pytest.fixture(autouse=True)
def assets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script and a style that stand for the built ones."""
    monkeypatch.setattr(page, "asset", {"page.js": "run()", "page.css": "p{}"}.__getitem__)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_model(tmp_path_factory.mktemp("models") / "encoder", model_of("bert-base"))


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_model(tmp_path_factory.mktemp("models") / "decoder", model_of("llama3-8b"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_model(tmp_path_factory.mktemp("models") / "pair", model_of("t5-small"))


def test_a_page_of_an_encoder(encoder: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    done = command("explain", encoder, TEXT, "--second", SECOND, "--out", out, "--lang", "en", "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert told["bad"] == 0
    assert told["checked"] == told["numbers"] > 10_000
    assert told["bytes"] == out.stat().st_size
    index, _ = read_page(out.read_text(encoding="utf-8"))
    assert (index["lang"], index["facts"]["folder"], index["facts"]["topology"]) == ("en", "encoder", "encoder")
    assert index["facts"]["family"] == "BertForPreTraining"
    assert index["facts"]["training"] is None
    assert index["answers"] == told["answers"]
    best = json.loads(command("fill", encoder, TEXT, "--top-k", "3", "--json").out)["masks"][0]
    single = tmp_path / "single.html"
    assert command("explain", encoder, TEXT, "--out", single).code == 0
    found = read_page(single.read_text(encoding="utf-8"))[0]["answers"]["masks"][0]["top"][:3]
    assert [each["id"] for each in found] == [each["id"] for each in best]


def test_the_file_does_not_tell_where_the_model_lies(encoder: Path, tmp_path: Path) -> None:
    """A page is given to others: it has the folder's name and not its path."""
    model = osnowa.load(encoder)
    noted = dataclasses.replace(model, notes=(f"{model.folder}: something was left out",))
    made = osnowa.explain(noted, TEXT)
    assert made.facts["notes"] == ["encoder: something was left out"]
    text = made.save(tmp_path / "page.html").read_text(encoding="utf-8")
    assert str(encoder.parent) not in text


def test_data_of_a_decoder(decoder: Path, tmp_path: Path) -> None:
    done = command("explain", decoder, "Natura stwarza", "--out", tmp_path / "trace.npz", "--top-k", "3")
    assert done.code == 0
    assert "0 differ" in done.out
    with np.load(tmp_path / "trace.npz", allow_pickle=False) as held:
        assert held["dec.0.attn.weights"].shape[0] == 4
    assert command("explain", decoder, "Natura", "--format", "json", "--out", tmp_path / "told").code == 0
    assert json.loads((tmp_path / "told").read_text(encoding="utf-8"))["facts"]["topology"] == "decoder"


def test_an_encoder_decoder_says_a_target_or_is_shown_one(pair: Path, tmp_path: Path) -> None:
    own, shown, source = (tmp_path / f"{name}.json" for name in ("own", "shown", "source"))
    assert command("explain", pair, "Natura stwarza", "--out", own).code == 0
    assert command("explain", pair, "Natura stwarza", "--target", "Nature", "--out", shown).code == 0
    assert command("explain", pair, "--source", "Natura stwarza", "--target", "Nature", "--out", source).code == 0
    assert source.read_bytes() == shown.read_bytes()
    tokens = json.loads(shown.read_text(encoding="utf-8"))["sides"]["dec"]["tokens"]
    assert "".join(token["text"] for token in tokens if token["from"] == "target").replace("##", "") == "Nature"
    assert all(t["from"] is None for t in json.loads(own.read_text(encoding="utf-8"))["sides"]["dec"]["tokens"])


def test_the_public_function_takes_a_folder_or_a_model(encoder: Path) -> None:
    model = osnowa.load(encoder)
    by_folder, by_model = osnowa.explain(encoder, TEXT, second=SECOND), osnowa.explain(model, TEXT, second=SECOND)
    assert by_folder.tensors.keys() == by_model.tensors.keys()
    assert all(np.array_equal(by_folder.tensors[name], by_model.tensors[name]) for name in by_model.tensors)
    assert by_model.steps[0].out == "enc.token"


def test_the_room_of_the_same_name_can_be_called_and_opened() -> None:
    import osnowa.explain.step as step_module

    assert callable(osnowa.explain)
    assert osnowa.explain.step is step_module  # type: ignore[attr-defined]
    with pytest.raises(SettingsError, match="explain: needs one text; give the text, or the source alone"):
        osnowa.explain("nowhere")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "osnowa: osnowa explain: no model given"),
        (("ENCODER",), 2, "osnowa: osnowa explain: no text given"),
        (("ENCODER", "a", "--source", "b"), 2, "osnowa: osnowa explain: TEXT and --source are both given"),
        (("ENCODER", "a", "--top-k", "0"), 2, "osnowa: --top-k: 0 is no count"),
        (("NOWHERE", "a"), 66, "no such model"),
        (("ENCODER", ""), 65, "the text has no tokens"),
        (("ENCODER", "kot " * 80), 65, "this model takes 64"),
        (("ENCODER", "kot", "--target", "pies"), 78, "reads no target"),
        (("ENCODER", "--source", "kot"), 78, "source: a model of topology encoder reads no source"),
        (("DECODER", "kot [MASK]"), 78, "fills no mask"),
        (("DECODER", "kot", "--second", "pies"), 78, "reads one text"),
        (("ENCODER", "kot", "--max-mb", "0.01"), 78, "even the least of this trace takes"),
        (("ENCODER", "kot", "--max-mb", "-1"), 78, "is no size of a page"),
        (("ENCODER", "kot", "--lang", "de"), 2, "invalid choice: 'de'"),
    ],
)
def test_one_clear_line_and_no_file(
    words: tuple[str, ...], code: int, message: str, encoder: Path, decoder: Path, tmp_path: Path
) -> None:
    folders = {"ENCODER": str(encoder), "DECODER": str(decoder), "NOWHERE": str(tmp_path / "nowhere")}
    done = command("explain", *(folders.get(word, word) for word in words), "--out", tmp_path / "page.html")
    assert done.code == code
    assert message in done.err
    assert done.err.count("\n") == 1
    assert contents(tmp_path) == {}


def test_the_seed_example_needs_no_model(tmp_path: Path) -> None:
    out = tmp_path / "seed.html"
    assert command("explain", "--seed-example", "--out", out).code == 0
    index, blob = read_page(out.read_text(encoding="utf-8"))
    tensors = tensors_of(index, blob)
    assert [token["id"] for token in index["sides"]["enc"]["tokens"]] == [
        1,
        201,
        315,
        489,
        522,
        3,
        2,
        601,
        602,
        603,
        604,
        3,
        2,
    ]
    natura = tensors["enc.sum"].array[1]
    assert [f"{number:.2f}" for number in natura] == ["0.91", "-1.49", "-0.35", "0.85"]
    assert [f"{number:.3f}" for number in tensors["seed.p"].array] == ["0.578", "0.017", "0.078", "0.039", "0.287"]
    assert index["seed"] is not None
    found = check(steps_of(index), tensors)
    assert found.bad == 0
    assert found.by_name["seed.p"] == 5


def test_the_seed_example_takes_nothing_else(tmp_path: Path) -> None:
    done = command("explain", "--seed-example", "--second", "a", "--out", tmp_path / "seed.html")
    assert done.code == 2
    assert "--seed-example: has its own model and text; give it alone, with --out" in done.err


def test_a_training_step_is_a_chapter_of_its_own(encoder: Path, tmp_path: Path) -> None:
    text = "Natura stwarza najpiękniejsze obrazy, a ludzie je lubią."
    out = tmp_path / "step.html"
    before = osnowa.load(encoder)
    weights = {name: each.clone() for name, each in before.transformer.named_parameters()}
    made = osnowa.explain(before, text, step=True)
    assert all(torch.equal(each, weights[name]) for name, each in before.transformer.named_parameters())
    assert command("explain", encoder, text, "--step", "--out", out).code == 0
    index, blob = read_page(out.read_text(encoding="utf-8"))
    assert index["step"]["loss"] == "step.loss"
    found = check(steps_of(index), tensors_of(index, blob))
    assert found.bad == 0
    assert found.by_name["step.loss"] == 1
    assert found.by_name["step.nll"] == len(index["step"]["plan"])
    assert made.chapters["step"].block == index["step"]
    assert osnowa.explain(before, text).chapters.keys() == {"analysis"}


def test_a_run_tells_how_it_learned(text_folder: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "page.html"
    assert pretrain(text_folder, run).code == 0
    assert command("explain", run, "Natura [MASK] obrazy.", "--out", out).code == 0
    index, blob = read_page(out.read_text(encoding="utf-8"))
    facts = index["facts"]
    assert (facts["folder"], facts["training"]["steps"]) == ("run", 6)
    assert facts["training"]["held_out_loss"] > 0
    assert index["history"]["steps"][0] == 0
    assert index["history"]["steps"][-1] == 6
    name = index["history"]["probes"]["plane"]
    assert tensors_of(index, blob)[name].shape[0] == len(index["history"]["steps"])
    assert str(tmp_path) not in out.read_text(encoding="utf-8")
