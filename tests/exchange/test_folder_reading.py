"""Folders of other tools are read as what they are, and whatever is not as it should be is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor
from transformers import BertConfig, ModernBertConfig

from foreign_folder import Foreign, refusal, same_as
from osnowa.errors import DamagedError, DataError, InputMissingError
from osnowa.exchange import Imported, read_folder
from osnowa.exchange.families import FAMILIES
from osnowa.exchange.keys import Keys
from osnowa.model import Layout, Transformer
from small_models import VOCABULARY, forward, publish_model, random_rows, small_tokenizer

SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "pad_token_id": 0,
}


def save(kind: str, folder: Path, **settings: Any) -> Any:
    """A random model of a transformers class, in `folder`."""
    config = (ModernBertConfig if kind.startswith("Modern") else BertConfig)(**{**SMALL, **settings})
    torch.manual_seed(0)
    model = getattr(transformers, kind)(config).eval()
    model.save_pretrained(folder)
    return model


def build(read: Imported) -> Transformer:
    model = Transformer(read.config).eval()
    missing, unexpected = model.load_state_dict(read.weights, strict=False)
    assert missing == ["head.projection.weight"]
    assert not unexpected
    return model


def codes(read: Imported) -> list[str]:
    return [note.code for note in read.notes]


# --- classes of the two families ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["BertForPreTraining", "BertForMaskedLM", "ModernBertForMaskedLM"])
def test_a_class_with_a_masked_token_head_gives_equal_logits(kind: str, tmp_path: Path) -> None:
    theirs, read = save(kind, tmp_path), read_folder(tmp_path)
    tokens, _, real = random_rows(read.config)
    with torch.no_grad():
        expected = theirs(input_ids=tokens, attention_mask=real.long())
        ours = forward(build(read), tokens, Layout.plain(tokens, real))
    logits = expected.prediction_logits if kind == "BertForPreTraining" else expected.logits
    torch.testing.assert_close(ours[1][real], logits[real], rtol=1e-4, atol=1e-5)
    assert read.config.next_sentence is (kind == "BertForPreTraining")
    assert ("no-next-sentence-head" in codes(read)) is not read.config.next_sentence
    assert read.masked_head
    if read.config.next_sentence:
        torch.testing.assert_close(ours[2], expected.seq_relationship_logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["BertModel", "BertForSequenceClassification"])
def test_a_class_without_the_heads_gives_equal_hidden_vectors_and_says_what_is_missing(
    kind: str, tmp_path: Path
) -> None:
    theirs, read = save(kind, tmp_path), read_folder(tmp_path)
    tokens, segments, real = random_rows(read.config)
    with torch.no_grad():
        base = theirs if kind == "BertModel" else theirs.bert
        expected = base(input_ids=tokens, attention_mask=real.long(), token_type_ids=segments).last_hidden_state
        hidden = forward(build(read), tokens, Layout.plain(tokens, real), segments)[0]
    torch.testing.assert_close(hidden[real], expected[real], rtol=1e-4, atol=1e-5)
    assert not read.masked_head
    assert {"no-masked-head", "no-next-sentence-head", "left-out"} <= set(codes(read))
    left_out = next(note.evidence for note in read.notes if note.code == "left-out")
    assert ("classifier.weight" in left_out) is (kind == "BertForSequenceClassification")
    assert "bert.pooler.dense.weight" in left_out


def test_the_rotary_class_without_its_head_is_refused(tmp_path: Path) -> None:
    save("ModernBertModel", tmp_path)
    assert refusal(tmp_path) == (
        f"{tmp_path}: holds no masked-token head; give the folder of a ModernBertForMaskedLM, saved with its head"
    )


def test_shards_are_read_as_one(bert: Foreign, tmp_path: Path) -> None:
    whole = read_folder(bert.path)
    make_shards(bert)
    read = read_folder(bert.path)
    assert read.notes == ()
    assert all(torch.equal(read.weights[name], each) for name, each in whole.weights.items())


# --- spellings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_prefixes_of_wrappers_are_taken_off_and_told(prefix: str, encoder: Foreign) -> None:
    encoder.set_weights({f"{prefix}{name}": each for name, each in encoder.weights.items()})
    read = read_folder(encoder.path)
    assert same_as(read, encoder)
    assert codes(read) == ["renamed"]


def test_the_first_spelling_of_norms_is_known(bert: Foreign) -> None:
    def old(name: str) -> str:
        return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    bert.set_weights({old(name): each for name, each in bert.weights.items()})
    assert sum(name.endswith(("gamma", "beta")) for name in bert.weights) == 2 * (1 + 2 * 2 + 1)
    read = read_folder(bert.path)
    assert same_as(read, bert)
    assert codes(read) == ["renamed"]


def test_the_same_tensor_under_two_spellings_is_refused(bert: Foreign) -> None:
    bert.change_weights(lambda w: w.update({"module.cls.predictions.bias": w["cls.predictions.bias"].clone()}))
    assert "cls.predictions.bias" in refusal(bert.path)
    assert "are the same tensor" in refusal(bert.path)


def test_second_copies_of_tied_tensors_and_buffers_are_fine_when_equal(bert: Foreign) -> None:
    copies = {
        "cls.predictions.decoder.weight": bert.weights["bert.embeddings.word_embeddings.weight"],
        "cls.predictions.decoder.bias": bert.weights["cls.predictions.bias"],
        "bert.embeddings.position_ids": torch.arange(24)[None],
    }
    bert.change_weights(lambda w: w.update({name: each.clone() for name, each in copies.items()}))
    read = read_folder(bert.path)
    assert same_as(read, bert)
    assert read.notes == ()


def test_a_second_copy_that_differs_is_refused(encoder: Foreign) -> None:
    other = encoder.weights["model.embeddings.tok_embeddings.weight"] + 1
    encoder.change_weights(lambda w: w.update({"decoder.weight": other}))
    assert "decoder.weight is not equal to model.embeddings.tok_embeddings.weight" in refusal(encoder.path)


def test_a_tied_tensor_that_is_there_under_its_second_name_only_is_found(bert: Foreign) -> None:
    bert.change_weights(lambda w: w.update({"cls.predictions.decoder.bias": w.pop("cls.predictions.bias")}))
    assert same_as(read_folder(bert.path), bert)


# --- settings -----------------------------------------------------------------------------------------------------


def test_keys_that_name_code_paths_and_addresses_are_not_used_and_told(bert: Foreign) -> None:
    (bert.path / "evil.py").write_text("raise SystemExit('ran')")
    bert.set_keys(
        auto_map={"AutoModel": "evil.Model"},
        _attn_implementation_internal="https://example.org/kernel",
        custom_pipelines={"x": {"impl": "evil.Pipeline"}},
    )
    read = read_folder(bert.path)
    assert same_as(read, bert)
    (note,) = read.notes
    assert note.code == "unknown-keys"
    assert note.evidence == ("_attn_implementation_internal", "auto_map", "custom_pipelines")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hidden_size": "16"}, "hidden_size = '16', not a whole number"),
        ({"hidden_size": True}, "hidden_size = True, not a whole number"),
        ({"vocab_size": -1}, "vocab_size = -1, not a whole number"),
        ({"num_hidden_layers": 10**30}, "num_hidden_layers = 1000"),
        ({"layer_norm_eps": "1e-5"}, "layer_norm_eps = '1e-5', not a number"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps = nan, not a number"),
        ({"layer_norm_eps": float("-inf")}, "layer_norm_eps = -inf, not a number"),
        ({"layer_norm_eps": 10**400}, "layer_norm_eps = 1000"),
        ({"hidden_act": "os.system"}, "hidden_act = 'os.system', not one of gelu, "),
        ({"hidden_act": ["gelu"]}, "hidden_act = ['gelu'], not one of gelu, "),
        ({"position_embedding_type": "relative_key"}, 'not "absolute", the only one that osnowa has'),
        ({"is_decoder": True}, "is_decoder = True, not false, the only one"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings = False, not true, the only one"),
        ({"quantization_config": {"bits": 4}}, "quantization_config = {'bits': 4}, not null, the only one"),
        ({"pruned_heads": {"0": [1]}}, "pruned_heads = {'0': [1]}, not null, the only one"),
        ({"num_attention_heads": 3}, "model.num_heads = 3: does not divide model.d_model = 16"),
        ({"num_hidden_layers": 100_000}, "model.encoder_layers = 100000: is out of range"),
        ({"layer_norm_eps": 0}, "model.norm_eps = 0.0: is out of range"),
        ({"model_type": "xlnet"}, "model_type = 'xlnet' is unknown here; osnowa reads bert, roberta, modernbert, "),
        ({"model_type": ...}, "model_type = None is unknown here"),
        ({"model_type": {"a": 1}}, "model_type = {'a': 1} is unknown here"),
    ],
)
def test_settings_that_can_not_be_are_refused(changes: dict[str, Any], words: str, bert: Foreign) -> None:
    bert.set_keys(**changes)
    assert words in refusal(bert.path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layer_types": ["full_attention"]}, "layer_types has 1 entries for 2 layers"),
        ({"layer_types": ["full_attention", "chunked"]}, "not a list of full_attention and sliding_attention"),
        ({"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}, "rope_type = 'yarn', not \"default\""),
        ({"rope_parameters": [1]}, "rope_parameters = [1], not an object"),
        ({"rope_scaling": {"type": "linear"}}, "rope_scaling = {'type': 'linear'}, not null"),
        ({"global_rope_theta": 5.0}, "global_rope_theta = 5.0, but rope_parameters says 10000.0"),
        ({"classifier_activation": "relu"}, "classifier_activation is not hidden_activation"),
        ({"norm_bias": 1}, "norm_bias = 1, not true or false"),
    ],
)
def test_settings_of_the_rotary_class_that_can_not_be_are_refused(
    changes: dict[str, Any], words: str, encoder: Foreign
) -> None:
    encoder.set_keys(**changes)
    assert words in refusal(encoder.path)


@pytest.mark.parametrize(("kind", "settings"), [("bert", BertConfig), ("modernbert", ModernBertConfig)])
def test_a_key_that_is_missing_means_the_default_of_the_class(kind: str, settings: Any) -> None:
    bare = Keys({"model_type": kind}, "config.json")
    spelled_out = Keys(settings().to_dict(), "config.json")
    assert FAMILIES[kind].read_settings(bare)[0] == FAMILIES[kind].read_settings(spelled_out)[0]
    assert bare.errors == spelled_out.errors == []


def test_all_wrong_settings_come_at_once(bert: Foreign) -> None:
    bert.set_keys(hidden_size="16", is_decoder=True, hidden_act="tanh")
    message = refusal(bert.path)
    assert all(key in message for key in ("hidden_size", "is_decoder", "hidden_act"))


def test_dropouts_that_differ_are_told(bert: Foreign, encoder: Foreign) -> None:
    bert.set_keys(attention_probs_dropout_prob=0.3)
    encoder.set_keys(embedding_dropout=0.3)
    for folder, expected in ((bert.path, 0.1), (encoder.path, 0.0)):
        read = read_folder(folder)
        assert read.config.dropout == expected
        assert codes(read) == ["one-dropout"]


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"model_type": NaN}', b""])
def test_a_config_that_is_no_object_is_refused(content: bytes, bert: Foreign) -> None:
    (bert.path / "config.json").write_bytes(content)
    with pytest.raises(DataError):
        read_folder(bert.path)


def test_a_folder_without_config_or_that_is_not_there_is_missing(bert: Foreign) -> None:
    (bert.path / "config.json").unlink()
    assert "config.json: no such file" in refusal(bert.path, InputMissingError)
    assert "nowhere" in refusal(bert.path / "nowhere", InputMissingError)


# --- tensors ------------------------------------------------------------------------------------------------------


def test_missing_unexpected_and_mis_shaped_tensors_are_listed_at_once(bert: Foreign) -> None:
    def spoil(weights: dict[str, Tensor]) -> None:
        del weights["bert.encoder.layer.0.output.dense.bias"]
        weights["bert.encoder.layer.7.output.dense.bias"] = torch.zeros(16)
        weights["cls.predictions.bias"] = torch.zeros(3)
        weights["bert.pooler.dense.bias"] = torch.zeros(16, dtype=torch.int8)

    bert.change_weights(spoil)
    message = refusal(bert.path)
    assert "bert.encoder.layer.0.output.dense.bias is missing" in message
    assert "bert.encoder.layer.7.output.dense.bias is unexpected" in message
    assert f"cls.predictions.bias is [3] instead of [{small_tokenizer().vocab_size}]" in message
    assert "bert.pooler.dense.bias holds I8" in message
    assert message.endswith("nothing was loaded")


def test_settings_and_tensors_that_disagree_are_named_in_one_bounded_line(bert: Foreign) -> None:
    bert.set_keys(hidden_size=18, num_hidden_layers=40)
    message = refusal(bert.path)
    assert "tensors and config.json do not agree" in message
    assert " more; nothing was loaded" in message
    assert len(message) < 2000


def test_a_fused_matrix_of_another_height_is_refused(encoder: Foreign) -> None:
    name = "model.layers.1.attn.Wqkv.weight"
    encoder.change_weights(lambda w: w.update({name: w[name][:-1]}))
    assert f"{name} is [47, 16] instead of [48, 16]" in refusal(encoder.path)


@pytest.mark.parametrize(("dtype", "kind"), [(torch.float16, "F16"), (torch.bfloat16, "BF16"), (torch.float64, "F64")])
def test_other_kinds_of_number_become_float32_and_it_is_told(dtype: torch.dtype, kind: str, encoder: Foreign) -> None:
    encoder.set_weights({name: each.to(dtype) for name, each in encoder.weights.items()})
    read = read_folder(encoder.path)
    assert all(each.dtype == torch.float32 for each in read.weights.values())
    expected = dict(encoder.model.named_parameters())["encoder.final_norm.weight"].to(dtype).float()
    assert torch.equal(read.weights["encoder.final_norm.weight"], expected)
    assert [(note.code, note.evidence) for note in read.notes] == [("converted", (kind,))]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none_are_refused(number: float, encoder: Foreign) -> None:
    encoder.change_weights(lambda w: w["model.layers.0.mlp.Wo.weight"].view(-1)[3:4].fill_(number))
    assert "NaN or infinite numbers in model.layers.0.mlp.Wo.weight" in refusal(encoder.path)


def test_a_next_sentence_file_that_does_not_fit_is_refused(encoder: Foreign) -> None:
    path = encoder.path / "next_sentence.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    assert str(path) in refusal(encoder.path)
    path.unlink()
    read = read_folder(encoder.path)
    assert codes(read) == ["no-next-sentence-head"]
    assert not read.config.next_sentence


def test_what_was_read_does_not_change_with_the_file(encoder: Foreign) -> None:
    read = read_folder(encoder.path)
    before = {name: each.clone() for name, each in read.weights.items()}
    path = encoder.path / "model.safetensors"
    with path.open("r+b") as handle:
        handle.seek(-2000, 2)
        handle.write(b"\x7f" * 2000)
    assert all(torch.equal(read.weights[name], each) for name, each in before.items())


# --- files --------------------------------------------------------------------------------------------------------


class Payload:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.trace, "ran")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pth", "last.ckpt"])
def test_a_pickle_is_refused_unopened_with_a_way_out(name: str, bert: Foreign, tmp_path: Path) -> None:
    (bert.path / "model.safetensors").unlink()
    torch.save({"x": Payload(tmp_path / "trace")}, bert.path / name)
    message = refusal(bert.path)
    assert f"{name}: is a pickle" in message
    assert "save_pretrained" in message
    assert not (tmp_path / "trace").exists()


def test_a_pickle_beside_safetensors_is_not_looked_at(bert: Foreign) -> None:
    (bert.path / "pytorch_model.bin").write_bytes(b"anything")
    assert same_as(read_folder(bert.path), bert)


def test_a_folder_without_weights_is_refused(bert: Foreign) -> None:
    (bert.path / "model.safetensors").unlink()
    assert "has no model.safetensors" in refusal(bert.path)


def make_shards(foreign: Foreign) -> Path:
    """The same weights in two files with an index; its path."""
    names = sorted(foreign.weights)
    parts = {"model-00001-of-00002.safetensors": names[:5], "model-00002-of-00002.safetensors": names[5:]}
    weights = foreign.weights
    for shard, part in parts.items():
        foreign.set_weights({name: weights[name] for name in part})
        (foreign.path / "model.safetensors").rename(foreign.path / shard)
    index = {
        "metadata": {"total_size": 1},
        "weight_map": {name: shard for shard, part in parts.items() for name in part},
    }
    path = foreign.path / "model.safetensors.index.json"
    path.write_text(json.dumps(index))
    return path


@pytest.mark.parametrize("shard", ["../bert/a.safetensors", "/etc/a.safetensors", "x/a.safetensors", "a.bin", "..", 7])
def test_a_shard_outside_the_folder_is_refused(shard: object, bert: Foreign) -> None:
    path = make_shards(bert)
    index = json.loads(path.read_text())
    index["weight_map"]["cls.predictions.bias"] = shard
    path.write_text(json.dumps(index))
    assert f"names the shard {shard!r}" in refusal(bert.path)


def test_a_missing_shard_and_an_index_that_lies_are_refused(bert: Foreign) -> None:
    path = make_shards(bert)
    index = json.loads(path.read_text())
    lying = {**index, "weight_map": dict(list(index["weight_map"].items())[1:])}
    path.write_text(json.dumps(lying))
    assert "does not hold what the index says (bert.embeddings.LayerNorm.bias)" in refusal(bert.path)
    path.write_text(json.dumps({"weight_map": {}}))
    assert "has no weight_map" in refusal(bert.path)
    path.write_text(json.dumps(index))
    (bert.path / "model-00002-of-00002.safetensors").unlink()
    assert "model-00002-of-00002.safetensors: no such file" in refusal(bert.path, InputMissingError)


def test_a_tokenizer_that_is_missing_is_told_and_one_that_does_not_fit_refused(bert: Foreign) -> None:
    tokenizer = bert.path / "tokenizer.json"
    content = tokenizer.read_bytes()
    tokenizer.unlink()
    read = read_folder(bert.path)
    assert read.tokenizer is None
    assert codes(read) == ["no-tokenizer"]
    tokenizer.write_bytes(content[:-10])
    assert "tokenizer.json" in refusal(bert.path)
    tokenizer.write_bytes(content)
    rows = small_tokenizer().vocab_size - 1
    bert.change_weights(
        lambda w: w.update(
            {name: w[name][:rows] for name in ("bert.embeddings.word_embeddings.weight", "cls.predictions.bias")}
        )
    )
    bert.set_keys(vocab_size=rows)
    assert f"has {rows + 1} entries, the model only {rows}" in refusal(bert.path)


@pytest.mark.parametrize("name", ["model.safetensors", "next_sentence.safetensors", "config.json", "tokenizer.json"])
def test_in_a_folder_of_ours_a_changed_file_is_named_and_the_card_may_be_edited(
    name: str, encoder: Foreign, tmp_path: Path
) -> None:
    folder = publish_model(tmp_path / "ours", encoder.model)
    (folder / "README.md").write_text("my own words")
    assert same_as(read_folder(folder), encoder)
    content = bytearray((folder / name).read_bytes())
    content[-9] ^= 1 if name.endswith("safetensors") else 0x20
    (folder / name).write_bytes(content)
    kinds = (DamagedError, DataError)
    with pytest.raises(kinds, match=name):
        read_folder(folder)
    if name.endswith("safetensors"):
        assert "does not match MANIFEST.json" in refusal(folder, DamagedError)
