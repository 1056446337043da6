"""The numbers of the model are those of Hugging Face transformers for the same weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining, ModernBertConfig, ModernBertForMaskedLM

from osnowa.exchange.families import FAMILIES, choose_family
from osnowa.model import Layout, ModelConfig, Transformer
from osnowa.runs.presets import PRESETS, resolve
from small_models import IDS, as_theirs, forward, random_model, random_rows, shrink

TIGHT = 1e-9  # float64 through three layers; a wrong epsilon or activation is 1e-6 and more
BERTS = ["bert-tiny", "bert-base"]
ENCODERS: dict[str, dict[str, object]] = {
    "plain": {},
    "windows": {"windows": (None, 4, 4), "encoder_layers": 4},
    "windows with a base of their own": {"windows": (None, 3), "rotary_bases": (10_000.0, 300.0)},
    "biases everywhere": {
        "attention_bias": True,
        "feed_forward_bias": True,
        "norm_bias": True,
        "head_transform_bias": True,
    },
    "another activation": {"activation": "silu"},
}


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference's casts to float32 (rotary angles, rotated queries and keys) become casts to float64."""
    monkeypatch.setattr(torch, "float", torch.float64)
    monkeypatch.setattr(Tensor, "float", Tensor.double)


def build_reference(model: Transformer, kind: type[nn.Module], settings: type[Any]) -> Any:
    """`kind` in float64 with the weights of `model`; all that the file would not hold is tied."""
    values = choose_family(model.config).write_settings(model.config, IDS)
    reference: Any = kind(settings(**values)).double().eval()
    missing, unexpected = reference.load_state_dict(
        as_theirs(model.config, dict(model.named_parameters())), strict=False
    )
    assert {name.rpartition("decoder.")[2] for name in missing} <= {"weight", "bias"}, missing
    assert not unexpected
    reference.tie_weights()
    return reference


def watch(modules: list[nn.Module]) -> list[Tensor]:
    """What the modules will give, in their order."""
    seen: list[Tensor] = []
    for module in modules:
        module.register_forward_hook(
            lambda _module, _inputs, out: seen.append(out[0] if isinstance(out, tuple) else out)
        )
    return seen


def assert_equal(ours: Tensor, theirs: Tensor, tolerance: float) -> None:
    assert ours.shape == theirs.shape
    distance = float((ours - theirs).abs().max() / theirs.abs().max())
    assert distance <= tolerance, f"relative distance {distance:.1e}"


def losses(logits: Tensor, pairs: Tensor, labels: Tensor, is_next: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten()) + F.cross_entropy(pairs, is_next)


@pytest.mark.parametrize("preset", BERTS)
def test_every_output_of_the_pre_training_class_with_padding_and_segments(preset: str) -> None:
    model = random_model(shrink(preset))
    reference = build_reference(model, BertForPreTraining, BertConfig)
    tokens, segments, real = random_rows(model.config)
    ours = watch([model.encoder.input_norm, *model.encoder.blocks])
    theirs = watch([reference.bert.embeddings.LayerNorm, *reference.bert.encoder.layer])
    with torch.no_grad():
        _, logits, pairs = forward(model, tokens, Layout.plain(tokens, real), segments)
        out = reference(input_ids=tokens, attention_mask=real.long(), token_type_ids=segments)
    assert_equal(logits[real], out.prediction_logits[real], TIGHT)
    assert_equal(pairs, out.seq_relationship_logits, TIGHT)
    assert len(ours) == len(theirs) == model.config.encoder_layers + 1
    for mine, other in zip(ours, theirs, strict=True):
        assert_equal(mine[real], other[real], TIGHT)


