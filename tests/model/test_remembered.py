"""What cross-attention remembers of the encoder's vectors: keys and values of all layers, made once."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor

from osnowa.generate.decode import Decoder
from osnowa.generate.frame import Frame
from osnowa.model import Transformer
from osnowa.model.attention import remember
from osnowa.model.block import Block
from osnowa.model.heads import split_heads
from small_models import learned, random_model, shrink

PRESETS = {"t5-tiny": {}, "t5-tiny, keys with a norm": {"qk_norm": True}, "transformer-base": {}}
Looks = list[Any]


def small(name: str) -> tuple[Transformer, Looks]:
    model = random_model(shrink(name.split(",")[0], **PRESETS[name]))
    return model, [cast(Block, block).cross_attention for block in model.decoder.blocks]


def vectors(width: int) -> Tensor:
    return torch.randn(2, 7, width, generator=torch.Generator().manual_seed(3), dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("name", PRESETS)
def test_all_layers_at_once_are_each_layer_by_itself_and_learn_the_same(name: str) -> None:
    model, looks = small(name)
    memory, found, expected = vectors(model.config.d_model), list[Tensor](), list[Tensor]()
    for k, v in remember(memory, looks):
        found += [k, v]
    for each in looks:
        keys, values = (split_heads(layer(memory), each.d_head) for layer in (each.key, each.value))
        expected += [each.key_norm(keys), values]
    leaves = [memory, *(weight for each in looks for part in (each.key, each.value) for weight in part.parameters())]
    assert len(looks) > 1
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    for one, other in zip(learned(found, leaves), learned(expected, leaves), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_they_are_made_once_for_all_tokens_of_an_answer_and_follow_its_rows() -> None:
    model, looks = small("t5-tiny")
    calls = list[int]()
    for index, each in enumerate(looks):
        each.key.register_forward_hook(lambda *_, index=index: calls.append(index))
    with torch.no_grad():
        decoder = Decoder(model.eval(), [[5, 6, 7], [8, 9, 5]], Frame((1,), None, ()), most=6)
        logits = [decoder.begin()]
        assert calls == list(range(len(looks)))
        logits.append(decoder.read(torch.tensor([[5], [6]])))
        decoder.take(torch.tensor([1]))
        alone = decoder.read(torch.tensor([[7]]))
    assert calls == list(range(len(looks)))
    with torch.no_grad():
        other = Decoder(model, [[8, 9, 5]], Frame((1,), None, ()), most=6)
        assert torch.allclose(other.begin(), logits[0][1:])
        assert torch.allclose(other.read(torch.tensor([[6]])), logits[1][1:])
        assert torch.allclose(other.read(torch.tensor([[7]])), alone)
