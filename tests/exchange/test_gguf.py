"""Models written as GGUF say in the real llama.cpp what they say here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from osnowa.exchange.gguf import NumberType, choose_shape, export_gguf
from osnowa.model import Layout, ModelConfig, Transformer, feed_forward
from osnowa.tokenizer import Tokenizer
from real_llama import LlamaCpp
from small_models import random_model, shrink, small_tokenizer

TEXT, STEPS, LENGTH = "Zażółć gęślą jaźń! Listonosz", 20, 64
# Natural logarithms: float32 through three layers; where llama.cpp looks gelu up in a table of half precision, that.
TIGHT, BY_TABLE = 1e-4, 2e-2
WIDE_HEADS = {"d_head": 16, "embedding_scale": 64**0.5}
NORMED = {**WIDE_HEADS, "attention_scale": 16**-0.5}
TURNS = {"windows": (5, 5, None), "rotary_bases": (100.0, 100.0, 5000.0), "decoder_layers": 4}

# preset, changes, the architecture of llama.cpp
DECODERS: dict[str, tuple[str, dict[str, object], str]] = {
    "llama": ("llama-tiny", {}, "llama"),
    "llama, grouped queries and biases": (
        "llama2-tiny",
        {"num_kv_heads": 2, "attention_bias": True, "feed_forward_bias": True},
        "llama",
    ),
    "llama, tied and stretched": (
        "llama3-1b",
        {"num_kv_heads": 1, "rotary_stretch": (8.0, 1.0, 4.0, 16.0), "rotary_bases": (500.0,)},
        "llama",
    ),
    "llama, slowed": ("llama-tiny", {"rotary_factors": (4.0,)}, "llama"),
    "mistral": ("mistral-tiny", {"num_kv_heads": 2, "windows": (5,)}, "mimo2"),
    "mistral, tied, windows in turn": (
        "mistral-tiny",
        {"num_kv_heads": 2, "windows": (5, None), "tie_embeddings": True},
        "mimo2",
    ),
    "mistral, rows no longer than the window": ("mistral-tiny", {"num_kv_heads": 2, "windows": (LENGTH,)}, "llama"),
    "mixtral": ("mixtral-tiny", {"num_kv_heads": 2}, "llama"),
    "gemma": ("gemma-tiny", WIDE_HEADS, "gemma"),
    "gemma 2": ("gemma2-tiny", {**NORMED, "windows": (5, None), "num_kv_heads": 2}, "gemma2"),
    "gemma 3": ("gemma3-tiny", {**NORMED, **TURNS}, "gemma3"),
    "gemma 3, slowed": ("gemma3-tiny", {**NORMED, **TURNS, "rotary_factors": (1.0, 1.0, 8.0)}, "gemma3"),
    "gpt-2": ("gpt2-tiny", {}, "gpt2"),
    "gpt-2, not tied": ("gpt2-tiny", {"tie_embeddings": False}, "gpt2"),
}
ENCODERS: dict[str, tuple[str, dict[str, object], str]] = {
    "bert": ("bert-tiny", {}, "bert"),
    "bert, no segments": ("bert-tiny", {"num_segments": 0, "next_sentence": False}, "bert"),
    "bert, gelu by tanh": ("bert-tiny", {"activation": "gelu_tanh"}, "bert"),
    "roberta": ("roberta-tiny", {}, "bert"),
    "encoder": ("encoder-tiny", {}, "modern-bert"),
    "modernbert": ("modernbert-tiny", {"windows": (None, 5, 5), "encoder_layers": 4}, "modern-bert"),
    "modernbert, every second layer": (
        "modernbert-tiny",
        {"windows": (None, 3), "rotary_bases": (900.0, 50.0)},
        "modern-bert",
    ),
}


def small(preset: str, changes: dict[str, object], tokenizer: Tokenizer) -> ModelConfig:
    """With three entries more than the tokenizer, as a vocabulary rounded up has."""
    sizes = {
        "vocab_size": tokenizer.vocab_size + 3,
        "d_model": 64,
        "d_ff": 96,
        "max_positions": LENGTH,
        "norm_eps": 1e-3,
    }
    return shrink(preset, **{**sizes, "num_heads": 4, **changes})


@torch.no_grad()
def lively(config: ModelConfig) -> Transformer:
    """Random weights with which a tied model does not only repeat its last token: the blocks say more than the input."""
    model = random_model(config, seed=3, dtype=torch.float32)
    for name, weight in model.named_parameters():
        if name.endswith("norm_out.weight"):
            weight += 6
    return model


def written(folder: Path, model: Transformer, tokenizer: Tokenizer, type: NumberType = "f32") -> Path:
    path = folder / "model.gguf"
    export_gguf(path, model.config, dict(model.named_parameters()), tokenizer, type=type, name="próba")
    return path


@torch.no_grad()
def continued(model: Transformer, ids: list[int], count: int, end: int) -> tuple[list[int], list[Tensor]]:
    """The likeliest tokens after `ids`, up to `end`, and each time the natural logarithms of all."""
    found, said = list[int](), list[Tensor]()
    while len(found) < count and end not in found:
        tokens = torch.tensor([ids + found])
        said.append(model.head(model.decode(tokens, Layout.plain(tokens)))[0, -1].log_softmax(-1))
        found.append(int(said[-1].argmax()))
    return found, said


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_goes_on_as_in_llama_cpp(name: str, tmp_path: Path) -> None:
    preset, changes, arch = DECODERS[name]
    tokenizer = small_tokenizer("bpe")
    config = small(preset, changes, tokenizer)
    assert choose_shape(config).arch == arch
    model = lively(config)
    prompt = [tokenizer.cls, *tokenizer.encode(TEXT)]
    expected, said = continued(model, prompt, STEPS, tokenizer.sep)
    assert len(expected) == STEPS, "the model ends by itself: take another seed"
    assert len(set(expected)) >= 6, "the model repeats itself: take another seed"

    llama = LlamaCpp(written(tmp_path, model, tokenizer))
    assert llama.ids(TEXT, framed=True) == prompt
    found, best, text = llama.greedy(TEXT, STEPS)
    assert found == expected
    assert text == tokenizer.decode(expected, skip_special=True)
    distances = [max(abs(float(said[place][token]) - log) for token, log in five.items()) for place, five in best]
    assert len(distances) >= 2
    assert max(distances) < (BY_TABLE if config.activation == "gelu_tanh" else TIGHT)


@torch.no_grad()
def hidden(model: Transformer, tokenizer: Tokenizer, text: str) -> Tensor:
    """[tokens, d_model] of [CLS] text [SEP]."""
    tokens = torch.tensor([[tokenizer.cls, *tokenizer.encode(text), tokenizer.sep]])
    return model.encode(tokens, Layout.plain(tokens))[0]


def by_table(x: Tensor) -> Tensor:
    """gelu as llama.cpp computes it for BERT: the tanh form of numbers rounded to half precision, rounded once more."""
    return torch.nn.functional.gelu(x.half().float(), approximate="tanh").half().float()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_gives_the_vectors_of_llama_cpp(
    name: str, pooling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset, changes, arch = ENCODERS[name]
    tokenizer = small_tokenizer("bpe" if "roberta" in preset or "modern" in preset else "wordpiece")
    config = small(preset, changes, tokenizer)
    assert choose_shape(config).arch == arch
    model = random_model(config, seed=3, dtype=torch.float32)
    llama = LlamaCpp(written(tmp_path, model, tokenizer), pooling=pooling)

    def distance() -> float:
        vectors = hidden(model, tokenizer, TEXT)
        ours = vectors.mean(0) if pooling == "mean" else vectors[0]
        return float((torch.tensor(llama.vector(TEXT)) - ours / ours.norm()).abs().max())

    assert llama.ids(TEXT, framed=True) == [tokenizer.cls, *tokenizer.encode(TEXT), tokenizer.sep]
    if arch == "bert":
        assert distance() < 5e-4  # their gelu; 0.4e-4 to 3.8e-4 with such weights, 2e-4 with those of a trained MiniLM
        monkeypatch.setitem(feed_forward.ACTIVATIONS, config.activation, by_table)
        model = rebuilt(model)
    # Numbers between two of half precision may go either way: up to 0.8e-4, mostly a tenth of it.
    assert distance() < (1e-4 if arch == "bert" else 1e-5)


def rebuilt(model: Transformer) -> Transformer:
    """The same weights with what the table of activations holds now."""
    again = Transformer(model.config).eval()
    again.load_state_dict(model.state_dict())
    return again


def test_without_a_word_about_pooling_it_is_the_mean(tmp_path: Path) -> None:
    tokenizer = small_tokenizer()
    model = random_model(small("encoder-tiny", {}, tokenizer), dtype=torch.float32)
    path = written(tmp_path, model, tokenizer)
    ours = hidden(model, tokenizer, TEXT).mean(0)
    theirs = torch.tensor(LlamaCpp(path, pooling="unspecified").vector(TEXT))
    assert float((theirs - ours / ours.norm()).abs().max()) < 1e-5


@pytest.mark.parametrize("type", ["f16", "bf16"])
def test_half_as_many_bytes_go_on_the_same_way(type: NumberType, tmp_path: Path) -> None:
    tokenizer = small_tokenizer("bpe")
    model = lively(small("llama3-1b", {"num_kv_heads": 2, "rotary_stretch": None}, tokenizer))
    expected, _ = continued(model, [tokenizer.cls, *tokenizer.encode(TEXT)], 3, tokenizer.sep)
    exact, half = written(tmp_path, model, tokenizer).stat().st_size, written(tmp_path, model, tokenizer, type)
    assert half.stat().st_size < 0.6 * exact
    assert LlamaCpp(half).greedy(TEXT, 3)[0] == expected
