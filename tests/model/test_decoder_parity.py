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
