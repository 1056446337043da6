"""What a page carries: everything that fits, every step of it can be computed again, and what is left out is said."""

from __future__ import annotations

import dataclasses
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from looking import KINDS, TEXT, config_of, model_of, quiet, traced
from reading_back import bytes_of, read_page, steps_of, tensors_of

from osnowa.errors import SettingsError
from osnowa.explain import page
from osnowa.explain.check import check
from osnowa.explain.payload import Payload, build, index_text
from osnowa.explain.pictures import encode, pool
from osnowa.explain.trace import Trace, trace
from small_models import random_model, small_tokenizer

WRITTEN_ONLY = {"sinusoid", "angles", "visible", "kinds", "experts"}
LONG = " ".join(["Bardzo lubię je oglądać."] * 4 + ["Natura [MASK] najpiękniejsze obrazy."])


@pytest.fixture
def assets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script and a style that stand for the built ones."""
    texts = {"page.js": "// sources; unpacks: sha256-" + "A" * 43 + "=\nrun()", "page.css": "p{color:red}"}
    monkeypatch.setattr(page, "asset", texts.__getitem__)


def payload(made: Trace, megabytes: float = 12.0) -> Payload:
    return build(made, lang="pl", max_bytes=int(megabytes * 1e6))


@pytest.mark.parametrize("preset", KINDS)
def test_every_step_is_computed_again_from_the_file(preset: str) -> None:
    made = traced(preset)
    written = payload(made)
    index = json.loads(index_text(written.index))
    tensors, steps = tensors_of(index, written.blob), steps_of(index)
    found = check(steps, tensors)
    assert (found.bad, found.wrong) == (0, [])
    for step in steps:
        assert (step.out in found.by_name) == (step.op not in WRITTEN_ONLY), step.out
    own = sum(found.by_name.get(step.out, 0) for step in made.steps)
    assert index["written"]["checked"] + own == index["written"]["all"] == made.proof.checked
    assert all(np.array_equal(tensors[name].array, array) for name, array in made.tensors.items())


@pytest.mark.parametrize("preset", ["bert-base", "llama3-8b", "gemma2-2b", "t5-small"])
def test_one_wrong_number_in_the_file_is_found(preset: str) -> None:
    """By the step that makes it or by one that reads it, or, if it is too small for the tolerance, by the checksum."""
    written = payload(traced(preset))
    index, steps = json.loads(index_text(written.index)), steps_of(written.index)
    random = np.random.default_rng(0)
    by_steps = 0
    for name, entry in index["tensors"].items():
        blob = bytearray(written.blob)
        if entry["dtype"] != "f32":
            continue
        place = entry["at"] + 4 * int(random.integers(entry["count"]))
        number = np.frombuffer(blob, "<f4", 1, place)[0] * np.float32(0.999) + np.float32(1e-30)
        blob[place : place + 4] = number.astype("<f4").tobytes()
        assert zlib.crc32(bytes_of(index, bytes(blob), name)) != entry["crc"], name
        by_steps += bool(check(steps, tensors_of(index, bytes(blob))).bad)
    assert by_steps > len(index["tensors"]) / 4


def long_trace() -> Trace:
    model = quiet(random_model(config_of("bert-base", max_positions=256), dtype=torch.float32))
    return trace(model, small_tokenizer(), LONG)


def test_less_room_keeps_what_is_in_focus_and_says_what_is_missing() -> None:
    made, sizes = long_trace(), []
    for megabytes in (6.0, 1.4, 0.9, 0.5, 0.3):
        written = payload(made, megabytes)
        index = written.index
        assert len(written.packed) * 4 / 3 + len(index_text(index)) <= megabytes * 1e6
        tensors, steps = tensors_of(index, written.blob), steps_of(index)
        found = check(steps, tensors)
        assert found.bad == 0
        assert index["written"]["checked"] + sum(found.by_name.get(s.out, 0) for s in made.steps) == made.proof.checked
        places = index["focus"]["enc"]
        assert made.forward.question.masks[0] in places
        for name in ("enc.0.attn.q", "enc.0.attn.weights", "enc.2.ffn.act", "enc.hidden", "mlm.p", "mlm.logits"):
            assert found.by_name.get(name, 0) > 0, name
            assert set(places) >= set(tensors[name].places(1 if name.startswith("enc.0.attn") else 0).tolist())
        for name, entry in index["tensors"].items():
            assert entry["crc"] == zlib.crc32(bytes_of(index, written.blob, name))
        sizes.append((len(written.blob), {each["key"] for each in index["missing"]}))
    assert [size for size, _ in sizes] == sorted((size for size, _ in sizes), reverse=True)
    assert sizes[0][1] == {"vocabulary"}
    assert sizes[-1][1] >= {"rows", "weights", "pictures", "vocabulary"}
    with pytest.raises(SettingsError, match=r"even the least of this trace takes 0\.\d MB; use --max-mb 1"):
        payload(made, 0.05)


def test_rows_in_focus_are_the_hidden_ones_and_the_first() -> None:
    index = payload(long_trace(), 0.5).index
    mask = long_trace().forward.question.masks[0]
    focus = index["focus"]["enc"]
    assert mask in focus
    assert mask > 20
    assert [place for place in focus if place != mask] == [place for place in range(40) if place != mask][
        : len(focus) - 1
    ]


def test_pictures_stand_for_attention_that_is_not_there_as_numbers() -> None:
    made = long_trace()
    assert payload(made, 6.0).index["pictures"] == {}
    index = payload(made, 0.5).index
    assert set(index["pictures"]) == {name for name in made.tensors if name.endswith(".weights")}
    entry = index["pictures"]["enc.1.attn.weights"]
    assert entry["of"] == "enc.1.attn.weights"
    assert entry["code"] == "sqrt-u8"


def test_a_picture_is_the_attention_to_a_hundredth() -> None:
    weights = traced("bert-base").tensors["enc.0.attn.weights"]
    seen = (encode(weights) / 255.0) ** 2
    assert np.abs(seen - weights).max() < 0.005
    picture = np.arange(2 * 6 * 4, dtype=np.uint8).reshape(2, 6, 4)
    assert pool(picture, 8) is picture
    assert pool(picture, 3).tolist() == [
        [[4, 5, 7], [12, 13, 15], [20, 21, 23]],
        [[28, 29, 31], [36, 37, 39], [44, 45, 47]],
    ]


@pytest.mark.usefixtures("assets")
def test_the_page_is_one_file_that_runs_only_its_own_script(tmp_path: Path) -> None:
    made = traced("bert-base")
    text = made.save(tmp_path / "page.html", lang="en").read_text(encoding="utf-8")
    assert text.startswith('<!doctype html>\n<html lang="en">')
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert page._digest("// sources; unpacks: sha256-" + "A" * 43 + "=\nrun()") in policy[1]
    assert f"'sha256-{'A' * 43}='" in policy[1]
    assert page._digest("p{color:red}") in policy[1]
    assert not re.search(r"https?://|unsafe", text)
    index, blob = read_page(text)
    assert len(blob) == index["blob"]["bytes"]
    assert index["text"] == {"text": TEXT, "second": "Bardzo lubię je oglądać.", "target": None}
    assert check(steps_of(index), tensors_of(index, blob)).bad == 0
    again = made.save(tmp_path / "again.html", lang="en").read_bytes()
    assert again == text.encode()


@pytest.mark.usefixtures("assets")
@pytest.mark.parametrize(
    "text",
    [
        "Natura </script><script>alert(1)</script> obrazy",
        "<!-- Natura --><b>x</b> & \" '",
        "\u202eaktor\u2066 \u200f Natura",
        "rodzina 👨‍👩‍👧‍👦 obrazy",
        "Na\u2028tura\u2029 \x1b[31m obrazy",
    ],
)
def test_hostile_text_is_text(text: str, tmp_path: Path) -> None:
    made = trace(model_of("bert-base"), small_tokenizer(), text)
    written = made.save(tmp_path / "page.html").read_text(encoding="utf-8")
    assert written.count("<script") == 3
    assert written.count("</script>") == 3
    index, _ = read_page(written)
    assert index["text"]["text"] == text
    for token in index["sides"]["enc"]["tokens"]:
        assert token["start"] is None or 0 <= token["start"] <= token["end"] <= len(text)


@pytest.mark.usefixtures("assets")
def test_wrong_words_are_refused(tmp_path: Path) -> None:
    made = traced("bert-base")
    with pytest.raises(SettingsError, match="lang = de: no such language; use pl or en"):
        made.save(tmp_path / "page.html", lang="de")
    with pytest.raises(SettingsError, match="format = pdf: no such format; use html, json, npz"):
        made.save(tmp_path / "page.html", "pdf")
    with pytest.raises(SettingsError, match="is no size of a page"):
        made.save(tmp_path / "page.html", max_mb=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("preset", ["bert-base", "t5-small"])
def test_the_same_trace_as_data(preset: str, tmp_path: Path) -> None:
    made = traced(preset)
    with np.load(made.save(tmp_path / "trace.npz"), allow_pickle=False) as held:
        assert {name for name in held.files if name.split(".")[0] != "analysis"} - {"trace.json"} == set(made.tensors)
        assert all(np.array_equal(held[name], array) for name, array in made.tensors.items())
    told = json.loads(made.save(tmp_path / "trace.json").read_text(encoding="utf-8"))
    assert [step["out"] for step in told["steps"]] == [step.out for step in made.steps]
    for name, array in made.tensors.items():
        assert np.array_equal(np.array(told["tensors"][name]["values"], dtype=array.dtype), array), name
    assert told["answers"] == made.answers


def test_a_trace_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        traced("bert-base").facts = {}  # type: ignore[misc]
