"""Folders of encoder-decoders that are not as they should be: refused by name, or their part left out and told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from foreign_folder import Foreign, ForeignPairs, refusal, same_as
from osnowa.exchange import read_folder
from small_models import small_tokenizer

ENTRIES = small_tokenizer().vocab_size


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("bart", {"encoder_ffn_dim": 24}, "encoder_ffn_dim is not decoder_ffn_dim, osnowa has one for both"),
        ("bart", {"decoder_attention_heads": 2}, "encoder_attention_heads is not decoder_attention_heads"),
        ("bart", {"is_encoder_decoder": False}, "is_encoder_decoder = False, not true, the only one"),
        ("bart", {"is_decoder": True}, "is_decoder = True, not false, the only one"),
        ("bart", {"normalize_before": True}, "normalize_before = True, not false, the only one"),
        ("bart", {"normalize_embedding": False}, "normalize_embedding = False, not true, the only one"),
        ("bart", {"add_final_layer_norm": True}, "add_final_layer_norm = True, not false, the only one"),
        ("bart", {"tie_word_embeddings": False}, "tie_word_embeddings = False, not true, the only one"),
        ("bart", {"scale_embedding": 1}, "scale_embedding = 1, not true or false"),
        ("bart", {"activation_function": "os.system"}, "activation_function = 'os.system', not one of gelu, "),
        ("bart", {"d_model": "16"}, "d_model = '16', not a whole number"),
        ("bart", {"d_model": 0}, "model.d_model = 0: is out of range"),
        ("bart", {"dropout": float("nan")}, "dropout = nan, not a number"),
        ("marian", {"decoder_vocab_size": 7}, "decoder_vocab_size = 7, not"),
        ("marian", {"share_encoder_decoder_embeddings": False}, "share_encoder_decoder_embeddings = False, not true"),
        ("marian", {"static_position_embeddings": False}, "static_position_embeddings = False, not true"),
        ("t5", {"feed_forward_proj": "gated-os.system"}, "feed_forward_proj = 'gated-os.system', not one of relu, "),
        ("t5", {"feed_forward_proj": ["relu"]}, "feed_forward_proj = ['relu'], not one of relu, "),
        ("t5", {"dense_act_fn": "silu"}, "dense_act_fn = 'silu', not \"relu\", the only one"),
        ("t5", {"is_gated_act": True}, "is_gated_act = True, not false, the only one"),
        ("t5", {"tie_word_embeddings": "yes"}, "tie_word_embeddings = 'yes', not true or false"),
        ("t5", {"scale_decoder_outputs": 0.5}, "scale_decoder_outputs = 0.5, not true or false"),
        ("t5", {"d_model": -1}, "d_model = -1, not a whole number"),
        ("t5", {"d_model": 0}, "model.d_model = 0: is out of range"),
        ("t5", {"relative_attention_num_buckets": 1}, "model.relative_buckets = 1: is out of range"),
        ("t5", {"relative_attention_max_distance": 16}, "model.relative_furthest = 16: is not beyond the 16 distances"),
        ("t5", {"num_decoder_layers": 100_000}, "model.decoder_layers = 100000: is out of range"),
        ("t5", {"layer_norm_epsilon": 10**400}, "layer_norm_epsilon = 1000"),
        ("t5", {"quantization_config": {"bits": 4}}, "quantization_config = {'bits': 4}, not null"),
        ("roberta", {"hidden_act": "relu"}, "hidden_act = 'relu', not \"gelu\", the only one"),
        ("roberta", {"max_position_embeddings": 1}, "model.max_positions = 0: is out of range"),
        ("roberta", {"pad_token_id": -1}, "pad_token_id = -1, not a whole number"),
        ("roberta", {"pad_token_id": 2000}, "model.position_offset = 2001: is out of range"),
    ],
)
def test_settings_that_can_not_be_are_refused(
    kind: str, changes: dict[str, Any], words: str, request: pytest.FixtureRequest
) -> None:
    folder: Foreign = request.getfixturevalue(kind)
    folder.set_keys(**changes)
    assert words in refusal(folder.path)


def test_keys_that_name_code_are_not_used_and_told(bart: ForeignPairs) -> None:
    (bart.path / "evil.py").write_text("raise SystemExit('ran')")
    (bart.path / "generation_config.json").write_text('{"custom_generate": "evil.py"}')
    bart.set_keys(auto_map={"AutoModelForSeq2SeqLM": "evil.Model"}, encoder_layerdrop=0.1)
    assert same_as(read_folder(bart.path), bart)
    notes = {note.code: note.evidence for note in read_folder(bart.path).notes}
    assert notes == {"unknown-keys": ("auto_map",), "no-layerdrop": ()}


def spoil_bias(weights: dict[str, Tensor]) -> None:
    weights["final_logits_bias"] = torch.ones(ENTRIES)


def spoil_shape(weights: dict[str, Tensor]) -> None:
    del weights["model.decoder.layers.2.encoder_attn.k_proj.bias"]
    weights["model.encoder.layers.2.fc1.bias"] = torch.zeros(80)
    weights["model.decoder.embed_positions.weight"] = torch.zeros(24, 32)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_bias, [f"final_logits_bias is [{ENTRIES}] instead of [1, {ENTRIES}]"]),
        (
            spoil_shape,
            [
                "model.decoder.layers.2.encoder_attn.k_proj.bias is missing",
                "model.encoder.layers.2.fc1.bias is unexpected",
                "model.decoder.embed_positions.weight is [24, 32] instead of [26, 32]",
            ],
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    spoil: Callable[[dict[str, Tensor]], None], words: list[str], bart: ForeignPairs
) -> None:
    bart.change_weights(spoil)
    message = refusal(bart.path)
    assert all(each in message for each in words)
    assert message.endswith("nothing was loaded")