@pytest.mark.parametrize("preset", BERTS)
def test_the_gradient_of_the_total_loss_is_that_of_the_pre_training_class(preset: str) -> None:
    model = random_model(shrink(preset))
    reference = build_reference(model, BertForPreTraining, BertConfig)
    tokens, segments, real = random_rows(model.config)
    labels = torch.where(real & (torch.arange(real.size(1)) % 3 == 1), tokens.flip(1), -100)
    labels = labels.masked_fill(labels == 0, -100)
    is_next = torch.tensor([0, 1, 1])
    _, logits, pairs = forward(model, tokens, Layout.plain(tokens, real), segments)
    total = losses(logits, pairs, labels, is_next)
    total.backward()
    out = reference(
        input_ids=tokens,
        attention_mask=real.long(),
        token_type_ids=segments,
        labels=labels,
        next_sentence_label=is_next,
    )
    out.loss.backward()
    assert_equal(total.detach(), out.loss.detach(), TIGHT)
    gradients = as_theirs(
        model.config, {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    )
    expected = {name: each.grad for name, each in reference.named_parameters()}
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        if name.endswith(
            "self.key.bias"
        ):  # moves all scores of a query alike: no effect, and only noise for a gradient
            assert float(gradient.abs().max()) < TIGHT
        else:
            assert_equal(gradient, expected[name], TIGHT)


def test_without_the_next_sentence_head_it_is_the_masked_language_model() -> None:
    model = random_model(shrink("bert-tiny", next_sentence=False))
    reference = build_reference(model, BertForMaskedLM, BertConfig)
    tokens, segments, real = random_rows(model.config)
    with torch.no_grad():
        _, logits = forward(model, tokens, Layout.plain(tokens, real), segments)
        out = reference(input_ids=tokens, attention_mask=real.long(), token_type_ids=segments)
    assert_equal(logits[real], out.logits[real], TIGHT)


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu", "silu"])
def test_every_activation_is_the_one_that_its_name_says(activation: str) -> None:
    model = random_model(shrink("bert-tiny", activation=activation, next_sentence=False))
    reference = build_reference(model, BertForMaskedLM, BertConfig)
    tokens, segments, _ = random_rows(model.config)
    with torch.no_grad():
        out = reference(input_ids=tokens, token_type_ids=segments)
        assert_equal(forward(model, tokens, Layout.plain(tokens), segments)[1], out.logits, TIGHT)


@pytest.mark.parametrize("changes", ENCODERS.values(), ids=ENCODERS.keys())
@pytest.mark.usefixtures("wide")
def test_every_output_of_the_rotary_class_once_its_casts_are_wide(changes: dict[str, object]) -> None:
    config = shrink("encoder-mini", next_sentence=False, **changes)
    check_encoder(config, TIGHT)


@pytest.mark.parametrize("changes", ENCODERS.values(), ids=ENCODERS.keys())
def test_every_output_of_the_rotary_class_as_it_is(changes: dict[str, object]) -> None:
    """It turns queries and keys in float32, whose step is 6e-8; three layers make it some 1e-6."""
    config = shrink("encoder-mini", next_sentence=False, **changes)
    check_encoder(config, 1e-5)


def check_encoder(config: ModelConfig, tolerance: float) -> None:
    model = random_model(config)
    reference = build_reference(model, ModernBertForMaskedLM, ModernBertConfig)
    tokens, _, real = random_rows(config)
    ours = watch([model.encoder.input_norm, *model.encoder.blocks, model.encoder.final_norm])
    theirs = watch([reference.model.embeddings.norm, *reference.model.layers, reference.model.final_norm])
    with torch.no_grad():
        _, logits = forward(model, tokens, Layout.plain(tokens, real))
        out = reference(input_ids=tokens, attention_mask=real.long())
    assert_equal(logits[real], out.logits[real], tolerance)
    assert len(ours) == len(theirs) == config.encoder_layers + 2
    for mine, other in zip(ours, theirs, strict=True):
        assert_equal(mine[real], other[real], tolerance)


@pytest.mark.parametrize("preset", [name for name in PRESETS if name.startswith("bert-")])
def test_parameter_counts_are_those_of_the_published_class(preset: str) -> None:
    config = ModelConfig.read("model", resolve(preset).sections["model"])
    settings = BertConfig(**FAMILIES["bert"].write_settings(config, IDS))
    with torch.device("meta"):
        reference = BertForPreTraining(settings)
    assert settings.vocab_size == 30_522
    assert resolve(preset).parameters == sum(each.numel() for each in reference.parameters())
