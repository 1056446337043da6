"""`osnowa import` and `osnowa export`: whole or not at all, equal tensors, and everything left out is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file

from foreign_folder import Foreign
from osnowa import files
from osnowa.errors import CannotCreateError, DataError, InputMissingError, SettingsError
from osnowa.exchange import read_folder
from osnowa.runs import exchange_folders
from osnowa.runs.exchange_folders import export_model, import_model
from osnowa.runs.model import load
from small_models import random_rows, small_tokenizer
from small_run import osnowa

ENTRIES = small_tokenizer("bpe").vocab_size


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def assert_same_tensors(one: Path, other: Path) -> None:
    first, second = tensors(one), tensors(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder of another tool, with a tokenizer that has no padding and names of its own for begin and end."""
    config = transformers.GPT2Config(
        vocab_size=ENTRIES, n_embd=16, n_layer=2, n_head=2, n_positions=24, bos_token_id=7, eos_token_id=7
    )
    folder = tmp_path / "theirs"
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(small_tokenizer("bpe").to_bytes())
    (folder / "README.md").write_text("# Their own card\n", encoding="utf-8")
    (folder / "LICENSE").write_text("free", encoding="utf-8")
    return folder


def test_in_and_out_again_the_tensors_ids_and_card_are_the_same(theirs: Path, tmp_path: Path) -> None:
    made = import_model(theirs, tmp_path / "ours")
    assert made.class_name == "GPT2LMHeadModel"
    assert made.parameters == sum(each.numel() for each in tensors(theirs).values())
    (left,) = [note for note in made.notes if note.code == "files-left-out"]
    assert left.evidence == ("LICENSE",)
    files.verify(tmp_path / "ours")
    out = export_model(tmp_path / "ours", "huggingface", tmp_path / "again")
    assert (out.class_name, out.parameters, out.notes) == (made.class_name, made.parameters, ())
    for folder in ("ours", "again"):
        assert_same_tensors(theirs, tmp_path / folder)
        assert (tmp_path / folder / "README.md").read_text() == "# Their own card\n"
        assert (tmp_path / folder / "tokenizer.json").read_bytes() == (theirs / "tokenizer.json").read_bytes()
        keys = json.loads((tmp_path / folder / "config.json").read_text())
        assert [keys[f"{role}_token_id"] for role in ("bos", "eos", "pad")] == [7, 7, None]


def test_what_was_exported_gives_equal_logits_in_transformers(theirs: Path, tmp_path: Path) -> None:
    import_model(theirs, tmp_path / "ours")
    export_model(tmp_path / "ours", "huggingface", tmp_path / "again")
    before, after = (
        transformers.AutoModelForCausalLM.from_pretrained(each).eval() for each in (theirs, tmp_path / "again")
    )
    tokens = random_rows(load(tmp_path / "ours").config)[0]
    with torch.no_grad():
        assert torch.equal(before(tokens).logits, after(tokens).logits)


def test_a_folder_without_tokenizer_and_card_goes_both_ways(tmp_path: Path) -> None:
    foreign = Foreign(tmp_path / "model", "llama-tiny")
    for name in ("tokenizer.json", "README.md"):
        (foreign.path / name).unlink()
    made = import_model(foreign.path, tmp_path / "ours")
    assert [note.code for note in made.notes] == ["no-tokenizer"]
    assert_same_tensors(foreign.path, tmp_path / "ours")
    assert (tmp_path / "ours" / "README.md").read_text().startswith("# model\n")
    assert not (tmp_path / "ours" / "tokenizer_config.json").exists()


@pytest.mark.parametrize("kind", ["folder", "file", "link to nothing"])
def test_a_target_that_is_there_is_never_written_over(kind: str, tmp_path: Path) -> None:
    foreign, out = Foreign(tmp_path / "model", "gpt2-tiny"), tmp_path / "out"
    if kind == "folder":
        out.mkdir()
        (out / "mine.txt").write_text("mine")
    elif kind == "file":
        out.write_text("mine")
    else:
        out.symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.iterdir())
    for attempt in (lambda: import_model(foreign.path, out), lambda: export_model(foreign.path, "huggingface", out)):
        with pytest.raises(CannotCreateError, match="is there already"):
            attempt()
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_is_left_where_the_source_is_no_good(tmp_path: Path) -> None:
    foreign = Foreign(tmp_path / "model", "gpt2-tiny")
    foreign.set_keys(n_embd=17)
    with pytest.raises(DataError):
        import_model(foreign.path, tmp_path / "out")
    with pytest.raises(InputMissingError):
        export_model(tmp_path / "nowhere", "huggingface", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_our_own_format_comes_in_and_does_not_go_out_as_another(tmp_path: Path) -> None:
    foreign = Foreign(tmp_path / "model", "gpt3-tiny")
    made = import_model(foreign.path, tmp_path / "ours")
    assert [note.code for note in made.notes] == ["own-format"]
    assert read_folder(tmp_path / "ours").config == foreign.model.config
    with pytest.raises(SettingsError, match="the nearest, GPT2LMHeadModel, needs windows"):
        export_model(tmp_path / "ours", "huggingface", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_format_is_looked_up_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = Foreign(tmp_path / "model", "gpt2-tiny")
    with pytest.raises(SettingsError, match="--to onnx: no such format; use huggingface or gguf"):
        export_model(foreign.path, "onnx", tmp_path / "out")
    monkeypatch.setitem(exchange_folders.WRITERS, "onnx", lambda read, source, target, number_type: [])
    assert export_model(foreign.path, "onnx", tmp_path / "out").path == tmp_path / "out"


# --- the command line -----------------------------------------------------------------------------------------------


def test_the_verbs_say_what_was_written_and_what_was_not(theirs: Path, tmp_path: Path) -> None:
    ours, again = tmp_path / "ours", tmp_path / "again"
    found = osnowa("import", theirs, "--out", ours)
    assert found.code == 0
    size = sum(each.numel() for each in tensors(theirs).values())
    assert found.out.splitlines()[-1] == f"{ours}: GPT2LMHeadModel, {size:,} parameters"
    assert "note: " in found.out
    assert "LICENSE" in found.out
    found = osnowa("export", ours, "--to", "huggingface", "--out", again, "--json")
    assert found.code == 0
    told = json.loads(found.out)
    assert told == {"path": str(again), "class": "GPT2LMHeadModel", "parameters": told["parameters"], "notes": []}
    assert osnowa("import", theirs, "--out", ours).code == 73
    assert osnowa("export", ours, "--to", "papyrus", "--out", tmp_path / "x").code == 78
    assert osnowa("export", tmp_path / "nowhere", "--to", "huggingface", "--out", tmp_path / "x").code == 66
    assert osnowa("import", theirs).code == 2


def test_a_pickle_is_not_opened(theirs: Path, tmp_path: Path) -> None:
    (theirs / "model.safetensors").rename(theirs / "pytorch_model.bin")
    found = osnowa("import", theirs, "--out", tmp_path / "ours")
    assert found.code == 65
    assert "is a pickle" in found.message
