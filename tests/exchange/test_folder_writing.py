"""What is written can be read again without loss, and what no class can hold is refused before anything is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from osnowa import files
from osnowa.errors import SettingsError
from osnowa.exchange import choose_family, notes_before_training, read_folder, write_folder
from osnowa.model import ModelConfig
from small_models import publish_model, random_model, shrink, small_tokenizer

VOCABULARY = small_tokenizer().vocab_size
SHAPES = {
    "bert": shrink("bert-mini", vocab_size=VOCABULARY),
    "bert without next-sentence": shrink("bert-mini", vocab_size=VOCABULARY + 7, next_sentence=False, num_segments=1),
    "encoder": shrink("encoder-mini", vocab_size=VOCABULARY),
    "encoder without next-sentence": shrink("encoder-mini", vocab_size=VOCABULARY, next_sentence=False),
    "encoder with windows": shrink(
        "encoder-mini", vocab_size=VOCABULARY, windows=(None, 4), rotary_bases=(20_000.0, 300.0), dropout=0.1
    ),
    "encoder with biases": shrink(
        "encoder-mini",
        vocab_size=VOCABULARY,
        attention_bias=True,
        feed_forward_bias=True,
        norm_bias=True,
        head_transform_bias=True,
        head_bias=False,
        activation="silu",
    ),
}


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
def test_write_read_write_gives_the_same_bytes(config: ModelConfig, tmp_path: Path) -> None:
    model = random_model(config, dtype=torch.float32)
    first = publish_model(tmp_path / "first", model)
    back = read_folder(first)
    assert back.config == config
    assert list(back.weights) == [name for name, _ in model.named_parameters()]
    assert all(torch.equal(back.weights[name], each) for name, each in model.named_parameters())
    assert all(each.dtype == torch.float32 for each in back.weights.values())
    assert back.tokenizer is not None
    assert back.tokenizer.fingerprint == small_tokenizer().fingerprint
    assert [note.code for note in back.notes] == ([] if config.next_sentence else ["no-next-sentence-head"])
    assert back.masked_head
    with files.publish(tmp_path / "second", {"kind": "model"}) as work:
        write_folder(work, back.config, back.weights, back.tokenizer, card="A card.\n")
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "second").iterdir())
    for name in names:
        assert (first / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


@pytest.mark.parametrize("preset", ["bert-tiny", "encoder-tiny"])
def test_the_folder_holds_what_other_tools_expect_and_a_manifest(preset: str, tmp_path: Path) -> None:
    folder = publish_model(tmp_path / "model", random_model(shrink(preset, vocab_size=VOCABULARY), dtype=torch.float32))
    expected = {
        "MANIFEST.json",
        "README.md",
        "config.json",
        "model.safetensors",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    extra = {"next_sentence.safetensors"} if preset == "encoder-tiny" else set()
    assert {path.name for path in folder.iterdir()} == expected | extra
    assert files.verify(folder).facts == {"kind": "model"}
    assert (folder / "README.md").read_text() == "A card.\n"
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert ("token_type_ids" in settings["model_input_names"]) is (preset == "bert-tiny")


def test_tensors_are_sorted_and_a_tied_matrix_is_there_once(tmp_path: Path) -> None:
    folder = publish_model(
        tmp_path / "model", random_model(shrink("encoder-tiny", vocab_size=VOCABULARY), dtype=torch.float32)
    )
    with safe_open(folder / "model.safetensors", "pt") as handle:
        assert handle.metadata() == {"format": "pt"}
        names = list(handle.offset_keys())
        held = sum(handle.get_tensor(name).numel() for name in names)
    assert names == sorted(names)
    assert "decoder.bias" in names
    assert "decoder.weight" not in names
    with safe_open(folder / "next_sentence.safetensors", "pt") as handle:
        held += sum(handle.get_tensor(name).numel() for name in handle.keys())  # noqa: SIM118
    assert held == random_model(shrink("encoder-tiny", vocab_size=VOCABULARY)).parameter_count()


def test_half_precision_weights_are_written_as_float32(tmp_path: Path) -> None:
    model = random_model(shrink("bert-tiny", vocab_size=VOCABULARY), dtype=torch.bfloat16)
    back = read_folder(publish_model(tmp_path / "model", model))
    assert back.notes == ()
    assert all(torch.equal(back.weights[name], each.float()) for name, each in model.named_parameters())


def test_both_spellings_of_windows_and_rotary_bases_are_there(tmp_path: Path) -> None:
    config = SHAPES["encoder with windows"].changed(
        encoder_layers=4, windows=(None, 4, 4), rotary_bases=(7.0, 5.0, 5.0)
    )
    folder = publish_model(tmp_path / "model", random_model(config, dtype=torch.float32))
    keys = json.loads((folder / "config.json").read_text())
    assert keys["layer_types"] == ["full_attention", "sliding_attention", "sliding_attention", "full_attention"]
    assert keys["global_attn_every_n_layers"] == 3
    assert keys["local_attention"] == 6
    assert keys["rope_parameters"] == {
        "full_attention": {"rope_type": "default", "rope_theta": 7.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 5.0},
    }
    assert (keys["global_rope_theta"], keys["local_rope_theta"]) == (7.0, 5.0)
    assert [keys[f"{name}_token_id"] for name in ("pad", "bos", "eos", "cls", "sep")] == [0, 1, 2, 1, 2]


@pytest.mark.parametrize(
    ("preset", "changes", "words"),
    [
        (
            "bert-tiny",
            {"norm_placement": "pre"},
            "the nearest, BertForPreTraining, needs norm_placement = post instead of pre",
        ),
        (
            "bert-tiny",
            {"norm": "rmsnorm"},
            "the nearest, BertForPreTraining, needs norm = layernorm instead of rmsnorm",
        ),
        (
            "bert-tiny",
            {"num_segments": 0},
            "the nearest, BertForPreTraining, needs num_segments = 1 or more instead of 0",
        ),
        (
            "bert-tiny",
            {"tie_embeddings": False, "next_sentence": False},
            "the nearest, BertForMaskedLM, needs tie_embeddings = true",
        ),
        ("bert-tiny", {"num_kv_heads": 1}, "the nearest, BertForPreTraining, needs num_kv_heads = 2 instead of 1"),
        (
            "bert-tiny",
            {"d_head": 4},
            "the nearest, BertForPreTraining, needs d_head = d_model / num_heads instead of 4",
        ),
        (
            "bert-tiny",
            {"attention_bias": False},
            "the nearest, BertForPreTraining, needs attention_bias = true instead of false",
        ),
        (
            "encoder-tiny",
            {"num_segments": 2},
            "the nearest, ModernBertForMaskedLM, needs num_segments = 0 instead of 2",
        ),
        (
            "encoder-tiny",
            {"first_norm": True},
            "the nearest, ModernBertForMaskedLM, needs first_norm = false instead of true",
        ),
        (
            "encoder-tiny",
            {"feed_forward": "mlp"},
            "the nearest, ModernBertForMaskedLM, needs feed_forward = glu instead of mlp",
        ),
        (
            "encoder-tiny",
            {"position": "none"},
            "the nearest, ModernBertForMaskedLM, needs position = rotary instead of none",
        ),
        (
            "encoder-tiny",
            {"windows": (4,)},
            "the nearest, ModernBertForMaskedLM, needs windows that leave out layers 0, n, 2n",
        ),
        (
            "encoder-small",
            {"windows": (None, 4, 5)},
            "the nearest, ModernBertForMaskedLM, needs one window instead of (None, 4, 5)",
        ),
        ("encoder-small", {"rotary_bases": (9.0, 8.0)}, "needs one rotary base for layers without a window"),
        (
            "encoder-small",
            {"windows": (None, 4, 4), "rotary_bases": (9.0, 8.0, 7.0)},
            "needs one rotary base for layers with a window",
        ),
        ("encoder-tiny", {"encoder_layers": 0, "decoder_layers": 2}, "topology = encoder instead of decoder"),
    ],
)
def test_a_shape_that_no_class_has_is_told_before_training_and_written_in_our_own_format(
    preset: str, changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    config = shrink(preset, vocab_size=VOCABULARY, **changes)
    assert choose_family(config).model_type == "osnowa"
    (note,) = notes_before_training(config)
    assert note.code == "own-format"
    assert words in note.message
    assert "transformers can't load" in note.message
    assert "\n" not in note.message
    model = random_model(config, dtype=torch.float32)
    back = read_folder(publish_model(tmp_path / "model", model))
    assert back.config == config
    assert all(torch.equal(back.weights[name], each) for name, each in model.named_parameters())


@pytest.mark.parametrize("preset", ["bert-mini", "encoder-mini"])
def test_the_presets_have_a_class(preset: str) -> None:
    name = {"bert-mini": "BertForPreTraining", "encoder-mini": "ModernBertForMaskedLM"}[preset]
    assert choose_family(shrink(preset)).class_name(shrink(preset)) == name


def test_a_tokenizer_with_more_entries_than_the_model_is_refused_and_the_old_folder_stays(tmp_path: Path) -> None:
    folder = publish_model(
        tmp_path / "model", random_model(shrink("bert-tiny", vocab_size=VOCABULARY), dtype=torch.float32)
    )
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    small = random_model(shrink("bert-tiny", vocab_size=VOCABULARY - 1), dtype=torch.float32)
    message = f"model.vocab_size = {VOCABULARY - 1}: the tokenizer has {VOCABULARY} entries"
    with pytest.raises(SettingsError, match=message):
        publish_model(folder, small)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
