"""Folders of decoders, encoder-decoders and the encoder without next sentence load with equal logits, and come back.

These tests run with the version of `make test` (5) and with that of `make test-compat` (4.57).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM, AutoTokenizer

from osnowa.exchange import read_folder
from osnowa.model import Layout, ModelConfig, Transformer
from small_models import forward, publish_model, random_model, random_rows, shrink, small_tokenizer
from small_seq2seq import forward_pairs, random_pairs, shrink_pairs

ENTRIES = small_tokenizer().vocab_size
PAIRS: dict[str, ModelConfig] = {
    "transformer": shrink_pairs("transformer-base", vocab_size=ENTRIES),
    "transformer-big": shrink_pairs("transformer-big", vocab_size=ENTRIES),
    "t5": shrink_pairs("t5-small", vocab_size=ENTRIES),
    "t5-v1.1": shrink_pairs("t5-v1.1-small", vocab_size=ENTRIES),
    "bart": shrink_pairs("bart-base", vocab_size=ENTRIES),
    "bart with a bias of the logits": shrink_pairs("bart-base", vocab_size=ENTRIES, head_bias=True),
}
ALONE: dict[str, ModelConfig] = {
    name: shrink(preset, vocab_size=ENTRIES)
    for name, preset in {
        "roberta": "roberta-base",
        "gpt2": "gpt2-124m",
        "llama": "llama-7b",
        "llama3": "llama3-8b",
        "mistral": "mistral-7b",
        "gemma": "gemma-2b",
    }.items()
}
CLOSE = 1e-5  # relative; in float64, but for tables of angles and sines that the classes keep in float32


@pytest.fixture(params=PAIRS | ALONE, scope="module")
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Transformer]:
    """A folder, and the model that was written into it, in float64."""
    model = random_model((PAIRS | ALONE)[request.param], dtype=torch.float32)
    return publish_model(tmp_path_factory.mktemp("exchange") / "model", model), model.double()


def class_for(config: ModelConfig) -> Any:
    classes = {
        "encoder": AutoModelForMaskedLM,
        "decoder": AutoModelForCausalLM,
        "encoder-decoder": AutoModelForSeq2SeqLM,
    }
    return classes[config.topology]


def load(folder: Path, config: ModelConfig) -> Any:
    """The class from the folder, in float64; every tensor found its place."""
    model, told = class_for(config).from_pretrained(folder, output_loading_info=True, dtype=torch.float64)
    assert not told["missing_keys"]
    assert not told["mismatched_keys"]
    assert not told["unexpected_keys"]
    return model.eval()


def assert_near(ours: Tensor, theirs: Tensor) -> None:
    distance = float((ours - theirs).abs().max() / theirs.abs().max())
    assert distance <= CLOSE, f"relative distance {distance:.1e}"


@torch.no_grad()
def test_the_class_gives_equal_logits(written: tuple[Path, Transformer], monkeypatch: pytest.MonkeyPatch) -> None:
    """Casts to float32 on the way become float64: scores that nobody scales make 1.2e-5 of them in one class of 4.57."""
    folder, model = written
    theirs = load(folder, model.config)
    monkeypatch.setattr(torch, "float32", torch.float64)
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    if model.config.topology == "encoder-decoder":
        pairs = random_pairs(model.config)
        real = pairs.target_real
        ours = forward_pairs(model, pairs)[2]
        out = theirs(
            input_ids=pairs.source,
            attention_mask=pairs.source_real.long(),
            decoder_input_ids=pairs.target,
            decoder_attention_mask=real.long(),
        )
    else:
        tokens, _, real = random_rows(model.config)
        ours = forward(model, tokens, Layout.plain(tokens, real))[1]
        out = theirs(input_ids=tokens, attention_mask=real.long())
    assert_near(ours[real], out.logits[real])


def test_special_tokens_are_the_tokenizers(written: tuple[Path, Transformer]) -> None:
    folder, model = written
    ours, theirs = small_tokenizer(), load(folder, model.config)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.pad_token_id == theirs.config.pad_token_id == ours.pad
    if model.config.topology != "encoder":
        generation = theirs.generation_config
        assert (generation.bos_token_id, generation.eos_token_id) == (ours.cls, ours.sep)
        assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (ours.cls, ours.sep)
    if model.config.topology == "encoder-decoder":
        assert generation.decoder_start_token_id == theirs.config.decoder_start_token_id == ours.cls
        assert generation.forced_bos_token_id is None
        assert generation.forced_eos_token_id is None


def test_what_they_save_again_comes_back_with_equal_tensors(written: tuple[Path, Transformer], tmp_path: Path) -> None:
    folder, model = written
    theirs = class_for(model.config).from_pretrained(folder, dtype=torch.float32)
    theirs.save_pretrained(tmp_path / "theirs", safe_serialization=True)
    back = read_folder(tmp_path / "theirs")
    weights = {name: each.float() for name, each in model.named_parameters()}
    assert back.weights.keys() == weights.keys()
    assert all(torch.equal(back.weights[name], each) for name, each in weights.items())
    assert back.config == read_folder(folder).config
    assert back.ids == read_folder(folder).ids
