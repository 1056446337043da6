"""A GGUF file holds every number and setting, is there whole or not at all, and is refused where it could not be right."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from torch import Tensor

from osnowa.errors import CannotCreateError, DataError, SettingsError, StorageError
from osnowa.exchange.gguf import NumberType, choose_shape, export_gguf
from osnowa.exchange.gguf.decoders import SHAPES as DECODERS
from osnowa.exchange.gguf.encoders import SHAPES as ENCODERS
from osnowa.files import system
from osnowa.model import ModelConfig, Transformer
from osnowa.runs.presets import PRESETS, resolve
from small_models import random_model, shrink, small_tokenizer

BASES: dict[str, dict[str, object]] = {
    "llama-tiny": {},
    "mistral-tiny": {"windows": (5,)},
    "gemma-tiny": {"d_head": 8, "embedding_scale": 32**0.5},
    "gemma2-tiny": {"d_head": 8, "embedding_scale": 32**0.5, "attention_scale": 8**-0.5, "windows": (5, None)},
    "gemma3-tiny": {"d_head": 8, "embedding_scale": 32**0.5, "attention_scale": 8**-0.5, "windows": (5, None)},
    "gpt2-tiny": {},
    "bert-tiny": {},
    "modernbert-tiny": {"windows": (None, 5, 5)},
}


def tokenizer_for(config: ModelConfig) -> Any:
    return small_tokenizer("wordpiece" if config.encoder_layers else "bpe")


def base(preset: str, **changes: object) -> ModelConfig:
    return shrink(preset, **{"vocab_size": 400, "num_heads": 4, "d_model": 32, **BASES.get(preset, {}), **changes})


def export(path: Path, config: ModelConfig, *, type: NumberType = "f32", **weights: Tensor) -> dict[str, Tensor]:
    model = random_model(config, dtype=torch.float32)
    given = {**dict(model.named_parameters()), **weights}
    export_gguf(path, config, given, tokenizer_for(config), type=type, name="Próba 1")
    return given


# --- what is in it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type", ["f32", "f16", "bf16"])
def test_the_formats_own_reader_finds_keys_and_numbers(type: NumberType, tmp_path: Path) -> None:
    config = base("llama-tiny", vocab_size=403)
    weights = export(tmp_path / "m.gguf", config, type=type)
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    keys = {key: field.contents() for key, field in reader.fields.items()}
    assert keys["general.architecture"] == "llama"
    assert keys["general.name"] == "Próba 1"
    assert keys["general.file_type"] == {"f32": 0, "f16": 1, "bf16": 32}[type]
    assert keys["llama.context_length"] == config.max_positions
    assert keys["tokenizer.ggml.tokens"][:5] == ["[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]"]
    assert keys["tokenizer.ggml.tokens"][-3:] == ["[PAD400]", "[PAD401]", "[PAD402]"]
    assert keys["tokenizer.ggml.token_type"][:6] == [3, 3, 3, 3, 3, 1]
    assert keys["tokenizer.ggml.token_type"][-3:] == [5, 5, 5]
    found = {tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors}
    half = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[type]
    expected = weights["decoder.blocks.1.feed_forward.up.weight"].detach().to(half).float().numpy()
    np.testing.assert_array_equal(found["blk.1.ffn_up.weight"], expected)
    exact = weights["decoder.blocks.0.attention_residual.norm_in.weight"].detach().numpy()
    np.testing.assert_array_equal(found["blk.0.attn_norm.weight"], exact)
    assert {str(np.dtype(tensor.data.dtype)) for tensor in reader.tensors if tensor.name.endswith("norm.weight")} == {
        "float32"
    }


@pytest.mark.parametrize("preset", BASES)
def test_every_key_and_tensor_is_one_that_the_formats_library_knows(preset: str, tmp_path: Path) -> None:
    config = base(preset)
    export(tmp_path / "m.gguf", config)
    reader, arch = gguf.GGUFReader(tmp_path / "m.gguf"), choose_shape(config).arch
    known = {
        value.replace("{arch}", arch)
        for group in vars(gguf.Keys).values()
        if isinstance(group, type)
        for value in vars(group).values()
        if isinstance(value, str)
    }
    newer = {"tokenizer.ggml.normalizer.lowercase", "tokenizer.ggml.normalizer.strip_accents"}
    assert {key for key in reader.fields if not key.startswith("GGUF.")} <= known | newer
    kind = next(number for number, name in gguf.MODEL_ARCH_NAMES.items() if name == arch)
    names = {gguf.TENSOR_NAMES[each] for each in gguf.MODEL_TENSORS[kind]}
    patterns = {name.format(bid=layer) for name in names for layer in range(8)}
    assert {tensor.name.rsplit(".", 1)[0] for tensor in reader.tensors} <= patterns


# A setting that the file can't hold must not be dropped in silence: another value makes another file, or none.
OTHER_VALUES: dict[str, object] = {
    "vocab_size": 401, "d_model": 64, "d_ff": 48, "num_heads": 2, "max_positions": 32, "num_kv_heads": 2, "d_head": 4,
    "windows": (7, None, 7), "attention_bias": None, "attention_scale": 0.9, "attention_softcap": 7.0, "qk_norm": None,
    "position": "sinusoidal", "position_offset": 3, "rotary_bases": (77.0,), "rotary_factors": (3.0,),
    "rotary_stretch": (8.0, 1.0, 4.0, 16.0), "feed_forward": None, "feed_forward_bias": None, "activation": "relu",
    "num_experts": 2, "norm": None, "norm_placement": None, "norm_bias": None, "norm_offset": None, "norm_eps": 0.009,
    "num_segments": 3, "input_norm": None, "first_norm": None, "embedding_scale": 3.0, "tie_embeddings": None,
    "head_transform": None, "head_transform_bias": None, "head_bias": None, "logit_scale": 3.0, "logit_softcap": 9.0,
    "next_sentence": None, "encoder_layers": None, "decoder_layers": None, "relative_buckets": 8, "relative_furthest": 9,
    "experts_per_token": 1,
}  # fmt: skip
TRAINING = {"dropout", "attention_dropout", "feed_forward_dropout", "balance_weight", "zero_init"}
OPPOSITE = {"glu": "mlp", "mlp": "glu", "rmsnorm": "layernorm", "layernorm": "rmsnorm"}
OPPOSITE |= {"post": "pre", "pre": "post", "sandwich": "post"}
HEADS = {"tie_embeddings", "head_transform", "head_transform_bias", "head_bias", "logit_scale", "logit_softcap"}


def test_every_setting_is_thought_of() -> None:
    assert OTHER_VALUES.keys() | TRAINING == ModelConfig.model_fields.keys()


@pytest.mark.parametrize("preset", BASES)
def test_no_setting_is_dropped_in_silence(preset: str, tmp_path: Path) -> None:
    config = base(preset)
    no_effect = {"relative_buckets", "relative_furthest", "experts_per_token"}
    no_effect |= {"rotary_bases", "rotary_factors", "rotary_stretch"} if config.position == "learned" else set()
    no_effect |= HEADS | {"next_sentence"} if config.encoder_layers else {"head_transform_bias"}
    no_effect |= {"norm_bias"} if config.norm == "rmsnorm" else set()

    def content(changed: ModelConfig) -> bytes | None:
        try:
            export(tmp_path / "m.gguf", changed)
        except SettingsError:
            return None
        return (tmp_path / "m.gguf").read_bytes()

    dropped = set()
    original = content(config)
    assert original is not None
    for name in OTHER_VALUES.keys() - no_effect:
        try:
            other = ModelConfig.read("model", {**config.model_dump(), name: _other(config, name)})
        except SettingsError:  # our own model can't have it either
            continue
        if content(other) == original:
            dropped.add(name)
    assert dropped == set()


def _other(config: ModelConfig, name: str) -> object:
    value, now = OTHER_VALUES[name], getattr(config, name)
    if value is not None:
        return value
    if isinstance(now, bool):
        return not now
    return now + 1 if isinstance(now, int) else OPPOSITE[now]


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "changes", "message"),
    [
        ("t5", {}, "is an encoder-decoder, and llama.cpp's server and command line run decoders without their encoder"),
        ("transformer", {}, "is an encoder-decoder"),
        ("bart", {}, "is an encoder-decoder"),
        ("gpt1-tiny", {}, "gpt2 (GPT-2), needs norm_placement = pre instead of post"),
        ("gpt3-tiny", {"windows": (None, 8)}, "gpt2 (GPT-2), needs no windows"),
        ("gpt2-tiny", {"d_head": 4}, "needs d_head = d_model / num_heads instead of 4"),
        ("mixtral-tiny", {"windows": (5,)}, "no windows"),
        ("gemma3-tiny", {"windows": (5, 7, None)}, "one width of window instead of [5, 7]"),
        ("llama-tiny", {"rotary_bases": (1e4, 1e5)}, "the same rotary base and factor in all layers"),
        ("llama-tiny", {"attention_scale": 0.5}, "attention_scale = 0.353553 instead of 0.5"),
        ("gemma-tiny", {"embedding_scale": 3.0}, "embedding_scale = 5.65685, the root of d_model, instead of 3"),
        ("gemma2-tiny", {"windows": (None, 5)}, "a window in every second layer, from the first on"),
        ("gemma2-tiny", {"logit_softcap": None}, "an attention_softcap and a logit_softcap"),
        ("gemma3-tiny", {"windows": (None, 5)}, "a window in all layers but every n-th"),
        ("gemma3-tiny", {"rotary_factors": (2.0,)}, "one rotary base for layers with a window"),
        ("gemma3-tiny", {"decoder_layers": 62, "num_heads": 2}, "attention_scale = 0.25 instead of 0.353553"),
        ("bert-tiny", {"activation": "relu"}, "activation = gelu instead of relu"),
        ("modernbert-tiny", {"windows": (5, None)}, "no window in layers 0, n, 2n and so on only"),
    ],
)
def test_what_llama_cpp_would_compute_otherwise_is_refused(
    preset: str, changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    config = base(preset, **changes)
    with pytest.raises(SettingsError) as caught:
        export(tmp_path / "m.gguf", config)
    assert message in str(caught.value)
    assert str(caught.value).endswith("use --to huggingface")
    assert caught.value.exit_code == 78
    assert list(tmp_path.iterdir()) == []


FITTING = {
    "bert": "bert", "roberta": "bert", "encoder": "modern-bert", "modernbert": "modern-bert", "gpt2": "gpt2",
    "llama": "llama", "llama2": "llama", "llama3": "llama", "mistral": "mimo2", "mixtral": "llama", "gemma": "gemma",
    "gemma2": "gemma2", "gemma3": "gemma3",
}  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS)
def test_every_size_of_these_families_fits_and_no_other_does(preset: str) -> None:
    config = ModelConfig.read("model", resolve(preset).sections["model"])
    arch = FITTING.get(preset.split("-")[0])
    if arch is None:
        with pytest.raises(SettingsError):
            choose_shape(config)
    else:
        assert choose_shape(config).arch == arch


def test_a_tokenizer_with_more_entries_than_the_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"model\.vocab_size = 399: the tokenizer has 400 entries"):
        export(tmp_path / "m.gguf", base("llama-tiny", vocab_size=399))


def test_without_the_library_the_message_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(SettingsError, match=r"needs the package gguf; install it with: pip install 'osnowa\[gguf\]'"):
        export(tmp_path / "m.gguf", base("llama-tiny"))


# --- whole or not at all ----------------------------------------------------------------------------------------


def test_equal_weights_give_equal_bytes_in_a_new_folder(tmp_path: Path) -> None:
    config = base("llama-tiny")
    export(tmp_path / "new/folder/a.gguf", config, type="f16")
    export(tmp_path / "b.gguf", config, type="f16")
    assert (tmp_path / "new/folder/a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def test_a_number_too_large_for_its_type_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path, config = tmp_path / "m.gguf", base("llama-tiny")
    export(path, config)
    before, name = path.read_bytes(), "decoder.blocks.1.feed_forward.down.weight"
    large = {name: torch.full((32, config.d_ff), 7e4)}
    with pytest.raises(DataError, match=r"blk\.1\.ffn_down\.weight: holds 70000, too large for f16; use --type bf16"):
        export(path, config, type="f16", **large)
    with pytest.raises(DataError, match=r"blk\.1\.ffn_down\.weight: holds what is no number"):
        export(path, config, **{name: torch.full((32, config.d_ff), float("nan"))})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.gguf"]
    export(path, config, type="bf16", **large)
    assert path.read_bytes() != before


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.gguf"
    export(path, base("llama-tiny"))
    before = path.read_bytes()

    def full(descriptor: int, data: memoryview) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(system, "write", full)
    with pytest.raises(StorageError, match=r"m\.gguf: no space left on the disk"):
        export(path, base("llama-tiny", d_ff=96))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.gguf"]


def test_what_is_no_gguf_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(CannotCreateError, match="is there and is no GGUF file; choose another --out"):
        export(path, base("llama-tiny"))
    assert path.read_text() == "mine"
    with pytest.raises(CannotCreateError):
        export(tmp_path, base("llama-tiny"))


def test_one_tensor_at_a_time_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of a large model must not be put together in memory: what is written at once is a tensor at most."""
    sizes: list[int] = []
    real = system.write

    def watched(descriptor: int, data: memoryview) -> int:
        sizes.append(len(data))
        return real(descriptor, data)

    monkeypatch.setattr(system, "write", watched)
    config = base("llama-tiny", d_ff=16_384, max_positions=64)
    export(tmp_path / "m.gguf", config)
    total = sum(each.numel() for each in Transformer(config).parameters()) * 4
    assert sum(sizes) > total > 12 * 2**20
    assert max(sizes) <= 4 * 32 * 16_384 + 2**20


def test_shapes_have_names_of_their_own() -> None:
    names = [shape.arch for shape in (*ENCODERS, *DECODERS)]
    assert len(set(names)) == len(names) == 8
