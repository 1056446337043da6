"""One row alone takes shorter ways: a matrix times a vector, a norm of one token, queries and keys turned together."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from osnowa.generate import Frame
from osnowa.generate.decode import Decoder
from osnowa.generate.weights import lay_out
from osnowa.model import Layout
from osnowa.model.joined import AskedLinear, multiply
from osnowa.model.norm import RMSNorm
from small_models import random_model, shrink

CLOSE = {"rtol": 2e-5, "atol": 2e-5}


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(24,), (1, 24), (1, 1, 24), (3, 24), (2, 3, 24)])
@pytest.mark.parametrize("bias", [None, random(10, seed=3)])
@pytest.mark.parametrize("turned", [False, True])
def test_a_product_is_that_of_the_library(shape: tuple[int, ...], bias: torch.Tensor | None, turned: bool) -> None:
    weight, x = random(10, 24, seed=1), random(*shape, seed=2)
    expected = F.linear(x, weight, bias)
    found = multiply(x, weight.t().contiguous().t() if turned else weight, bias)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected)


def test_an_asked_layer_shares_its_parameters() -> None:
    layer = nn.Linear(6, 4).eval()
    made = AskedLinear.of(layer)
    assert made.weight is layer.weight
    assert made.bias is layer.bias
    assert not made.training
    assert AskedLinear.of(nn.Linear(6, 4, bias=False)).bias is None
    with torch.no_grad():
        torch.testing.assert_close(made(random(1, 1, 6)), layer(random(1, 1, 6)))


@pytest.mark.parametrize("offset", [False, True])
def test_the_norm_of_one_token_is_that_of_training(offset: bool) -> None:
    norm, x = RMSNorm(16, 1e-3, offset), random(1, 1, 16, seed=5) * 0.1
    norm.weight.data = random(16, seed=6)
    trained = norm(x)
    with torch.no_grad():
        torch.testing.assert_close(norm(x), trained.detach())
        torch.testing.assert_close(norm(x.expand(2, 3, 16)), trained.detach().expand(2, 3, 16))


@pytest.mark.parametrize("preset", ["llama-tiny", "llama3-tiny", "gemma3-tiny", "gpt2-tiny", "mistral-tiny", "t5-tiny"])
@torch.no_grad()
def test_one_prompt_token_by_token_is_the_whole_at_once(preset: str) -> None:
    """In float32, as models are loaded."""
    model = random_model(shrink(preset), dtype=torch.float32)
    row, said = [5, 9, 6, 7, 12, 8, 10], [11, 14, 6, 9]
    shown = torch.tensor([row])
    if model.config.topology == "encoder-decoder":
        target = torch.tensor([[1, *said]])
        hidden = model.decode(
            target, Layout.plain(target), model.encode(shown, Layout.plain(shown)), Layout.plain(shown)
        )
    else:
        whole = torch.tensor([[*row, *said]])
        hidden = model.decode(whole, Layout.plain(whole))
    expected = model.head(hidden)[0, -len(said) - 1 :]
    lay_out(model)
    assert any(isinstance(each, AskedLinear) for each in model.modules())
    decoder = Decoder(model, [row], Frame((1,), 2, ()), most=len(said) + 1)
    found = [decoder.begin(), *(decoder.read(torch.tensor([[token]])) for token in said)]
    scale = float(expected.abs().max())
    torch.testing.assert_close(torch.cat(found) / scale, expected / scale, **CLOSE)
