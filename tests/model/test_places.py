"""A model that is asked at some places computes its last block for these alone, and says and learns the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from osnowa.model import Layout, ModelConfig, Transformer
from osnowa.runs.presets import PRESETS
from small_models import LENGTH, distinct, random_model, random_rows, shrink, target_of

KINDS = distinct((name for name in PRESETS if name.endswith("-tiny")), shrink)
PLACES = torch.tensor([3, 30, 1, 3, 17, 0, 2 * LENGTH - 2])  # in no order, and one of them twice


def vectors(model: Transformer, places: Tensor | None) -> Tensor:
    """[place, d_model] of PLACES, by asking for them or by asking for all."""
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
    return hidden.flatten(0, 1)[PLACES] if places is None else hidden


@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)
def test_hidden_vectors_and_gradients_are_those_of_asking_everywhere(config: ModelConfig) -> None:
    model = random_model(config.changed(dropout=0.0, attention_dropout=None, feed_forward_dropout=0.0)).train()
    found = []
    for places in (None, PLACES):
        model.zero_grad()
        hidden = vectors(model, places)
        assert hidden.shape == (len(PLACES), config.d_model)
        (hidden * torch.arange(hidden.numel(), dtype=hidden.dtype).view_as(hidden).sin()).sum().backward()
        gradients = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
        assert len(gradients) > 10
        found.append({"hidden": hidden.detach(), **gradients})
    everywhere, there = found
    assert everywhere.keys() == there.keys()
    most = max(float(each.abs().max()) for each in everywhere.values())  # a gradient may be zero but for rounding
    for name, expected in everywhere.items():
        torch.testing.assert_close(there[name], expected, rtol=1e-9, atol=1e-13 * most, msg=name)


@pytest.mark.parametrize("preset", ["bert-tiny", "t5-tiny"])
def test_nothing_else_passes_the_last_feed_forward_network(preset: str) -> None:
    model, seen = random_model(shrink(preset)), []
    stack = model.encoder if preset == "bert-tiny" else model.decoder
    stack.blocks[-1].feed_forward.register_forward_hook(lambda _module, given, _made: seen.append(given[0].shape))
    vectors(model, PLACES)
    assert seen == [(len(PLACES), model.config.d_model)]
