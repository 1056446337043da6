"""The numbers of decoders are those of Hugging Face transformers for the same weights, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers
from torch import Tensor

from osnowa.exchange.families import choose_family
from osnowa.model import Layout, ModelConfig, Transformer
from osnowa.runs.presets import FAMILIES as PRESET_FAMILIES
from osnowa.runs.presets import PRESETS, resolve
from small_models import IDS, as_theirs, forward, random_model, random_rows, shrink

TIGHT = 1e-9  # float64 through six layers; a wrong epsilon or activation is 1e-6 and more
CLASSES = {
    "openai-gpt": "OpenAIGPTLMHeadModel",
    "gpt2": "GPT2LMHeadModel",
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "mixtral": "MixtralForCausalLM",
    "gemma": "GemmaForCausalLM",
    "gemma2": "Gemma2ForCausalLM",
    "gemma3_text": "Gemma3ForCausalLM",
}
# Windows are 5 wide in rows of 24, and shrunk presets keep grouped queries; max_positions = 32 lets the stretch matter.
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt1": ("openai-gpt", {}),
    "gpt2": ("gpt2", {}),
    "gpt2 with its own projection": ("gpt2", {"tie_embeddings": False, "activation": "gelu", "d_ff": 48}),
    "gpt3 whose band covers the row": ("gpt2", {"windows": (None,)}),
    "llama": ("llama", {}),
    "llama2": ("llama", {"num_kv_heads": 2}),
    "llama3": ("llama", {}),
    "llama3 stretched": ("llama", {"rotary_stretch": (8.0, 1.0, 4.0, 16.0), "max_positions": 32}),
    "llama with a linear factor": ("llama", {"rotary_factors": (4.0,), "tie_embeddings": True}),
    "llama with biases": ("llama", {"attention_bias": True, "feed_forward_bias": True, "activation": "gelu"}),
    "llama with wide heads": ("llama", {"d_head": 14}),
    "mistral": ("mistral", {}),
    "mistral with heads that do not divide the width": ("mistral", {"num_heads": 3, "num_kv_heads": 1, "d_head": 6}),
    "mixtral": ("mixtral", {}),
    "mixtral with windows and one expert a token": ("mixtral", {"windows": (5,), "experts_per_token": 1}),
    "gemma": ("gemma", {}),
    "gemma with its own projection and biases": ("gemma", {"tie_embeddings": False, "attention_bias": True}),
    "gemma2": ("gemma2", {}),
    "gemma2 with a scale of its own": ("gemma2", {"attention_scale": 144**-0.5, "num_kv_heads": 1}),
    "gemma3": ("gemma3_text", {}),
    "gemma3 with a factor": ("gemma3_text", {"rotary_factors": (1.0,) * 5 + (8.0,), "logit_softcap": 20.0}),
}

DECODERS = [
    preset.name
    for family in PRESET_FAMILIES.values()
    for preset in family.presets
    if not resolve(preset.name).sections["model"]["encoder_layers"]
]


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The reference's float32 becomes float64: norms, softmax, router, rotary angles, and the scale of embeddings.

    It writes these casts as `torch.float`, `torch.float32` and `Tensor.float()`, and makes two constants (the scale of
    the embeddings, the rotary rates) in the default type.
    """
    monkeypatch.setattr(torch, "float", torch.float64)
    monkeypatch.setattr(torch, "float32", torch.float64)
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    monkeypatch.undo()
    torch.set_default_dtype(torch.float32)


def build(name: str) -> tuple[Transformer, Any]:
    """Our model, and the reference with its weights."""
    kind, changes = SHAPES[name]
    model = random_model(shrink(name.split(" ")[0], **changes))
    family = choose_family(model.config)
    assert (family.model_type, family.class_name(model.config)) == (kind, CLASSES[kind])
    return model, reference_of(model)


def reference_of(model: Transformer) -> Any:
    reference = empty_reference(model.config).double().eval()
    names = [name for name, _ in reference.named_parameters()]
    weights = as_theirs(model.config, dict(model.named_parameters()), names)
    assert weights.keys() == set(names)
    reference.load_state_dict(weights, strict=False)
    return reference


def empty_reference(config: ModelConfig) -> Any:
    family = choose_family(config)
    kind = getattr(transformers, CLASSES[family.model_type])
    plain = {"attn_implementation": "eager", "experts_implementation": "eager"}
    settings = kind.config_class(**family.write_settings(config, IDS), **plain)
    return kind(settings)


