"""Encoder-decoders, and the encoder without next sentence, compute what the classes of transformers compute.

Everything is float64, with padding in source and target. Where a class casts to float32 on its way, its logits are
compared as they are (1e-5), and logits and gradients with those casts made float64 (1e-9).
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers
from torch import Tensor, nn

from osnowa.exchange.families import choose_family
from osnowa.exchange.t5 import OWN_HEAD
from osnowa.model import Layout, ModelConfig, Transformer
from osnowa.runs.presets import FAMILIES, resolve
from small_models import IDS, as_theirs, forward, random_model, random_rows, shrink
from small_seq2seq import Pairs, forward_pairs, random_pairs, shrink_pairs

TIGHT, LOOSE = 1e-9, 1e-5
NOISE = 1e-12  # a gradient that is zero but for rounding

# The class of the 2017 model makes its table of sines in float32; the class with RMSNorm takes its means in float32.
CASTING: dict[str, ModelConfig] = {
    "transformer-base": shrink_pairs("transformer-base"),
    "transformer-big": shrink_pairs("transformer-big"),
    "transformer with a bias of the logits": shrink_pairs("transformer-base", head_bias=True, activation="silu"),
    "t5-small": shrink_pairs("t5-small"),
    "t5-3b": shrink_pairs("t5-3b", relative_buckets=8, relative_furthest=9),
    "t5 with another activation": shrink_pairs("t5-small", activation="gelu"),
    "t5-v1.1-small": shrink_pairs("t5-v1.1-small"),
    "t5-v1.1 with another gate": shrink_pairs("t5-v1.1-small", activation="silu"),
}
EXACT: dict[str, ModelConfig] = {
    "bart-base": shrink_pairs("bart-base"),
    "bart-large": shrink_pairs("bart-large"),
    "bart with scaled embeddings": shrink_pairs("bart-base", embedding_scale=32**0.5, activation="gelu_tanh"),
    "bart with a bias of the logits": shrink_pairs("bart-base", head_bias=True),
}
FULL = [
    preset.name
    for family in ("roberta", "modernbert", "transformer", "t5", "t5-v1.1", "bart")
    for preset in FAMILIES[family].presets
    if "vocab_size" not in preset.changes["model"] or preset.name == f"{family}-{FAMILIES[family].published}"
]
# As the published checkpoints have them.
PUBLISHED = {
    "roberta-base": 124_697_433,
    "roberta-large": 355_412_057,
    "modernbert-base": 149_655_232,
    "t5-small": 60_506_624,
    "t5-base": 222_903_552,
    "t5-large": 737_668_096,
    "t5-v1.1-small": 76_961_152,
    "t5-v1.1-base": 247_577_856,
    "t5-v1.1-large": 783_150_080,
    "bart-base": 139_420_416,
    "bart-large": 406_291_456,
}


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference's casts to float32 become casts to float64."""
    monkeypatch.setattr(torch, "float32", torch.float64)
    monkeypatch.setattr(torch, "FloatTensor", torch.DoubleTensor)
    monkeypatch.setattr(Tensor, "float", Tensor.double)


def make_class(config: ModelConfig) -> Any:
    """The class that our config.json names, as that file describes it."""
    family = choose_family(config)
    settings = transformers.AutoConfig.for_model(family.model_type, **family.write_settings(config, IDS))
    settings._attn_implementation = "eager"
    return getattr(transformers, family.class_name(config))(settings)


@torch.no_grad()
def build_reference(model: Transformer) -> Any:
    """The class in float64 with the weights of `model`."""
    reference = make_class(model.config).double().eval()
    weights = as_theirs(model.config, dict(model.named_parameters()))
    if OWN_HEAD in weights:  # transformers 5 ties in the constructor, and unties what a file says is not equal
        reference.lm_head.weight = nn.Parameter(torch.empty_like(reference.lm_head.weight))
    for module in reference.modules():
        if hasattr(module, "create_weight"):
            module.weight.copy_(module.create_weight())
    missing, unexpected = reference.load_state_dict(weights, strict=False)
    assert not unexpected
    known = ("embed_tokens.weight", "embed_positions.weight", "lm_head.weight", "decoder.weight", "decoder.bias")
    assert all(name.endswith((*known, "final_logits_bias")) for name in missing), missing
    return reference


