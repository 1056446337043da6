"""Folders of decoders: written, read again, and read from others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor

from foreign_folder import LLAMA3, Foreign, refusal, same_as
from osnowa import files
from osnowa.exchange import Imported, read_folder, write_folder
from osnowa.exchange.families import FAMILIES
from osnowa.exchange.family import SpecialIds
from osnowa.exchange.keys import Keys
from osnowa.model import Layout, ModelConfig, Transformer
from small_models import VOCABULARY, forward, publish_model, random_model, random_rows, shrink, small_tokenizer

ENTRIES = small_tokenizer().vocab_size
SHAPES: dict[str, ModelConfig] = {
    name: shrink(name.split(" ")[0], vocab_size=ENTRIES, **changes)
    for name, changes in {
        "gpt1": {"attention_dropout": 0.2},
        "gpt2": {},
        "gpt2 with its own projection": {"tie_embeddings": False, "activation": "gelu", "d_ff": 48},
        "llama": {},
        "llama3-1b": {},
        "llama with a linear factor": {"rotary_factors": (4.0,), "attention_dropout": 0.1},
        "llama with biases": {"attention_bias": True, "feed_forward_bias": True},
        "mistral": {"d_head": 14},
        "mixtral": {},
        "gemma": {},
        "gemma2": {"attention_scale": 144**-0.5},
        "gemma3": {},
        "gemma3-4b with caps": {"logit_softcap": 20.0},
        "gemma3-tiny": {"tie_embeddings": False},
    }.items()
}
SMALL: dict[str, Any] = {"vocab_size": VOCABULARY, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
GPT = {**SMALL, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 24}
GATED = {
    **SMALL,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32,
}
THEIRS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt1": ("OpenAIGPTLMHeadModel", GPT),
    "gpt2": ("GPT2LMHeadModel", GPT),
    "gpt2 with its own projection": ("GPT2LMHeadModel", {**GPT, "n_inner": 24, "tie_word_embeddings": False}),
    "llama": ("LlamaForCausalLM", GATED),
    "llama stretched": ("LlamaForCausalLM", {**GATED, "rope_parameters": LLAMA3, "tie_word_embeddings": True}),
    "llama with a linear factor": (
        "LlamaForCausalLM",
        {**GATED, "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 9000.0}},
    ),
    "llama with biases": ("LlamaForCausalLM", {**GATED, "attention_bias": True, "mlp_bias": True}),
    "mistral": ("MistralForCausalLM", {**GATED, "sliding_window": 5}),
    "mistral without windows": ("MistralForCausalLM", {**GATED, "sliding_window": None, "head_dim": 6}),
    "mixtral": ("MixtralForCausalLM", {**GATED, "num_local_experts": 3, "router_aux_loss_coef": 0.02}),
    "gemma": ("GemmaForCausalLM", {**GATED, "head_dim": 6}),
    "gemma2": ("Gemma2ForCausalLM", {**GATED, "head_dim": 6, "sliding_window": 5, "query_pre_attn_scalar": 7}),
    "gemma3": (
        "Gemma3ForCausalLM",
        {
            **GATED,
            "head_dim": 6,
            "sliding_window": 5,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 9e5},
                "sliding_attention": {"rope_type": "default", "rope_theta": 5e3},
            },
        },
    ),
}


def save(name: str, folder: Path, head: bool = True, **how: Any) -> Any:
    """A random model of theirs in `folder`; without its projection where `head` is False."""
    kind, settings = THEIRS[name]
    torch.manual_seed(0)
    model = getattr(transformers, kind)(getattr(transformers, kind).config_class(**settings)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    (model if head else model.base_model).save_pretrained(folder, **how)
    return model


def assert_same_logits(read: Imported, theirs: Any) -> None:
    model = Transformer(read.config).eval()
    assert not model.load_state_dict(read.weights, strict=False).unexpected_keys
    tokens, _, real = random_rows(read.config)
    with torch.no_grad():
        ours = forward(model, tokens, Layout.plain(tokens, real))[1][real]
        expected = theirs(input_ids=tokens, attention_mask=real.long()).logits[real]
    assert float((ours - expected).abs().max() / expected.abs().max()) < 2e-5


def canonical(config: ModelConfig) -> ModelConfig:
    """The same architecture in one way of writing it."""
    layers = range(config.decoder_layers)
    windows = tuple(config.windows[i % len(config.windows)] for i in layers)
    return config.changed(
        num_kv_heads=config.kv_heads,
        d_head=config.head_width,
        attention_scale=config.attention_scale or config.head_width**-0.5,
        windows=windows,
        rotary_bases=tuple(config.rotary_bases[i % len(config.rotary_bases)] for i in layers),
        rotary_factors=tuple(config.rotary_factors[i % len(config.rotary_factors)] for i in layers),
    )


# --- what we write --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHAPES)
def test_write_read_write_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    model = random_model(SHAPES[name], dtype=torch.float32)
    first = publish_model(tmp_path / "first", model)
    back = read_folder(first)
    assert canonical(back.config) == canonical(model.config)
    assert list(back.weights) == [name for name, _ in model.named_parameters()]
    assert all(torch.equal(back.weights[name], each) for name, each in model.named_parameters())
    assert back.notes == ()
    assert back.ids == SpecialIds(0, 1, 2)
    assert back.tokenizer is not None
    with files.publish(tmp_path / "second", {"kind": "model"}) as work:
        write_folder(work, back.config, back.weights, back.tokenizer, card="A card.\n", ids=back.ids)
    names = sorted(path.name for path in first.iterdir())
    assert "generation_config.json" in names
    for each in names:
        assert (first / each).read_bytes() == (tmp_path / "second" / each).read_bytes(), each


@pytest.mark.parametrize("name", THEIRS)
def test_their_tensors_come_out_byte_for_byte(name: str, tmp_path: Path) -> None:
    """Import and export: the tensors of the file are the same, under the same names."""
    save(name, tmp_path / "theirs")
    read = read_folder(tmp_path / "theirs")
    with files.publish(tmp_path / "ours") as work:
        write_folder(work, read.config, read.weights, None, card="", ids=read.ids)
    one, other = (load_file(tmp_path / each / "model.safetensors") for each in ("theirs", "ours"))
    assert one.keys() == other.keys()
    for each, tensor in one.items():
        assert torch.equal(tensor, other[each]), each
    assert not (tmp_path / "ours" / "tokenizer.json").exists()


def test_settings_are_in_the_keys_of_both_major_versions(tmp_path: Path) -> None:
    def keys(name: str) -> dict[str, Any]:
        folder = publish_model(tmp_path / name, random_model(SHAPES[name], dtype=torch.float32))
        return json.loads((folder / "config.json").read_text())

    stretched, linear, mixed = (
        keys(name) for name in ("llama3-1b", "llama with a linear factor", "gemma3-4b with caps")
    )
    scaling = {key: value for key, value in LLAMA3.items() if key != "rope_theta"} | {"factor": 32.0}
    assert (stretched["rope_theta"], stretched["rope_scaling"]) == (5e5, scaling)
    assert stretched["rope_parameters"] == {**scaling, "rope_theta": 5e5}
    assert linear["rope_scaling"] == {"rope_type": "linear", "factor": 4.0}
    assert keys("llama")["rope_scaling"] is None
    assert (mixed["rope_theta"], mixed["rope_local_base_freq"]) == (1e6, 1e4)
    assert mixed["rope_scaling"] == {"rope_type": "linear", "factor": 8.0}
    assert mixed["rope_parameters"]["sliding_attention"] == {"rope_type": "default", "rope_theta": 1e4}
    assert mixed["layer_types"] == ["sliding_attention"] * 5 + ["full_attention"]
    assert keys("mistral")["sliding_window"] == 5
    assert keys("gemma")["hidden_act"] == keys("gemma")["hidden_activation"] == "gelu_pytorch_tanh"
    assert [stretched[f"{role}_token_id"] for role in ("bos", "eos", "pad")] == [1, 2, 0]
    generation = json.loads((tmp_path / "llama3-1b" / "generation_config.json").read_text())
    assert generation == {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


# --- folders of theirs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", THEIRS)
def test_a_folder_of_theirs_gives_equal_logits(name: str, tmp_path: Path) -> None:
    theirs = save(name, tmp_path)
    read = read_folder(tmp_path)
    assert [note.code for note in read.notes] == ["no-tokenizer"]
    assert read.ids == SpecialIds(0, 1, 2)
    assert_same_logits(read, theirs)


@pytest.mark.parametrize("name", ["gpt2", "llama", "mixtral"])
def test_shards_are_read_as_one(name: str, tmp_path: Path) -> None:
    theirs = save(name, tmp_path, max_shard_size=8000)
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert_same_logits(read_folder(tmp_path), theirs)


@pytest.mark.parametrize("name", ["gpt1", "gpt2", "llama stretched", "gemma", "gemma2", "gemma3"])
def test_the_class_without_its_projection_is_read_where_that_is_the_embedding(name: str, tmp_path: Path) -> None:
    theirs = save(name, tmp_path, head=False)
    read = read_folder(tmp_path)
    assert {note.code for note in read.notes} == {"no-tokenizer", "renamed"}
    assert_same_logits(read, theirs)


@pytest.mark.parametrize("name", ["gpt2 with its own projection", "llama", "mistral", "mixtral"])
def test_the_class_without_its_projection_is_refused_where_that_is_a_matrix_of_its_own(
    name: str, tmp_path: Path
) -> None:
    save(name, tmp_path, head=False)
    assert "lm_head.weight is missing" in refusal(tmp_path)


def test_experts_are_read_as_transformers_5_holds_them_too(tmp_path: Path) -> None:
    theirs = save("mixtral", tmp_path, save_original_format=False)
    names = load_file(tmp_path / "model.safetensors").keys()
    assert "model.layers.0.mlp.experts.gate_up_proj" in names
    read = read_folder(tmp_path)
    assert "renamed" in {note.code for note in read.notes}
    assert_same_logits(read, theirs)


@pytest.mark.parametrize(
    ("preset", "buffers"),
    [
        (
            "gpt2-tiny",
            {"transformer.h.0.attn.bias": torch.ones(1, 1, 24, 24), "h.1.attn.masked_bias": torch.tensor(-1e4)},
        ),
        ("gpt1-tiny", {"transformer.h.0.attn.bias": torch.ones(1, 1, 24, 24), "position_ids": torch.arange(24)}),
        ("llama-tiny", {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}),
        ("gemma-tiny", {"model.rotary_emb.inv_freq": torch.ones(4), "lm_head.weight": None}),
    ],
)
def test_buffers_of_older_versions_and_second_copies_are_no_weights(
    preset: str, buffers: dict[str, Tensor | None], tmp_path: Path
) -> None:
    foreign = Foreign(tmp_path / "model", preset)
    embedding = foreign.model.embedding.token.weight.detach().clone()
    foreign.change_weights(lambda w: w.update({k: embedding if v is None else v for k, v in buffers.items()}))
    assert same_as(read_folder(foreign.path), foreign)


def test_a_tied_projection_alone_is_found(tmp_path: Path) -> None:
    foreign = Foreign(tmp_path / "model", "gemma-tiny")
    foreign.change_weights(lambda w: w.update({"lm_head.weight": w.pop("model.embed_tokens.weight")}))
    assert same_as(read_folder(foreign.path), foreign)


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in THEIRS.values()}))
def test_a_key_that_is_missing_means_the_default_of_the_class(kind: str) -> None:
    settings = getattr(transformers, kind).config_class
    bare = Keys({"model_type": settings.model_type}, "config.json")
    spelled_out = Keys(settings().to_dict(), "config.json")
    family = FAMILIES[settings.model_type]
    assert family.read_settings(bare)[0] == family.read_settings(spelled_out)[0]
    assert bare.errors == spelled_out.errors == []
    assert spelled_out.notes() == []


@pytest.mark.parametrize(
    ("preset", "keys", "expected"),
    [
        ("mistral-tiny", {"sliding_window": None}, {"windows": (None,)}),
        ("llama-tiny", {"num_key_value_heads": None, "head_dim": None}, {"num_kv_heads": None, "d_head": None}),
        (
            "llama3-1b",
            {"rope_parameters": ..., "rope_scaling": {**LLAMA3, "type": "llama3"}},
            {"rotary_stretch": (8.0, 1.0, 4.0, 16.0), "rotary_bases": (5e5,)},
        ),
        ("gemma-tiny", {"hidden_act": "gelu", "hidden_activation": None}, {"activation": "gelu_tanh"}),
        (
            "gemma3-small",
            {"layer_types": ..., "sliding_window_pattern": 3, "rope_parameters": ..., "rope_local_base_freq": 7.0},
            {"windows": (5, 5, None), "rotary_bases": (7.0, 7.0, 1e6)},
        ),
    ],
)
def test_older_spellings_and_null_are_understood(
    preset: str, keys: dict[str, Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    foreign = Foreign(tmp_path / "model", preset)
    foreign.set_keys(**keys)
    read = read_folder(foreign.path)
    assert {name: getattr(read.config, name) for name in expected} == expected
    assert [note.code for note in read.notes] == []


def test_ids_outside_the_vocabulary_are_none_and_of_several_the_first_counts(tmp_path: Path) -> None:
    foreign = Foreign(tmp_path / "model", "llama-tiny")
    foreign.set_keys(bos_token_id=50_256, eos_token_id=[2, 7], pad_token_id=-1)
    assert read_folder(foreign.path).ids == SpecialIds(None, None, 2)
