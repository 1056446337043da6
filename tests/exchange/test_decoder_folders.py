"""Folders of decoders: written, read again, read from others, and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor

from foreign_folder import Foreign
from osnowa import files
from osnowa.errors import DataError, OsnowaError
from osnowa.exchange import Imported, choose_family, notes_before_training, read_folder, write_folder
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
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
    "rope_theta": 5e5,
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


def refusal(folder: Path) -> str:
    with pytest.raises(OsnowaError) as caught:
        read_folder(folder)
    assert type(caught.value) is DataError
    assert "\n" not in str(caught.value)
    assert caught.value.instead
    return str(caught.value)


def same_as(foreign: Foreign) -> bool:
    weights, own = read_folder(foreign.path).weights, dict(foreign.model.named_parameters())
    return weights.keys() == own.keys() and all(torch.equal(weights[name], each) for name, each in own.items())


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


THREE_HEADS = {"num_heads": 3, "num_kv_heads": 1, "d_head": 6}  # do not divide a width of 16


# --- which class ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "changes", "kind"),
    [
        ("llama-tiny", {}, "llama"),
        ("mistral-tiny", {"windows": (None,)}, "llama"),  # several hold it: the one that most tools read
        ("mistral-tiny", {"windows": (None, None)}, "llama"),
        ("mistral-tiny", {}, "mistral"),
        ("llama-tiny", THREE_HEADS, "mistral"),
        ("llama-7b", {"attention_scale": 8**-0.5}, "llama"),
        ("mixtral-tiny", {}, "mixtral"),
        ("gemma-tiny", {}, "gemma"),
        ("gemma2-tiny", {"norm_placement": "pre"}, "osnowa"),
        ("gemma2-tiny", {}, "gemma2"),
        ("gemma3-tiny", {"qk_norm": False}, "osnowa"),  # two rotations
        ("gemma3-tiny", {}, "gemma3_text"),
        ("gpt1-tiny", {}, "openai-gpt"),
        ("gpt2-tiny", {}, "gpt2"),
        ("gpt3-tiny", {}, "osnowa"),
        ("llama-tiny", {"norm": "layernorm"}, "osnowa"),
    ],
)
def test_a_shape_is_written_as_the_plainest_class_that_holds_it(
    preset: str, changes: dict[str, Any], kind: str
) -> None:
    assert choose_family(shrink(preset, **changes)).model_type == kind


@pytest.mark.parametrize(
    ("preset", "changes", "words"),
    [
        ("gpt3-tiny", {}, "GPT2LMHeadModel, needs windows = (None,) instead of (None, 5)"),
        ("llama-tiny", {"norm": "layernorm"}, "LlamaForCausalLM, needs norm = rmsnorm instead of layernorm"),
        ("llama-tiny", {"rotary_bases": (9.0, 8.0)}, "needs one rotary base instead of (9.0, 8.0)"),
        ("llama-tiny", {"rotary_factors": (1.0, 8.0)}, "needs one rotary factor instead of (1.0, 8.0)"),
        (
            "llama-tiny",
            {"rotary_factors": (2.0,), "rotary_stretch": (8.0, 1.0, 4.0, 16.0)},
            "needs rotary_factors = (1.0,) with rotary_stretch",
        ),
        ("llama-tiny", {"rotary_stretch": (8.0, 1.0, 4.0, 16.5)}, "a whole number as the length in rotary_stretch"),
        ("mistral-tiny", {"windows": (4, 5)}, "LlamaForCausalLM, needs windows = (None,) instead of (4, 5)"),
        (
            "mistral-tiny",
            {**THREE_HEADS, "windows": (4, 5)},
            "MistralForCausalLM, needs one window for all layers instead of (4, 5)",
        ),
        (
            "mistral-tiny",
            {**THREE_HEADS, "attention_bias": True},
            "MistralForCausalLM, needs attention_bias = false instead of true",
        ),
        (
            "gemma2-tiny",
            {**THREE_HEADS, "embedding_scale": 4.0},
            "Gemma2ForCausalLM, needs num_heads that divides d_model instead of 3",
        ),
        ("gpt1-tiny", {"d_ff": 48}, "OpenAIGPTLMHeadModel, needs d_ff = 64 instead of 48"),
        ("gpt1-tiny", {"activation": "gelu"}, "OpenAIGPTLMHeadModel, needs activation = gelu_tanh instead of gelu"),
        ("gpt2-tiny", {"num_kv_heads": 1}, "GPT2LMHeadModel, needs num_kv_heads = 2 instead of 1"),
        ("gpt2-tiny", {"d_head": 6}, "GPT2LMHeadModel, needs d_head = d_model / num_heads instead of 6"),
        ("gemma-tiny", {"embedding_scale": 2.0}, "GemmaForCausalLM, needs embedding_scale = 4.0 instead of 2.0"),
        ("gemma-tiny", {"activation": "gelu"}, "GemmaForCausalLM, needs activation = gelu_tanh instead of gelu"),
        (
            "gemma2-tiny",
            {"attention_scale": 0.3},
            "Gemma2ForCausalLM, needs attention_scale = 1 / sqrt(a whole number)",
        ),
        ("gemma2-small", {"windows": (4, 5, None)}, "Gemma2ForCausalLM, needs one window instead of (4, 5, None)"),
        ("gemma3-tiny", {"rotary_factors": (8.0,)}, "needs rotary_factors = 1 in layers with a window"),
        ("gemma3-small", {"rotary_bases": (9.0, 8.0, 7.0)}, "needs one rotation for layers with sliding_attention"),
        ("gemma3-tiny", {"attention_softcap": 9.0}, "Gemma3ForCausalLM, needs attention_softcap = None instead of 9.0"),
        ("mixtral-tiny", {"tie_embeddings": True, "qk_norm": True}, "MixtralForCausalLM, needs qk_norm = false"),
    ],
)
def test_what_the_nearest_class_would_need_is_told(preset: str, changes: dict[str, Any], words: str) -> None:
    (note,) = notes_before_training(shrink(preset, **changes))
    assert note.code == "own-format"
    assert words in note.message


def test_settings_of_training_alone_do_not_cost_the_class_but_their_loss_is_told() -> None:
    assert notes_before_training(shrink("llama-tiny")) == []
    config = shrink("llama-tiny", dropout=0.1, feed_forward_dropout=0.2)
    assert choose_family(config).model_type == "llama"
    (note,) = notes_before_training(config)
    assert note.code == "not-kept"
    assert note.evidence == ("dropout = 0.1", "feed_forward_dropout = 0.2")


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
    assert same_as(foreign)


def test_a_tied_projection_alone_is_found(tmp_path: Path) -> None:
    foreign = Foreign(tmp_path / "model", "gemma-tiny")
    foreign.change_weights(lambda w: w.update({"lm_head.weight": w.pop("model.embed_tokens.weight")}))
    assert same_as(foreign)


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


# --- what is not as it should be -------------------------------------------------------------------------------------

HOSTILE: list[tuple[str, dict[str, Any], str]] = [
    ("gpt2-tiny", {"n_embd": "16"}, "n_embd = '16', not a whole number"),
    ("gpt2-tiny", {"activation_function": "os.system"}, "activation_function = 'os.system', not one of gelu_new, "),
    ("gpt2-tiny", {"scale_attn_weights": False}, "scale_attn_weights = False, not true, the only one"),
    ("gpt2-tiny", {"scale_attn_by_inverse_layer_idx": True}, "not false, the only one"),
    ("gpt2-tiny", {"add_cross_attention": True}, "add_cross_attention = True, not false, the only one"),
    ("gpt2-tiny", {"n_head": 3}, "model.num_heads = 3: does not divide model.d_model = 16"),
    ("gpt2-tiny", {"n_head": 0}, "model.num_heads = 0: is out of range"),
    ("gpt2-tiny", {"n_inner": 48}, "transformer.h.0.mlp.c_fc.weight is [16, 64] instead of [16, 48]"),
    ("gpt2-tiny", {"tie_word_embeddings": "yes"}, "tie_word_embeddings = 'yes', not true or false"),
    ("gpt2-tiny", {"eos_token_id": "</s>"}, "eos_token_id = '</s>', not the id of a token"),
    ("gpt1-tiny", {"afn": "gelu_new"}, "afn = 'gelu_new', not one of gelu, relu, silu, swish"),
    ("llama-tiny", {"tie_word_embeddings": True}, "lm_head.weight is not equal to model.embed_tokens.weight"),
    ("llama-tiny", {"num_key_value_heads": 0}, "model.num_kv_heads = 0: is out of range"),
    ("llama-tiny", {"num_key_value_heads": 7}, "model.num_kv_heads = 7: does not divide model.num_heads"),
    ("llama-tiny", {"num_attention_heads": 0, "num_key_value_heads": 0}, "model.num_heads = 0: is out of range"),
    ("llama-tiny", {"head_dim": 7}, "model.d_head = 7: is odd"),
    ("llama-tiny", {"head_dim": -2}, "head_dim = -2, not a whole number"),
    ("llama-tiny", {"hidden_size": 0}, "model.d_model = 0: is out of range"),
    ("llama-tiny", {"num_hidden_layers": 2**30}, "model.decoder_layers = 1073741824: is out of range"),
    ("llama-tiny", {"rms_norm_eps": float("nan")}, "rms_norm_eps = nan, not a number"),
    ("llama-tiny", {"mlp_bias": 1}, "mlp_bias = 1, not true or false"),
    ("llama-tiny", {"rope_parameters": {"rope_type": "yarn", "factor": 2.0}}, "rope_type = 'yarn', not one of default"),
    ("llama-tiny", {"rope_parameters": 3}, "rope_parameters = 3, not an object"),
    ("llama-tiny", {"rope_parameters": {"rope_theta": -1.0}, "rope_theta": ...}, "a base is a number above 1"),
    ("llama-tiny", {"rope_theta": 77.0}, "rope_theta = 77.0, but rope_parameters says 10000.0"),
    ("llama-tiny", {"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "type = 'dynamic', not one of default"),
    (
        "llama-tiny",
        {"rope_scaling": {"type": "linear", "factor": 2.0}},
        "rope_scaling is not what rope_parameters says",
    ),
    ("llama-tiny", {"rope_scaling": {"type": "linear"}, "rope_parameters": ...}, "factor is missing"),
    ("llama-tiny", {"partial_rotary_factor": 0.5}, "partial_rotary_factor = 0.5, not null, the only one"),
    (
        "llama-tiny",
        {"rope_scaling": {**LLAMA3, "low_freq_factor": 4.0}, "rope_parameters": ..., "rope_theta": 5e5},
        "model.rotary_stretch = [8.0, 4.0, 4.0, 16.0]: needs a factor",
    ),
    (
        "llama-tiny",
        {"rope_scaling": {"type": "linear", "factor": 0}, "rope_parameters": ...},
        "model.rotary_factors = [0.0]: a factor is a number above 0",
    ),
    ("llama-tiny", {"quantization_config": {"bits": 4}}, "quantization_config = {'bits': 4}, not null"),
    ("mistral-tiny", {"sliding_window": 0}, "model.windows = [0]: a window sees at least 1 token"),
    ("mistral-tiny", {"layer_types": ["full_attention"]}, "layer_types = ['full_attention'], not null"),
    ("mixtral-tiny", {"num_local_experts": 0}, "num_local_experts = 0, not 1 or more"),
    ("mixtral-tiny", {"num_experts_per_tok": 9}, "model.experts_per_token = 9: is more than num_experts = 4"),
    ("mixtral-tiny", {"num_local_experts": 5}, "block_sparse_moe.experts.4.w1.weight is missing"),
    ("mixtral-tiny", {"num_local_experts": 3}, "block_sparse_moe.experts.3.w1.weight is unexpected"),
    ("gemma-tiny", {"hidden_activation": "silu"}, "hidden_activation is not hidden_act"),
    ("gemma-tiny", {"use_bidirectional_attention": True}, "not false, the only one"),
    ("gemma2-tiny", {"query_pre_attn_scalar": 0}, "query_pre_attn_scalar = 0.0, not above 0"),
    ("gemma2-tiny", {"layer_types": ["sliding_attention"]}, "layer_types has 1 entries for 2 layers"),
    ("gemma2-tiny", {"layer_types": ["sliding_attention", "x"]}, "not a list of full_attention and sliding_attention"),
    ("gemma2-tiny", {"sliding_window": None}, "sliding_window = null, but layer_types has windows"),
    ("gemma2-tiny", {"num_hidden_layers": 2**30, "layer_types": ...}, "model.decoder_layers = 1073741824"),
    ("gemma2-tiny", {"attn_logit_softcapping": -1.0}, "model.attention_softcap = -1.0: is out of range"),
    ("gemma3-tiny", {"attn_logit_softcapping": 50.0}, "attn_logit_softcapping = 50.0, not null, the only one"),
    ("gemma3-tiny", {"rope_parameters": {"full_attention": 3}}, "full_attention = 3, not an object"),
    ("gemma3-tiny", {"rope_parameters": {"full_attention": LLAMA3}, "rope_theta": 5e5}, "for one rotation only"),
    ("gpt3-tiny", {"model": 3}, "model = 3, not an object"),
    ("gpt3-tiny", {"vocab_size": 98}, "vocab_size = 98, but model.vocab_size says"),
]


@pytest.mark.parametrize(("preset", "changes", "words"), HOSTILE)
def test_settings_that_can_not_be_are_refused(preset: str, changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    foreign = Foreign(tmp_path / "model", preset)
    foreign.set_keys(**changes)
    assert words in refusal(foreign.path)


def test_tensors_of_other_shapes_are_refused_by_name(tmp_path: Path) -> None:
    foreign = Foreign(tmp_path / "model", "gpt2-tiny")
    name = "transformer.h.0.attn.c_attn.weight"
    foreign.change_weights(lambda w: w.update({name: w[name].T}))
    assert f"{name} is [48, 16] instead of [16, 48]" in refusal(foreign.path)


def test_an_expert_of_another_shape_is_refused_by_name(tmp_path: Path) -> None:
    foreign = Foreign(tmp_path / "model", "mixtral-tiny")
    name = "model.layers.1.block_sparse_moe.experts.2.w2.weight"
    foreign.change_weights(lambda w: w.update({name: w[name].T}))
    assert f"{name} is [40, 16] instead of [16, 40]" in refusal(foreign.path)


def test_noise_of_a_router_is_left_out_and_told(tmp_path: Path) -> None:
    foreign = Foreign(tmp_path / "model", "mixtral-tiny")
    foreign.set_keys(router_jitter_noise=0.1)
    assert [note.code for note in read_folder(foreign.path).notes] == ["no-router-noise"]


# --- our own format -------------------------------------------------------------------------------------------------

FREE = {
    "gpt3-tiny": {},
    "llama-tiny": {"norm": "layernorm", "rotary_factors": (1.0, 2.0)},
    "gemma3-tiny": {"position": "none", "head_transform": True, "head_bias": True, "logit_scale": 0.5},
    "mixtral-tiny": {"norm_placement": "sandwich", "input_norm": True, "num_segments": 2},
    "encoder-tiny": {"position": "learned", "tie_embeddings": False},
}


@pytest.mark.parametrize(("preset", "changes"), FREE.items(), ids=FREE.keys())
def test_what_no_class_holds_comes_back_from_our_own_format(
    preset: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    model = random_model(shrink(preset, vocab_size=ENTRIES, **changes), dtype=torch.float32)
    folder = publish_model(tmp_path / "first", model)
    assert json.loads((folder / "config.json").read_text())["model_type"] == "osnowa"
    assert load_file(folder / "model.safetensors").keys() == {name for name, _ in model.named_parameters()}
    back = read_folder(folder)
    assert back.config == model.config
    assert back.notes == ()
    assert all(torch.equal(back.weights[name], each) for name, each in model.named_parameters())
    publish_model(tmp_path / "second", model)
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_transformers_refuses_our_own_format_by_its_name(tmp_path: Path) -> None:
    folder = publish_model(tmp_path / "model", random_model(shrink("gpt3-tiny", vocab_size=ENTRIES)))
    with pytest.raises(ValueError, match="model type `osnowa`"):
        transformers.AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nrom": "rmsnorm"}, "model.nrom: no such setting; did you mean model.norm?"),
        ({"windows": [None, "5"]}, "model.windows"),
        ({"d_model": 10**9}, "model.d_model = 1000000000: is out of range"),
        ({"decoder_layers": 3}, "decoder.blocks.2.attention.key.bias is missing"),
        ({"tie_embeddings": False}, "head.projection.weight is missing"),
        ({"position": "__import__('os')"}, "is not one of the choices"),
    ],
)
def test_our_own_settings_are_checked_like_any(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    foreign = Foreign(tmp_path / "model", "gpt3-tiny")
    values = json.loads((foreign.path / "config.json").read_text())["model"]
    foreign.set_keys(model={**values, **changes})
    assert words in refusal(foreign.path)


def test_an_architecture_that_claims_more_than_the_file_holds_costs_no_memory(tmp_path: Path) -> None:
    """A terabyte of parameters is compared by shapes alone."""
    foreign = Foreign(tmp_path / "model", "llama-tiny")
    foreign.set_keys(hidden_size=65_536, intermediate_size=1_000_000, head_dim=8)
    assert "tensors and config.json do not agree" in refusal(foreign.path)
