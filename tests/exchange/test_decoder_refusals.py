"""Folders of decoders that are not as they should be: refused by name, or their part left out and told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foreign_folder import LLAMA3, Foreign, refusal
from osnowa.exchange import read_folder

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


def test_an_architecture_that_claims_more_than_the_file_holds_costs_no_memory(tmp_path: Path) -> None:
    """A terabyte of parameters is compared by shapes alone."""
    foreign = Foreign(tmp_path / "model", "llama-tiny")
    foreign.set_keys(hidden_size=65_536, intermediate_size=1_000_000, head_dim=8)
    assert "tensors and config.json do not agree" in refusal(foreign.path)
