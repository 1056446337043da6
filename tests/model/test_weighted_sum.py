"""Attention as one operation gives the numbers and the gradients of one step after the other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from osnowa.model import Layout, ModelConfig, Transformer, attention, weighted_sum
from osnowa.model.mask import Added, additive, visible
from osnowa.runs.presets import PRESETS
from small_models import LENGTH, distinct, random_model, random_rows, shrink, target_of

KINDS = distinct((name for name in PRESETS if name.endswith("-tiny")), shrink)


def learned(model: Transformer) -> dict[str, Tensor]:
    """The hidden vectors of two rows of two documents and padding, and the gradients of a sum of them."""
    config = model.config
    model.zero_grad()
    tokens, _, _ = random_rows(config, rows=2)
    documents = torch.tensor(
        [[1] * (LENGTH // 3) + [2] * (LENGTH // 3) + [0] * (LENGTH - 2 * (LENGTH // 3)), [1] * LENGTH]
    )
    positions = torch.arange(LENGTH).expand(2, LENGTH) - torch.where(documents == 2, LENGTH // 3, 0)
    layout = Layout(positions, documents)
    if config.topology == "encoder":
        hidden = model.encode(tokens, layout)
    elif config.topology == "decoder":
        hidden = model.decode(tokens, layout)
    else:
        hidden = model.decode(target_of(config, tokens), layout, model.encode(tokens, layout), layout)
    (hidden * torch.arange(hidden.numel(), dtype=hidden.dtype).view_as(hidden).sin()).sum().backward()
    gradients = {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}
    return {"hidden": hidden.detach(), **gradients}


@pytest.mark.parametrize("at_once", [5, 96])
@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)
def test_every_family_learns_the_same(config: ModelConfig, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weighted_sum, "QUERIES_AT_ONCE", at_once)
    calls, whole = [], weighted_sum.weighted_sum
    monkeypatch.setattr(attention, "weighted_sum", lambda *given: calls.append(given) or whole(*given))
    model = random_model(config.changed(dropout=0.0, attention_dropout=None, feed_forward_dropout=0.0)).train()
    found = learned(model)
    plain = config.attention_softcap is None and config.kv_heads == config.num_heads  # heads have keys of their own
    looks = config.encoder_layers + config.decoder_layers * (2 if config.encoder_layers else 1)
    assert len(calls) == (looks if plain else 0)
    monkeypatch.setattr(attention.Attention, "at_once", lambda *_: False)
    expected = learned(model)
    assert found.keys() == expected.keys()
    most = max(float(each.abs().max()) for each in expected.values())
    for name, each in expected.items():
        torch.testing.assert_close(found[name], each, rtol=1e-9, atol=1e-13 * most, msg=name)


def test_it_is_how_an_encoder_and_a_decoder_are_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bool] = []
    whole = weighted_sum.weighted_sum
    monkeypatch.setattr(attention, "weighted_sum", lambda *given: calls.append(given[3].earlier) or whole(*given))
    for preset, expected in (("bert-tiny", False), ("gpt2-tiny", True)):
        model = random_model(shrink(preset).changed(dropout=0.0, attention_dropout=None)).train()
        calls.clear()
        learned(model)
        assert calls == [expected] * len((model.encoder if preset == "bert-tiny" else model.decoder).blocks)
        with torch.inference_mode():
            calls.clear()
            tokens, _, _ = random_rows(model.config, rows=2)
            (model.encode if preset == "bert-tiny" else model.decode)(tokens, Layout.plain(tokens))
        assert not calls, "who only asks takes the other way"


def test_a_prefix_is_seen_by_the_tokens_before_it() -> None:
    """Its mask shows later places, so no key may be left out."""
    model = random_model(shrink("llama-tiny")).train()
    tokens, _, _ = random_rows(model.config, rows=2)
    layout = Layout.plain(tokens)
    prefix = torch.arange(LENGTH).expand(2, LENGTH) < LENGTH // 2
    for given, expected in ((layout, True), (Layout(layout.positions, layout.document_ids, prefix), False)):
        masks, _, _ = model.decoder.surroundings(model.embedding(tokens), given, None, None)
        assert [mask.earlier for mask in masks.values() if isinstance(mask, Added)] == [expected] * len(masks)


def test_keys_behind_a_query_are_not_read() -> None:
    q, k, v = (torch.randn(1, 1, 12, 4, requires_grad=True) for _ in range(3))
    layout = Layout.plain(torch.zeros(1, 12, dtype=torch.long))
    mask = additive(visible(layout, layout, causal=True), q.dtype)
    found = weighted_sum.weighted_sum(q, k, v, Added(mask, earlier=True), 0.5)
    found[:, :, :6].sum().backward()
    assert k.grad is not None
    assert not k.grad[:, :, 6:].any()
