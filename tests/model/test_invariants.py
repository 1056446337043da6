"""What holds for every preset, whatever its parts."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from osnowa.model import Layout, ModelConfig, Tap, Transformer, attention, initialise
from osnowa.model.cache import Cache
from osnowa.model.dropout import Dropout
from osnowa.model.mask import additive
from osnowa.model.position import Rotation
from osnowa.runs.presets import PRESETS
from small_models import LENGTH, distinct, forward, random_model, random_rows, shrink

NARROW = {"windows": (None, 4), "rotary_bases": (10_000.0, 500.0)}


SHAPES: dict[str, ModelConfig] = {
    **distinct(PRESETS, shrink),
    "decoder with shared keys, biases and a stretch": shrink(
        "llama-tiny", num_heads=4, d_model=32, num_kv_heads=2, attention_bias=True, rotary_stretch=(8.0, 1.0, 4.0, 16.0)
    ),
    "encoder with windows": shrink("encoder-mini", **NARROW),
    "encoder with shared keys": shrink("encoder-mini", num_kv_heads=2),
    "encoder with wide heads": shrink("encoder-mini", d_head=16),
}
every_shape = pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())


def only(*topologies: str) -> pytest.MarkDecorator:
    chosen = {name: config for name, config in SHAPES.items() if config.topology in topologies}
    return pytest.mark.parametrize("config", chosen.values(), ids=chosen.keys())


CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def make_decoder(**changes: object) -> ModelConfig:
    layers = {"encoder_layers": 0, "decoder_layers": 3, "next_sentence": False}
    return shrink("encoder-mini", **(layers | changes))


@every_shape
def test_two_packed_documents_are_each_as_if_alone(config: ModelConfig) -> None:
    model = random_model(config)
    tokens, segments, _ = random_rows(config, rows=1)
    cut = LENGTH // 3
    layout = Layout(
        positions=torch.cat((torch.arange(cut), torch.arange(LENGTH - cut)))[None],
        document_ids=(torch.arange(LENGTH) >= cut).long()[None] + 1,
    )
    hidden, logits, *_ = forward(model, tokens, layout, segments)
    for part in (slice(0, cut), slice(cut, LENGTH)):
        alone = tokens[:, part]
        expected = forward(model, alone, Layout.plain(alone), segments[:, part])
        torch.testing.assert_close(hidden[:, part], expected[0], **CLOSE)
        torch.testing.assert_close(logits[:, part], expected[1], **CLOSE)


@every_shape
def test_padding_changes_nothing(config: ModelConfig) -> None:
    model = random_model(config)
    tokens, segments, real = random_rows(config)
    padded = forward(model, tokens, Layout.plain(tokens, real), segments)
    for row, length in enumerate(real.sum(1).tolist()):
        alone = tokens[row : row + 1, :length]
        expected = forward(model, alone, Layout.plain(alone), segments[row : row + 1, :length])
        torch.testing.assert_close(padded[1][row : row + 1, :length], expected[1], **CLOSE)
        if config.next_sentence:
            torch.testing.assert_close(padded[2][row : row + 1], expected[2], **CLOSE)
    other = torch.where(real, tokens, 7)  # nobody looks at what stands there
    torch.testing.assert_close(
        forward(model, other, Layout.plain(other, real), segments)[1][real], padded[1][real], **CLOSE
    )


@only("encoder")
def test_an_encoder_looks_at_later_tokens(config: ModelConfig) -> None:
    model = random_model(config)
    tokens, segments, _ = random_rows(config, rows=1)
    changed = tokens.clone()
    changed[0, -1] = tokens[0, -1] - 1
    before, after = (forward(model, each, Layout.plain(each), segments)[0] for each in (tokens, changed))
    assert bool(((after - before).abs().amax(-1) > 1e-6).all()), "some place does not see the last token"


@only("decoder", "encoder-decoder")
@torch.no_grad()
def test_a_decoder_does_not_look_at_later_tokens(config: ModelConfig) -> None:
    model = random_model(config)
    tokens, _, _ = random_rows(config, rows=1)
    layout = Layout.plain(tokens)
    memory = (model.encode(tokens, layout), layout) if config.encoder_layers else (None, None)
    for place in (LENGTH - 1, LENGTH // 2):
        changed = tokens.clone()
        changed[0, place] = tokens[0, place] - 1
        before, after = (model.decode(each, layout, *memory) for each in (tokens, changed))
        torch.testing.assert_close(before[:, :place], after[:, :place], **CLOSE)
        assert float((before[:, place] - after[:, place]).abs().max()) > 1e-6


@only("encoder", "decoder")
@torch.no_grad()
def test_a_token_is_seen_as_far_as_the_windows_of_all_layers_reach_and_no_further(config: ModelConfig) -> None:
    model = random_model(config)
    tokens, segments, _ = random_rows(config, rows=1)
    changed = tokens.clone()
    changed[0, 0] = tokens[0, 0] - 1
    before, after = (forward(model, each, Layout.plain(each), segments)[0] for each in (tokens, changed))
    moved = (after - before).abs().amax(-1)[0]
    layers = max(config.encoder_layers, config.decoder_layers)
    windows = [config.windows[layer % len(config.windows)] for layer in range(layers)]
    reach = LENGTH if None in windows else sum(window - 1 for window in windows if window is not None)
    assert bool((moved[: reach + 1] > 1e-12).all()), "some place within reach does not see the first token"
    assert float(moved[reach + 1 :].sum()) == 0.0


@only("decoder", "encoder-decoder")
@pytest.mark.parametrize("steps", [(9, 1, 1, 13), (1,) * LENGTH], ids=["in pieces", "one by one"])
@torch.no_grad()
def test_cached_decoding_is_decoding_of_the_whole_row(config: ModelConfig, steps: tuple[int, ...]) -> None:
    """Also with rows of different length, padded on the left as prompts are."""
    model = random_model(config)
    tokens, _, _ = random_rows(config)
    tokens = tokens.clamp(min=5)
    start = torch.tensor([0, 3, 7])[:, None]
    places = torch.arange(LENGTH)[None]
    layout = Layout((places - start).clamp(min=0), (places >= start).long())
    source = Layout.plain(tokens)
    memory = (model.encode(tokens.flip(1), source), source) if config.encoder_layers else (None, None)
    cache, parts, at = Cache(LENGTH), [], 0
    for step in steps:
        part = slice(at, at + step)
        piece = Layout(layout.positions[:, part], layout.document_ids[:, part])
        parts.append(model.decode(tokens[:, part], piece, *memory, cache))
        at += step
    real = places >= start
    whole = model.decode(tokens, layout, *memory)
    torch.testing.assert_close(torch.cat(parts, 1)[real], whole[real], **CLOSE)
    for row, first in enumerate(start[:, 0].tolist()):
        alone = tokens[row : row + 1, first:]
        own = (None, None) if memory[0] is None else (memory[0][row : row + 1], Layout.plain(tokens[:1]))
        torch.testing.assert_close(
            whole[row : row + 1, first:], model.decode(alone, Layout.plain(alone), *own), **CLOSE
        )


@torch.no_grad()
def test_a_decoder_looks_across_to_every_token_of_the_encoder_and_to_no_padding() -> None:
    model = random_model(make_decoder(encoder_layers=2, decoder_layers=2))
    tokens, _, _ = random_rows(model.config, rows=1)
    source, real = tokens.flip(1)[:, :9], torch.arange(9)[None] < 7

    def decode(source: Tensor) -> Tensor:
        layout = Layout.plain(source, real)
        return model.decode(tokens, Layout.plain(tokens), model.encode(source, layout), layout)

    plain = decode(source)
    assert plain.shape == (1, LENGTH, model.config.d_model)
    for place in range(9):
        changed = source.clone()
        changed[0, place] = source[0, place] - 1
        moved = (decode(changed) - plain).abs().amax(-1)
        assert bool((moved > 1e-6).all()) if place < 7 else float(moved.max()) == 0.0


@every_shape
def test_step_by_step_attention_is_the_fused_kernel(config: ModelConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(config)
    tokens, segments, real = random_rows(config)
    stepwise = forward(model, tokens, Layout.plain(tokens, real), segments)
    calls = []
    fused = F.scaled_dot_product_attention
    monkeypatch.setattr(attention, "LONGEST_STEPWISE", LENGTH - 1)
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda *a, **k: calls.append(1) or fused(*a, **k))
    for ours, theirs in zip(stepwise, forward(model, tokens, Layout.plain(tokens, real), segments), strict=True):
        torch.testing.assert_close(ours, theirs, **CLOSE)
    layers = config.encoder_layers + config.decoder_layers * (2 if config.encoder_layers else 1)
    assert len(calls) == (0 if config.attention_softcap else layers)  # no kernel caps scores


@every_shape
def test_every_tap_names_the_axes_of_its_tensor_and_looking_changes_nothing(
    config: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "LONGEST_STEPWISE", 0)  # unwatched, the fused kernel shows no scores
    model = random_model(config)
    tokens, segments, real = random_rows(config)
    layout = Layout.plain(tokens, real)
    before = forward(model, tokens, layout, segments)
    taps = {name: module for name, module in model.named_modules() if isinstance(module, Tap)}
    seen: dict[str, torch.Size] = {}
    for name, tap in taps.items():
        tap.register_forward_hook(lambda _module, _inputs, out, name=name: seen.update({name: out.shape}))
    for watched, plain in zip(forward(model, tokens, layout, segments), before, strict=True):
        torch.testing.assert_close(watched, plain, **CLOSE)
    assert seen.keys() == taps.keys(), "a tap that nothing flows through"
    sizes = {
        "batch": 3,
        "pair": 3,
        "seq": LENGTH,
        "query": LENGTH,
        "key": LENGTH,
        "head": config.num_heads,
        "d_head": config.head_width,
        "d_model": config.d_model,
        "d_ff": config.d_ff,
        "vocab": config.vocab_size,
        "memory": LENGTH,
        "token": 3 * LENGTH,
        "expert": config.num_experts,
    }
    for name, shape in seen.items():
        axes = taps[name].axes
        assert tuple(shape) == tuple(sizes[axis] for axis in axes), f"{name} says {axes}"


@pytest.mark.parametrize("name", ["scores", "weights"])
def test_whoever_looks_at_one_tap_of_the_attention_sees_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "LONGEST_STEPWISE", 0)
    model = random_model(shrink("encoder-mini"))
    tokens, _, _ = random_rows(model.config)
    seen: list[Tensor] = []
    handle = getattr(model.encoder.blocks[1].attention, name).register_forward_hook(
        lambda _m, _i, out: seen.append(out)
    )
    forward(model, tokens, Layout.plain(tokens))
    assert len(seen) == 1
    handle.remove()
    forward(model, tokens, Layout.plain(tokens))
    assert len(seen) == 1


def test_the_weights_that_a_tap_shows_are_shares_of_what_may_be_seen() -> None:
    model = random_model(shrink("encoder-mini", windows=(3,)))
    tokens, _, real = random_rows(model.config)
    seen: list[Tensor] = []
    model.encoder.blocks[0].attention.weights.register_forward_hook(lambda _module, _inputs, out: seen.append(out))
    forward(model, tokens, Layout.plain(tokens, real))
    gap = (torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)[None]).abs()
    allowed = (gap < 3) & (real[:, None, :, None] == real[:, None, None, :])
    torch.testing.assert_close(seen[0].sum(-1), torch.ones(seen[0].shape[:-1], dtype=torch.float64))
    assert torch.equal(seen[0] > 0, allowed.expand(seen[0].shape))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("longest_stepwise", [0, 1024])
def test_a_row_with_nothing_to_see_stays_finite(
    dtype: torch.dtype, longest_stepwise: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "LONGEST_STEPWISE", longest_stepwise)
    layer = attention.Attention(shrink("bert-tiny")).to(dtype)
    x = (torch.randn(2, 6, layer.query.in_features) * 30).to(dtype).requires_grad_()
    mask = additive(torch.zeros(2, 1, 6, 6, dtype=torch.bool), dtype)
    out = layer(x, mask, Rotation())
    out.sum().backward()
    assert bool(torch.isfinite(out).all())
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


@every_shape
@torch.no_grad()
def test_an_untrained_model_finds_all_tokens_alike(config: ModelConfig) -> None:
    """Its loss, the mean over all labels, is ln(V), and a little more for the spread of its logits."""
    config = config.changed(vocab_size=500)
    model = Transformer(config).eval()
    initialise(model, 0)
    tokens, segments, real = random_rows(config)
    logits = forward(model, tokens, Layout.plain(tokens, real), segments)[1]
    loss = -float(F.log_softmax(logits[real], -1).mean())
    assert 0 <= loss - math.log(500) < 0.03, loss


@every_shape
def test_a_model_in_training_drops_and_one_at_rest_does_not(config: ModelConfig) -> None:
    model = random_model(config.changed(dropout=0.5))
    tokens, segments, _ = random_rows(config)
    layout = Layout.plain(tokens)
    torch.manual_seed(0)
    at_rest = [forward(model, tokens, layout, segments)[1] for _ in range(2)]
    model.train()
    dropped = [forward(model, tokens, layout, segments)[1] for _ in range(2)]
    assert torch.equal(*at_rest)
    assert not torch.allclose(*dropped)


@torch.no_grad()
def test_a_model_in_training_drops_after_the_embeddings_and_each_sublayer() -> None:
    model = random_model(shrink("encoder-mini", dropout=0.5, feed_forward_dropout=0.5)).train()
    places = [module for module in model.modules() if isinstance(module, Dropout)]
    assert len(places) == 1 + 4 * model.config.encoder_layers  # two of them inside the sublayers
    shares: list[float] = []
    for place in places:
        place.register_forward_hook(lambda _m, _i, out: shares.append(float((out == 0).double().mean())))
    tokens, _, _ = random_rows(model.config)
    torch.manual_seed(0)
    forward(model, tokens, Layout.plain(tokens))
    assert len(shares) == len(places)
    assert all(0.45 < share < 0.55 for share in shares)


@pytest.mark.parametrize("longest_stepwise", [0, 1024])
@torch.no_grad()
def test_a_model_in_training_drops_attention_weights(longest_stepwise: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "LONGEST_STEPWISE", longest_stepwise)
    model = random_model(shrink("encoder-mini", dropout=0.5)).train()
    for name, module in model.named_modules():
        if isinstance(module, Dropout) and not name.endswith("attention.dropout"):
            module.share = 0.0
    tokens, _, _ = random_rows(model.config)
    torch.manual_seed(0)
    first, second = (forward(model, tokens, Layout.plain(tokens))[0] for _ in range(2))
    assert not torch.allclose(first, second)