def assert_equal(ours: Tensor, theirs: Tensor, tolerance: float) -> None:
    assert ours.shape == theirs.shape
    assert theirs.dtype == torch.float64
    distance = float((ours - theirs).abs().max() / theirs.abs().max())
    assert distance <= tolerance, f"relative distance {distance:.1e}"


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.usefixtures("wide")
def test_logits_and_every_gradient_of_the_loss_once_the_casts_are_wide(name: str) -> None:
    model, reference = build(name)
    tokens, _, real = random_rows(model.config)
    logits = forward(model, tokens, Layout.plain(tokens, real))[1]
    labels = tokens.masked_fill(~real, -100)
    loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
    routed = {"output_router_logits": True} if model.config.num_experts else {}
    if routed:
        balance = model.balance_loss(real)
        assert balance is not None
        loss = loss + model.config.balance_weight * balance
    loss.backward()
    out = reference(input_ids=tokens, attention_mask=real.long(), labels=labels, **routed)
    out.loss.backward()
    assert_equal(logits.detach()[real], out.logits.detach()[real], TIGHT)
    assert_equal(loss.detach(), out.loss.detach(), TIGHT)
    theirs = {name: each.grad for name, each in reference.named_parameters()}
    gradients = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    ours = as_theirs(model.config, gradients, theirs.keys())
    assert ours.keys() == theirs.keys()
    for each, gradient in ours.items():
        assert_equal(gradient, theirs[each], TIGHT)


@pytest.mark.parametrize("name", SHAPES)
def test_logits_of_the_class_as_it_is(name: str) -> None:
    """Its norms, softmax and angles are float32, whose step is 6e-8; six layers of random weights make it some 1e-6.

    Without padding: in float64 its mask is -1.8e308, which the float32 softmax makes an infinity, and a place of padding
    whose whole window is padding a NaN.
    """
    model, reference = build(name)
    tokens, _, real = random_rows(model.config)
    tokens = torch.where(real, tokens, 7)
    with torch.no_grad():
        assert_equal(forward(model, tokens, Layout.plain(tokens))[1], reference(input_ids=tokens).logits, 1e-5)


def test_every_decoder_family_has_a_reference_or_says_that_it_has_none() -> None:
    compared = {name.split(" ")[0] for name in SHAPES}
    assert {name.rsplit("-", 1)[0] for name in DECODERS} == compared
    assert "no published class" in PRESETS["gpt3-125m"].note


@pytest.mark.parametrize("preset", ["gpt3-tiny", "gpt3-1.3b"])
def test_banded_layers_are_those_of_an_independent_reference(preset: str) -> None:
    """Dense and banded attention in turn, written out place by place; the first with wide heads as in table 2.1."""
    config = shrink(preset, decoder_layers=4)
    assert config.windows == (None, 5)
    model = random_model(config)
    tokens, _, _ = random_rows(config, rows=2)
    weights = {name: each.detach() for name, each in model.named_parameters()}
    expected = torch.stack([banded(weights, config, row.tolist()) for row in tokens])
    with torch.no_grad():
        assert_equal(forward(model, tokens, Layout.plain(tokens))[1], expected, TIGHT)


def banded(weights: dict[str, Tensor], config: ModelConfig, tokens: list[int]) -> Tensor:
    """Logits [seq, vocab] of a pre-norm decoder (Brown et al. 2020), one place and one head at a time."""

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x: Tensor, name: str) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        spread = (centred.square().mean(-1, keepdim=True) + config.norm_eps).sqrt()
        return centred / spread * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    x = torch.stack(
        [
            weights["embedding.token.weight"][t] + weights["decoder.position.table.weight"][i]
            for i, t in enumerate(tokens)
        ]
    )
    for layer in range(config.decoder_layers):
        block = f"decoder.blocks.{layer}"
        inside = norm(x, f"{block}.attention_residual.norm_in")
        query, key, value = (linear(inside, f"{block}.attention.{each}") for each in ("query", "key", "value"))
        context = torch.zeros_like(query)
        for place in range(len(tokens)):
            first = 0 if layer % 2 == 0 else max(0, place - 4)
            for head in range(config.num_heads):
                part = slice(head * config.head_width, (head + 1) * config.head_width)
                scores = key[first : place + 1, part] @ query[place, part] / config.head_width**0.5
                context[place, part] = scores.softmax(0) @ value[first : place + 1, part]
        x = x + linear(context, f"{block}.attention.output")
        inside = linear(norm(x, f"{block}.feed_forward_residual.norm_in"), f"{block}.feed_forward.up")
        cubed = inside + 0.044715 * inside**3
        x = x + linear(0.5 * inside * (1 + torch.tanh((2 / torch.pi) ** 0.5 * cubed)), f"{block}.feed_forward.down")
    return norm(x, "decoder.final_norm") @ weights["embedding.token.weight"].T


@pytest.mark.parametrize("preset", DECODERS)
def test_parameter_counts_are_those_of_the_published_class(preset: str) -> None:
    config = ModelConfig.read("model", resolve(preset).sections["model"])
    nearest = config
    if preset.startswith("gpt3"):  # windows have no parameters; heads wider than the width divided by them do
        nearest = config.changed(windows=(None,), d_head=None, num_heads=1)
    with torch.device("meta"):
        reference = empty_reference(nearest)
    counted = sum(each.numel() for each in reference.parameters())
    wider = config.num_heads * config.head_width - config.d_model
    assert resolve(preset).parameters == counted + config.decoder_layers * wider * (4 * config.d_model + 3) * (
        nearest is not config
    )
