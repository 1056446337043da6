"""Folders of encoder-decoders and of the encoder without next sentence: written, read again, and read from others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import BartConfig, MarianConfig, RobertaConfig, T5Config

from foreign_folder import Foreign, ForeignPairs, same_as
from osnowa import files
from osnowa.exchange import choose_family, read_folder, write_folder
from osnowa.exchange.families import FAMILIES, NATIVE, notes_before_training
from osnowa.exchange.family import SpecialIds
from osnowa.exchange.keys import Keys
from osnowa.model import Layout, ModelConfig, Transformer
from small_models import VOCABULARY, forward, publish_model, random_model, random_rows, shrink, small_tokenizer
from small_seq2seq import ENCODER_DECODERS, forward_pairs, random_pairs, shrink_pairs

ENTRIES = small_tokenizer().vocab_size
SHAPES: dict[str, ModelConfig] = {
    "roberta": shrink("roberta-tiny", vocab_size=ENTRIES),
    "roberta with segments": shrink("roberta-tiny", vocab_size=ENTRIES, num_segments=2, dropout=0.2),
    "transformer": shrink_pairs("transformer-base", vocab_size=ENTRIES),
    "t5": shrink_pairs("t5-small", vocab_size=ENTRIES),
    "t5-v1.1": shrink_pairs("t5-v1.1-small", vocab_size=ENTRIES + 3),
    "bart": shrink_pairs("bart-base", vocab_size=ENTRIES, dropout=0.1),
    "bart with a bias of the logits": shrink_pairs("bart-base", vocab_size=ENTRIES, head_bias=True),
    "bart with all dropouts": shrink_pairs(
        "bart-base", vocab_size=ENTRIES, dropout=0.1, attention_dropout=0.2, feed_forward_dropout=0.3
    ),
}
BART = {
    "vocab_size": VOCABULARY,
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "max_position_embeddings": 24,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
T5 = {
    "vocab_size": VOCABULARY,
    "d_model": 16,
    "d_kv": 6,
    "d_ff": 24,
    "num_layers": 2,
    "num_heads": 2,
    "pad_token_id": 0,
    "decoder_start_token_id": 0,
}


def load(folder: Path) -> Transformer:
    read = read_folder(folder)
    model = Transformer(read.config).eval()
    assert not model.load_state_dict(read.weights, strict=False).unexpected_keys
    return model


# --- what we write --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
def test_write_read_write_gives_the_same_bytes(config: ModelConfig, tmp_path: Path) -> None:
    model = random_model(config, dtype=torch.float32)
    first = publish_model(tmp_path / "first", model)
    back = read_folder(first)
    assert back.config == config
    assert list(back.weights) == [name for name, _ in model.named_parameters()]
    assert all(torch.equal(back.weights[name], each) for name, each in model.named_parameters())
    assert back.notes == ()
    assert back.masked_head
    assert back.tokenizer is not None
    with files.publish(tmp_path / "second", {"kind": "model"}) as work:
        write_folder(work, back.config, back.weights, back.tokenizer, card="A card.\n")
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "second").iterdir())
    for name in names:
        assert (first / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


@pytest.mark.parametrize("preset", ENCODER_DECODERS)
def test_every_preset_has_a_class(preset: str) -> None:
    expected = {"transformer": "MarianMTModel", "bart": "BartForConditionalGeneration"}
    config = shrink_pairs(preset)
    assert choose_family(config).class_name(config) == expected.get(preset.split("-")[0], "T5ForConditionalGeneration")


@pytest.mark.parametrize("name", ["transformer", "t5", "bart"])
def test_a_decoder_begins_and_ends_with_the_ids_of_the_tokenizer(name: str, tmp_path: Path) -> None:
    folder = publish_model(tmp_path / "model", random_model(SHAPES[name], dtype=torch.float32))
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    keys = json.loads((folder / "config.json").read_text())
    assert {key: keys[key] for key in ids} == ids
    assert keys["is_encoder_decoder"] is True
    assert keys["forced_bos_token_id"] is None
    assert keys["forced_eos_token_id"] is None
    assert json.loads((folder / "generation_config.json").read_text()) == ids
    assert read_folder(folder).ids == SpecialIds(0, 1, 2)


def test_another_tools_first_token_of_the_decoder_is_kept(t5: ForeignPairs, tmp_path: Path) -> None:
    """Theirs begins with padding and has no other token for it."""
    t5.set_keys(bos_token_id=None, decoder_start_token_id=0)
    back = read_folder(t5.path)
    assert back.ids == SpecialIds(0, None, 2, 0)
    assert back.ids.start == 0
    with files.publish(tmp_path / "second", {"kind": "model"}) as work:
        write_folder(work, back.config, back.weights, back.tokenizer, card="", ids=back.ids)
    keys = json.loads((tmp_path / "second" / "config.json").read_text())
    assert (keys["decoder_start_token_id"], keys["bos_token_id"], keys["eos_token_id"]) == (0, None, 2)
    generation = json.loads((tmp_path / "second" / "generation_config.json").read_text())
    assert generation == {"pad_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 0}


def test_an_encoder_has_no_settings_for_generation(tmp_path: Path) -> None:
    folder = publish_model(tmp_path / "model", random_model(SHAPES["roberta"], dtype=torch.float32))
    assert not (folder / "generation_config.json").exists()


def test_the_static_tables_of_sines_are_not_stored(marian: ForeignPairs) -> None:
    assert not [name for name in marian.weights if "embed_positions" in name]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (shrink("roberta-tiny", position_offset=2), "needs position_offset = 0 instead of 2"),
        (shrink_pairs("transformer-base", norm_eps=1e-6), "norm_eps = 1e-05 instead of 1e-06"),
        (shrink_pairs("transformer-base", embedding_scale=3.0), "embedding_scale = 1 or 5.65"),
        (shrink_pairs("transformer-base", tie_embeddings=False), "tie_embeddings = true instead of false"),
        (shrink_pairs("t5-small", logit_scale=1.0), "(tie_embeddings = true) instead of 1.0"),
        (shrink_pairs("t5-v1.1-small", logit_scale=0.5), "logit_scale = 1.0 (tie_embeddings = false) instead of 0.5"),
        (shrink_pairs("t5-v1.1-small", activation="gelu"), "activation = gelu_tanh (feed_forward = glu) instead of"),
        (shrink_pairs("t5-small", attention_scale=None), "attention_scale = 1.0 instead of None"),
        (shrink_pairs("t5-small", windows=(4,)), "windows = (None,) instead of (4,)"),
        (shrink_pairs("bart-base", position_offset=0), "position_offset = 2 instead of 0"),
        (shrink_pairs("bart-base", d_head=6), "d_head = d_model / num_heads instead of 6"),
        (shrink_pairs("bart-base", qk_norm=True), "qk_norm = false instead of true"),
        (shrink_pairs("bart-base", num_kv_heads=2), "num_kv_heads = 4 instead of 2"),
    ],
)
def test_a_shape_that_no_class_has_says_what_the_nearest_would_need_and_gets_our_format(
    config: ModelConfig, words: str
) -> None:
    (note,) = notes_before_training(config)
    assert note.code == "own-format"
    assert words in note.message
    assert choose_family(config) is NATIVE


def test_a_dropout_that_the_class_has_no_key_for_is_told(tmp_path: Path) -> None:
    config = shrink_pairs("t5-small", vocab_size=ENTRIES, attention_dropout=0.5, feed_forward_dropout=0.4)
    (note,) = notes_before_training(config)
    assert (note.code, note.evidence) == ("not-kept", ("attention_dropout = 0.5", "feed_forward_dropout = 0.4"))
    back = read_folder(publish_model(tmp_path / "model", random_model(config, dtype=torch.float32)))
    assert back.config == config.changed(attention_dropout=None, feed_forward_dropout=0.1)


def test_the_first_position_is_the_row_behind_that_of_the_paddings_id() -> None:
    config, family = shrink("roberta-tiny", position_offset=2), FAMILIES["roberta"]
    assert choose_family(config, pad=1) is family
    assert family.id_misfits(config, None) == ["a padding token"]
    assert family.id_misfits(config, 0) == ["position_offset = 1 (padding is id 0) instead of 2"]
    assert family.misfits(config.changed(activation="relu")) == ["activation = gelu instead of relu"]


# --- what others write ----------------------------------------------------------------------------------------------


def compare_pairs(theirs: Any, folder: Path) -> ModelConfig:
    """Equal logits; the settings that were read."""
    theirs.eval().save_pretrained(folder)
    model = load(folder)
    pairs = random_pairs(model.config)
    with torch.no_grad():
        expected = theirs(
            input_ids=pairs.source,
            attention_mask=pairs.source_real.long(),
            decoder_input_ids=pairs.target,
            decoder_attention_mask=pairs.target_real.long(),
        )
        _, hidden, logits = forward_pairs(model, pairs)
    ours = logits if hasattr(expected, "logits") else hidden
    wanted = expected.logits if hasattr(expected, "logits") else expected.last_hidden_state
    torch.testing.assert_close(ours[pairs.target_real], wanted[pairs.target_real], rtol=1e-4, atol=1e-5)
    return model.config


@pytest.mark.parametrize("kind", ["BartForConditionalGeneration", "BartModel"])
@pytest.mark.parametrize("scaled", [False, True])
def test_a_model_of_theirs_with_learned_positions(kind: str, scaled: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = getattr(transformers, kind)(BartConfig(**BART, scale_embedding=scaled))
    config = compare_pairs(theirs, tmp_path)
    assert config.embedding_scale == (4.0 if scaled else 1.0)
    assert not config.head_bias


@pytest.mark.parametrize("kind", ["MarianMTModel", "BartForConditionalGeneration"])
def test_a_bias_of_the_logits_counts_where_it_is_not_zero(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    settings = MarianConfig(**BART) if kind == "MarianMTModel" else BartConfig(**BART)
    theirs = getattr(transformers, kind)(settings)
    assert not compare_pairs(theirs, tmp_path / "zero").head_bias
    theirs.final_logits_bias[0, 7] = 0.5
    assert compare_pairs(theirs, tmp_path / "bias").head_bias
    assert float(read_folder(tmp_path / "bias").weights["head.projection.bias"][7]) == 0.5


@pytest.mark.parametrize("projection", ["relu", "gated-gelu", "gated-silu", "gelu"])
@pytest.mark.parametrize("kind", ["T5ForConditionalGeneration", "T5Model"])
def test_a_model_of_theirs_with_relative_positions(kind: str, projection: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = getattr(transformers, kind)(T5Config(**T5, feed_forward_proj=projection, num_decoder_layers=3))
    config = compare_pairs(theirs, tmp_path)
    assert (config.encoder_layers, config.decoder_layers, config.logit_scale) == (2, 3, 0.25)
    assert config.feed_forward == ("glu" if "gated" in projection else "mlp")


def test_a_model_of_theirs_whose_projection_is_its_own(tmp_path: Path) -> None:
    """transformers 5 ties in the constructor, so the second matrix is put in afterwards, as its loader does."""
    torch.manual_seed(0)
    settings = T5Config(**T5, feed_forward_proj="gated-gelu", tie_word_embeddings=False)
    theirs = transformers.T5ForConditionalGeneration(settings)
    config = compare_pairs(theirs, tmp_path / "tied")
    assert config.tie_embeddings
    assert config.logit_scale == 1.0
    theirs.lm_head.weight = torch.nn.Parameter(torch.randn(VOCABULARY, 16))
    theirs.all_tied_weights_keys.pop("lm_head.weight")
    config = compare_pairs(theirs, tmp_path / "own")
    assert not config.tie_embeddings
    assert config.logit_scale == 1.0


@pytest.mark.parametrize("kind", ["RobertaForMaskedLM", "RobertaModel"])
@pytest.mark.parametrize("pad", [0, 1])
def test_a_model_of_theirs_without_next_sentence(kind: str, pad: int, tmp_path: Path) -> None:
    settings = RobertaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=25 + pad,
        type_vocab_size=1,
        pad_token_id=pad,
    )
    torch.manual_seed(0)
    theirs = getattr(transformers, kind)(settings).eval()
    theirs.save_pretrained(tmp_path)
    model = load(tmp_path)
    assert (model.config.position_offset, model.config.max_positions) == (1 + pad, 24)
    tokens, _, real = random_rows(model.config)
    tokens = tokens.masked_fill(~real, pad)
    with torch.no_grad():
        out = theirs(input_ids=tokens, attention_mask=real.long())
        hidden, logits = forward(model, tokens, Layout.plain(tokens, real))
    ours, wanted = (logits, out.logits) if kind == "RobertaForMaskedLM" else (hidden, out.last_hidden_state)
    torch.testing.assert_close(ours[real], wanted[real], rtol=1e-4, atol=1e-5)
    read = read_folder(tmp_path)
    assert read.masked_head is (kind == "RobertaForMaskedLM")
    left_out = next((note.evidence for note in read.notes if note.code == "left-out"), ())
    assert left_out == (
        () if kind == "RobertaForMaskedLM" else ("roberta.pooler.dense.bias", "roberta.pooler.dense.weight")
    )


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("roberta", RobertaConfig), ("t5", T5Config), ("bart", BartConfig), ("marian", MarianConfig)],
)
def test_a_key_that_is_missing_means_the_default_of_the_class(kind: str, settings: Any) -> None:
    bare = Keys({"model_type": kind}, "config.json")
    spelled_out = Keys(settings().to_dict(), "config.json")
    assert FAMILIES[kind].read_settings(bare)[0] == FAMILIES[kind].read_settings(spelled_out)[0]
    assert bare.errors == spelled_out.errors == []
    unknown = {name for note in spelled_out.notes() for name in note.evidence}
    assert unknown <= {"tie_word_embeddings"}  # asked for by the reader, for all families


@pytest.mark.parametrize("kind", ["bart", "t5", "gated", "marian", "roberta"])
def test_shards_are_read_as_one(kind: str, request: pytest.FixtureRequest) -> None:
    folder: Foreign = request.getfixturevalue(kind)
    weights, whole = folder.weights, folder.path / "model.safetensors"
    names = sorted(weights)
    parts = {f"model-0000{number}-of-00003.safetensors": names[number - 1 :: 3] for number in (1, 2, 3)}
    for shard, part in parts.items():
        folder.set_weights({name: weights[name] for name in part})
        whole.rename(folder.path / shard)
    index = {"weight_map": {name: shard for shard, part in parts.items() for name in part}}
    (folder.path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert same_as(read_folder(folder.path), folder)
