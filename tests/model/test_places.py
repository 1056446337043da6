"""A model that is asked at some places computes its last block for these alone, and says and learns the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from osnowa.model import Layout, ModelConfig, Transformer
from osnowa.runs.presets import PRESETS
from small_models import LENGTH, distinct, random_model, random_rows, shrink, target_of

KINDS = distinct((name for name in PRESETS if name.endswith("-tiny")), shrink)
FEW = torch.tensor([3, 30, 1, 3, 17, 0, 2 * LENGTH - 2])  # in no order, and one of them twice
MANY = torch.cat((FEW, torch.arange(LENGTH // 2)))  # more than half of a row: its queries are all made
NONE = FEW[:0]


def vectors(model: Transformer, asked: Tensor, *, everywhere: bool) -> Tensor:
    """[place, d_model] of `asked`, by asking for them or by asking for all."""
    places = None if everywhere else asked
    config = model.config
    tokens, segments, real = random_rows(config, rows=2)
    layout = Layout(torch.arange(LENGTH).expand(2, LENGTH), real.long())
    if config.topology == "encoder":
        hidden = model.encode(tokens, layout, segments.clamp(max=max(0, config.num_segments - 1)), places)
    elif config.topology == "decoder":
        hidden = model.decode(tokens, layout, places=places)
    else:
        memory = model.encode(tokens, layout)
        hidden = model.decode(target_of(config, tokens), layout, memory, layout, places=places)
    return hidden.flatten(0, 1)[asked] if everywhere else hidden


@pytest.mark.parametrize("asked", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)
def test_hidden_vectors_and_gradients_are_those_of_asking_everywhere(config: ModelConfig, asked: Tensor) -> None:
    model = random_model(config.changed(dropout=0.0, attention_dropout=None, feed_forward_dropout=0.0)).train()
    found = []
    for everywhere in (True, False):
        model.zero_grad()
        hidden = vectors(model, asked, everywhere=everywhere)
        assert hidden.shape == (len(asked), config.d_model)
        (hidden * torch.arange(hidden.numel(), dtype=hidden.dtype).view_as(hidden).sin()).sum().backward()
        gradients = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
        assert len(gradients) > 10
        found.append({"hidden": hidden.detach(), **gradients})
    all_of_them, there = found
    assert all_of_them.keys() == there.keys()
    most = max(float(each.abs().max()) for each in all_of_them.values())  # a gradient may be zero but for rounding
    for name, expected in all_of_them.items():
        torch.testing.assert_close(there[name], expected, rtol=1e-9, atol=1e-13 * most, msg=name)


@pytest.mark.parametrize("preset", ["bert-tiny", "t5-tiny"])
def test_nothing_else_passes_the_last_feed_forward_network(preset: str) -> None:
    model, seen = random_model(shrink(preset)), []
    stack = model.encoder if preset == "bert-tiny" else model.decoder
    stack.blocks[-1].feed_forward.register_forward_hook(lambda _module, given, _made: seen.append(given[0].shape))
    vectors(model, FEW, everywhere=False)
    assert seen == [(len(FEW), model.config.d_model)]


@pytest.mark.parametrize(("asked", "queries"), [(FEW, 4), (MANY, LENGTH), (NONE, LENGTH)], ids=["few", "many", "none"])
def test_queries_are_made_where_few_are_asked_and_keys_always(asked: Tensor, queries: int) -> None:
    model = random_model(shrink("bert-tiny"))
    attention, width, made = model.encoder.blocks[-1].attention, model.config.d_model, []
    for layer in (attention.key_norm, attention.query_norm):
        layer.register_forward_hook(lambda _module, _given, found: made.append(tuple(found.shape)))
    hidden = vectors(model, asked, everywhere=False)
    assert hidden.shape == (len(asked), width)
    heads, inside = model.config.num_heads, width // model.config.num_heads
    assert sorted(made) == sorted([(2, heads, queries, inside), (2, heads, LENGTH, inside)])


@pytest.mark.parametrize("tap", ["query", "scores", "weights", "context"])
def test_who_watches_the_last_attention_sees_all_of_it(tap: str) -> None:
    model, seen = random_model(shrink("bert-tiny")), []
    attention = model.encoder.blocks[-1].attention
    getattr(attention, tap).register_forward_hook(lambda _module, _given, found: seen.append(found))
    there, everywhere = (vectors(model, FEW, everywhere=each) for each in (False, True))
    assert torch.equal(seen[0], seen[1])
    torch.testing.assert_close(there, everywhere)
