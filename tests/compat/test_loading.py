"""A folder of ours loads in Hugging Face transformers with equal logits and equal ids, and one of theirs loads here.

These tests run with the version of `make test` (5) and with that of `make test-compat` (4.57).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    AutoModelForMaskedLM,
    AutoTokenizer,
    BertForPreTraining,
    ModernBertConfig,
    ModernBertForMaskedLM,
)

from osnowa.exchange import read_folder
from osnowa.model import Layout, ModelConfig, Transformer
from small_models import forward, publish_model, random_model, random_rows, shrink, small_tokenizer

VOCABULARY = small_tokenizer().vocab_size
SHAPES: dict[str, ModelConfig] = {
    "bert": shrink("bert-mini", vocab_size=VOCABULARY),
    "bert without next-sentence": shrink("bert-mini", vocab_size=VOCABULARY, next_sentence=False),
    "encoder": shrink("encoder-mini", vocab_size=VOCABULARY),
    "encoder with windows": shrink(
        "encoder-mini",
        vocab_size=VOCABULARY,
        encoder_layers=4,
        windows=(None, 4, 4),
        rotary_bases=(9000.0, 300.0, 300.0),
    ),
    "encoder with an odd window at every second layer": shrink(
        "encoder-mini", vocab_size=VOCABULARY, windows=(None, 3)
    ),
    "encoder with biases": shrink(
        "encoder-mini",
        vocab_size=VOCABULARY,
        attention_bias=True,
        feed_forward_bias=True,
        norm_bias=True,
        head_transform_bias=True,
        activation="gelu_tanh",
    ),
}
LOSS_OF_HEADS = {  # what AutoModelForMaskedLM has no place for in the folder of a BertForPreTraining
    "bert.pooler.dense.bias",
    "bert.pooler.dense.weight",
    "cls.seq_relationship.bias",
    "cls.seq_relationship.weight",
}
TEXTS = [
    "Zażółć gęślą jaźń!",
    "Babcia codziennie rano czyta długą książkę w ogrodzie.",
    "The baker reads a thick book by the river, e.g. when wet.",
    "„Dzień dobry” — powiedział kot, choć padało… 3,5 kg\n\tjabłek 🙂 漢字 w  dwóch   odstępach",
    "x" * 150,
    "",
]
FLOAT32 = 2e-5  # relative distance of two orders of summation in float32, three layers


@pytest.fixture(params=SHAPES, scope="module")
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Transformer]:
    """A folder, and the model that was written into it."""
    model = random_model(SHAPES[request.param], dtype=torch.float32)
    return publish_model(tmp_path_factory.mktemp("exchange") / "model", model), model


def load(kind: Any, folder: Path, unexpected: set[str]) -> Any:
    """`kind` from the folder; every tensor found its place."""
    model, told = kind.from_pretrained(folder, output_loading_info=True)
    assert not told["missing_keys"]
    assert not told["mismatched_keys"]
    assert set(told["unexpected_keys"]) == unexpected
    return model.eval()


def assert_near(ours: Tensor, theirs: Tensor) -> None:
    assert theirs.dtype == torch.float32
    distance = float((ours - theirs).detach().abs().max() / theirs.detach().abs().max())
    assert distance <= FLOAT32, f"relative distance {distance:.1e}"


def test_the_masked_language_model_gives_equal_logits(written: tuple[Path, Transformer]) -> None:
    folder, model = written
    bert = model.config.num_segments > 0
    theirs = load(AutoModelForMaskedLM, folder, LOSS_OF_HEADS if bert and model.config.next_sentence else set())
    tokens, segments, real = random_rows(model.config)
    inputs = {"input_ids": tokens, "attention_mask": real.long()} | ({"token_type_ids": segments} if bert else {})
    with torch.no_grad():
        expected = theirs(**inputs).logits
        assert_near(forward(model, tokens, Layout.plain(tokens, real), segments)[1][real], expected[real])


@pytest.mark.parametrize("written", ["bert"], indirect=True)
def test_the_pre_training_class_gives_equal_logits_of_both_heads(written: tuple[Path, Transformer]) -> None:
    folder, model = written
    theirs = load(BertForPreTraining, folder, set())
    tokens, segments, real = random_rows(model.config)
    with torch.no_grad():
        out = theirs(input_ids=tokens, attention_mask=real.long(), token_type_ids=segments)
        _, logits, pairs = forward(model, tokens, Layout.plain(tokens, real), segments)
    assert_near(logits[real], out.prediction_logits[real])
    assert_near(pairs, out.seq_relationship_logits)


def test_the_tokenizer_gives_equal_ids_and_segments(written: tuple[Path, Transformer]) -> None:
    folder, model = written
    ours, theirs = small_tokenizer(), AutoTokenizer.from_pretrained(folder)
    assert theirs.is_fast
    assert theirs.model_max_length == model.config.max_positions
    for name in ("pad", "cls", "sep", "mask", "unk"):
        assert getattr(theirs, f"{name}_token_id") == getattr(ours, name)
    for text in TEXTS:
        assert theirs(text)["input_ids"] == [ours.cls, *ours.encode(text), ours.sep]
    first, second = ours.encode(TEXTS[0]), ours.encode(TEXTS[1])
    pair = theirs(TEXTS[0], TEXTS[1])
    assert pair["input_ids"] == [ours.cls, *first, ours.sep, *second, ours.sep]
    segments = [0] * (len(first) + 2) + [1] * (len(second) + 1)
    assert pair.get("token_type_ids") == (segments if model.config.num_segments else None)
    assert theirs("kot [MASK]")["input_ids"][-2] == ours.mask


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_other_kinds_of_tokenizer_give_equal_ids(kind: Any, tmp_path: Path) -> None:
    ours = small_tokenizer(kind)
    model = random_model(shrink("encoder-tiny", vocab_size=ours.vocab_size), dtype=torch.float32)
    theirs = AutoTokenizer.from_pretrained(publish_model(tmp_path / "model", model, ours))
    for text in TEXTS:
        assert theirs(text)["input_ids"] == [ours.cls, *ours.encode(text), ours.sep]


def test_what_they_save_again_comes_back_with_equal_tensors(written: tuple[Path, Transformer], tmp_path: Path) -> None:
    folder, model = written
    kind = BertForPreTraining if model.config.num_segments and model.config.next_sentence else AutoModelForMaskedLM
    kind.from_pretrained(folder).save_pretrained(tmp_path / "theirs", safe_serialization=True)
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "theirs")
    back = read_folder(tmp_path / "theirs")
    weights = dict(model.named_parameters())
    kept = {name for name in weights if model.config.num_segments or not name.startswith("next_sentence.")}
    assert back.weights.keys() == kept
    assert all(torch.equal(back.weights[name], weights[name]) for name in kept)
    assert back.config == model.config.changed(next_sentence=back.config.next_sentence)
    assert back.tokenizer is not None
    assert [back.tokenizer.encode(text) for text in TEXTS] == [small_tokenizer().encode(text) for text in TEXTS]


def test_a_model_of_theirs_gives_equal_logits_here(tmp_path: Path) -> None:
    """Their own defaults: windows of 128, two rotary bases, every third layer without a window."""
    settings = ModernBertConfig(
        vocab_size=90, hidden_size=32, intermediate_size=48, num_hidden_layers=4, num_attention_heads=4, pad_token_id=0
    )
    torch.manual_seed(0)
    theirs = ModernBertForMaskedLM(settings).eval()
    theirs.save_pretrained(tmp_path, safe_serialization=True)
    back = read_folder(tmp_path)
    assert back.config.windows == (None, 65, 65)
    assert back.config.rotary_bases == (160_000.0, 10_000.0, 10_000.0)
    model = Transformer(back.config).eval()
    model.load_state_dict(back.weights, strict=False)
    tokens, _, real = random_rows(back.config, length=100)
    with torch.no_grad():
        expected = theirs(input_ids=tokens, attention_mask=real.long()).logits
        assert_near(forward(model, tokens, Layout.plain(tokens, real))[1][real], expected[real])