def ask(reference: Any, pairs: Pairs) -> Any:
    return reference(
        input_ids=pairs.source,
        attention_mask=pairs.source_real.long(),
        decoder_input_ids=pairs.target,
        decoder_attention_mask=pairs.target_real.long(),
        labels=pairs.labels,
    )


def assert_equal(ours: Tensor, theirs: Tensor, tolerance: float, name: str = "") -> None:
    ours, theirs = ours.detach(), theirs.detach()
    assert ours.shape == theirs.shape, name
    scale = float(theirs.abs().max())
    assert scale > NOISE, f"{name}: nothing to compare"
    distance = float((ours - theirs).abs().max()) / scale
    assert distance <= tolerance, f"{name}: relative distance {distance:.1e}"


def compare(config: ModelConfig, tolerance: float) -> tuple[Transformer, Any]:
    """Memory, logits and loss; the two models with the loss's gradients."""
    model = random_model(config)
    reference, pairs = build_reference(model), random_pairs(config)
    memory, _, logits = forward_pairs(model, pairs)
    out = ask(reference, pairs)
    assert_equal(memory[pairs.source_real], out.encoder_last_hidden_state[pairs.source_real], tolerance)
    assert_equal(logits[pairs.target_real], out.logits[pairs.target_real], tolerance)
    loss = F.cross_entropy(logits.flatten(0, 1), pairs.labels.flatten())
    assert_equal(loss, out.loss, tolerance)
    loss.backward()
    out.loss.backward()
    return model, reference


def compare_gradients(model: Transformer, reference: Any) -> None:
    """The gradient for every parameter."""
    ours = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    assert len(ours) == len(list(model.parameters())), "a parameter that nothing flows through"
    gradients = as_theirs(model.config, ours)
    gradients.pop("final_logits_bias", None)  # a buffer there
    expected = {name: each.grad for name, each in reference.named_parameters() if each.requires_grad}
    assert gradients.keys() == expected.keys()
    largest = max(float(each.abs().max()) for each in gradients.values())
    for name, gradient in gradients.items():
        if name.endswith(("k_proj.bias", "self.key.bias")):  # moves all scores of a query alike: no effect
            assert float(gradient.abs().max()) < NOISE * largest, name
        else:
            assert_equal(gradient, expected[name], TIGHT, name)


@pytest.mark.parametrize("config", EXACT.values(), ids=EXACT.keys())
def test_logits_and_gradients_of_a_class_without_casts(config: ModelConfig) -> None:
    compare_gradients(*compare(config, TIGHT))


@pytest.mark.parametrize("config", CASTING.values(), ids=CASTING.keys())
@pytest.mark.usefixtures("wide")
def test_logits_and_gradients_once_the_casts_are_wide(config: ModelConfig) -> None:
    compare_gradients(*compare(config, TIGHT))


@pytest.mark.parametrize("config", CASTING.values(), ids=CASTING.keys())
def test_logits_of_the_class_as_it_is(config: ModelConfig) -> None:
    compare(config, LOOSE)


@pytest.mark.parametrize("preset", ["roberta-base", "roberta-tiny"])
def test_the_masked_language_model_without_next_sentence_with_padding(preset: str) -> None:
    model = random_model(shrink(preset))
    reference = build_reference(model)
    tokens, _, real = random_rows(model.config)
    labels = torch.where(real & (torch.arange(real.size(1)) % 3 == 1), tokens.flip(1), -100)
    labels = labels.masked_fill(labels == 0, -100)
    logits = forward(model, tokens, Layout.plain(tokens, real))[1]
    out = reference(input_ids=tokens, attention_mask=real.long(), labels=labels)
    assert_equal(logits[real], out.logits[real], TIGHT)
    F.cross_entropy(logits.flatten(0, 1), labels.flatten()).backward()
    out.loss.backward()
    compare_gradients(model, reference)


