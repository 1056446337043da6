"""Random initial weights: the same seed gives the same model, and each part its documented spread."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from osnowa.model import ModelConfig, Transformer, initialise
from small_models import shrink

# Of a normal distribution cut off at two deviations (its variance is 1 - 4 phi(2) / (2 Phi(2) - 1)).
CUT = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))


def start(config: ModelConfig, seed: int = 0) -> dict[str, Tensor]:
    model = Transformer(config)
    initialise(model, seed)
    return {name: each.detach() for name, each in model.named_parameters()}


def wide(preset: str) -> ModelConfig:
    """Enough numbers in each matrix to tell deviations apart."""
    return shrink(preset, d_model=64, d_ff=128, vocab_size=200, encoder_layers=3, num_heads=4)


@pytest.mark.parametrize("preset", ["bert-mini", "encoder-mini"])
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(preset: str) -> None:
    first, again, other = (start(shrink(preset), seed) for seed in (5, 5, 6))
    torch.manual_seed(99)  # the global stream has no part in it
    assert all(torch.equal(first[name], again[name]) for name in first)
    differ = [name for name in first if not torch.equal(first[name], other[name])]
    assert differ == [name for name in first if not (name.endswith("bias") or "norm" in name)]


@pytest.mark.parametrize("preset", ["bert-mini", "encoder-mini"])
def test_adding_the_next_sentence_head_moves_nothing_else(preset: str) -> None:
    plain, more = (start(shrink(preset, next_sentence=given)) for given in (False, True))
    assert more.keys() - plain.keys() == {
        "next_sentence.pooler.weight",
        "next_sentence.pooler.bias",
        "next_sentence.verdict.weight",
        "next_sentence.verdict.bias",
    }
    assert all(torch.equal(plain[name], more[name]) for name in plain)


@pytest.mark.parametrize(("preset", "shrunk"), [("bert-mini", 1.0), ("encoder-mini", 1 / math.sqrt(6))])
def test_deviations_are_as_documented(preset: str, shrunk: float) -> None:
    """0.02 before it is cut off; what writes into a pre-norm stream is divided by sqrt(2 x 3 layers)."""
    writes = ("attention.output.weight", "feed_forward.down.weight")
    seen = 0
    for name, weights in start(wide(preset)).items():
        if name.endswith("bias"):
            assert float(weights.abs().max()) == 0.0, name
        elif "norm" in name:
            quiet = ".input_norm." in name and preset.startswith("encoder")
            assert torch.equal(weights, torch.full_like(weights, 0.1 if quiet else 1.0)), name
        else:
            deviation = 0.02 * (shrunk if name.endswith(writes) else 1.0)
            assert float(weights.abs().max()) <= 2 * deviation, name
            # of n numbers the deviation itself spreads by 1 / sqrt(2 n); four of these
            tolerance = 4 / math.sqrt(2 * weights.numel())
            assert float(weights.std()) == pytest.approx(CUT * deviation, rel=tolerance), name
            seen += name.endswith(writes)
    assert seen == 6


def test_two_matrices_of_one_shape_are_not_the_same() -> None:
    weights = start(shrink("bert-mini"))
    matrices = [each for name, each in weights.items() if name.endswith(("query.weight", "key.weight", "value.weight"))]
    assert len(matrices) == 9
    assert len({tuple(each.flatten().tolist()) for each in matrices}) == 9


def test_a_tied_matrix_is_drawn_once() -> None:
    model = Transformer(shrink("encoder-mini"))
    initialise(model, 0)
    assert model.head.projection.weight is model.embedding.token.weight
    weights = start(shrink("encoder-mini", tie_embeddings=False))
    assert torch.equal(weights["embedding.token.weight"], model.embedding.token.weight)
    assert not torch.equal(weights["head.projection.weight"], weights["embedding.token.weight"])


@pytest.mark.parametrize("preset", ["encoder-mini", "mixtral-tiny", "t5-tiny"])
def test_blocks_that_begin_as_nothing_write_zeros_and_differ_in_nothing_else(preset: str) -> None:
    usual, zero = start(shrink(preset)), start(shrink(preset, zero_init=True))
    writes = {name for name in usual if ".output.weight" in name or ".down" in name}
    assert len(writes) >= 2
    assert all(float(zero[name].abs().max()) == 0.0 for name in writes)
    assert all(torch.equal(usual[name], zero[name]) for name in usual.keys() - writes)