@pytest.mark.parametrize("preset", FULL)
def test_parameter_counts_are_those_of_the_class(preset: str) -> None:
    config = ModelConfig.read("model", resolve(preset).sections["model"])
    with torch.device("meta"):
        reference = make_class(config)
    count = sum(each.numel() for each in reference.parameters() if each.requires_grad)
    if not config.tie_embeddings:  # tied in the constructor of transformers 5, see `build_reference`
        count += config.vocab_size * config.d_model
    assert resolve(preset).parameters == count
    if preset in PUBLISHED:
        # Published with padding as id 1: one more row before the first position.
        extra = config.d_model if config.position_offset == 1 else 0
        assert count + extra == PUBLISHED[preset]


# --- the 2017 model against torch's own ----------------------------------------------------------------------------


def build_torch(model: Transformer) -> nn.Transformer:
    """torch.nn.Transformer with the weights of `model`, without the norms behind the stacks, which the paper has not."""
    config = model.config
    plain = nn.Transformer(
        config.d_model,
        config.num_heads,
        config.encoder_layers,
        config.decoder_layers,
        config.d_ff,
        dropout=0.0,
        batch_first=True,
        dtype=torch.float64,
    )
    plain.encoder.norm = plain.decoder.norm = None  # type: ignore[assignment]
    ours = dict(model.named_parameters())
    theirs = {name: torch.empty(0) for name in plain.state_dict()}
    for name in theirs:
        stack, _, layer, *part, kind = name.split(".")
        block = f"{stack}.blocks.{layer}"
        attention = {"self_attn": "attention", "multihead_attn": "cross_attention"}.get(part[0], "")
        if kind.startswith("in_proj"):
            matrices = [ours[f"{block}.{attention}.{each}.{kind[8:]}"] for each in ("query", "key", "value")]
            theirs[name] = torch.cat(matrices).detach()
            continue
        residuals = ["attention_residual", "cross_residual", "feed_forward_residual"]
        if stack == "encoder":
            del residuals[1]
        place = {
            "linear1": "feed_forward.up",
            "linear2": "feed_forward.down",
            **{f"norm{number}": f"{each}.norm_after" for number, each in enumerate(residuals, 1)},
        }.get(part[0], f"{attention}.output")
        theirs[name] = ours[f"{block}.{place}.{kind}"].detach()
    plain.load_state_dict(theirs)
    return plain


def sines(length: int, width: int) -> Tensor:
    """Section 3.5 of the paper, number by number; sines in the first half of the columns, cosines in the second."""
    table = torch.empty(length, width, dtype=torch.float64)
    for position in range(length):
        for pair in range(width // 2):
            angle = torch.tensor(position / 10_000 ** (2 * pair / width), dtype=torch.float64)
            table[position, pair], table[position, width // 2 + pair] = angle.sin(), angle.cos()
    return table


def test_the_model_of_2017_is_torchs_own_between_its_embeddings_and_its_projection() -> None:
    model = random_model(shrink_pairs("transformer-base", dropout=0.0))
    config, pairs, plain = model.config, random_pairs(model.config), build_torch(model)
    vectors = model.embedding.token.weight.detach().clone().requires_grad_()
    embedded = [
        vectors[tokens] * config.d_model**0.5 + sines(tokens.size(1), config.d_model)
        for tokens in (pairs.source, pairs.target)
    ]
    length = pairs.target.size(1)
    hidden = plain(
        *embedded,
        tgt_mask=torch.ones(length, length, dtype=torch.bool).triu(1),
        src_key_padding_mask=~pairs.source_real,
        tgt_key_padding_mask=~pairs.target_real,
        memory_key_padding_mask=~pairs.source_real,
    )
    expected = hidden @ vectors.T
    _, _, logits = forward_pairs(model, pairs)
    assert_equal(logits[pairs.target_real], expected[pairs.target_real], TIGHT)
    for each in (logits, expected):
        F.cross_entropy(each.flatten(0, 1), pairs.labels.flatten()).backward()
    gradient, wanted = model.embedding.token.weight.grad, vectors.grad
    assert gradient is not None
    assert wanted is not None
    assert_equal(gradient, wanted, TIGHT)
    up, linear = model.encoder.blocks[0].feed_forward.up.weight.grad, plain.encoder.layers[0].linear1.weight.grad
    assert_equal(up, linear, TIGHT)
