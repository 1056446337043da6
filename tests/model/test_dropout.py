"""Dropout: the right share of zeros in every place, the mean kept, the way back the same, repeatable by torch's seed."""

from __future__ import annotations

import pytest
import torch

from osnowa.model.dropout import Dropout, kept

SIZE = 400_000


@pytest.mark.parametrize("share", [0.1, 0.5, 0.013])
def test_the_share_of_zeros_is_right_in_every_lane_and_neighbours_do_not_know_each_other(share: float) -> None:
    torch.manual_seed(3)
    zeros = ~kept(torch.Size((SIZE,)), round(share * 65_536))
    spread = (share * (1 - share)) ** 0.5
    assert float(zeros.float().mean()) == pytest.approx(share, abs=5 * spread / SIZE**0.5)
    for lane in range(8):  # four numbers come from each draw of 64 bits
        own = zeros[lane::8].float()
        assert float(own.mean()) == pytest.approx(share, abs=5 * spread / len(own) ** 0.5)
    for apart in (1, 2, 3, 4, 7):
        both = (zeros[apart:] & zeros[:-apart]).float().mean()
        assert float(both) == pytest.approx(share**2, abs=5 * share / SIZE**0.5)


def test_the_rest_grows_so_that_the_mean_stays_and_the_gradient_goes_the_same_way() -> None:
    layer = Dropout(0.25).train()
    x = torch.ones(3, 1001, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(1)
    y = layer(x)
    assert sorted(set(y.flatten().tolist())) == [0.0, pytest.approx(4 / 3)]
    assert float(y.detach().mean()) == pytest.approx(1, abs=0.06)
    (y * torch.arange(1001)).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, y.detach() * torch.arange(1001))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_same_seed_gives_the_same_zeros_and_each_call_others(dtype: torch.dtype) -> None:
    layer, x = Dropout(0.5).train(), torch.ones(64, 64, dtype=dtype)
    torch.manual_seed(7)
    first, second = layer(x), layer(x)
    torch.manual_seed(7)
    assert torch.equal(layer(x), first)
    assert torch.equal(layer(x), second)
    assert not torch.equal(first, second)
    assert first.dtype == dtype


def test_nothing_is_dropped_outside_training_or_without_a_share() -> None:
    x = torch.randn(5, 5)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x


def test_all_may_be_dropped() -> None:
    assert not Dropout(1.0).train()(torch.randn(50)).any()


def test_shapes_without_numbers_pass() -> None:
    """The estimate of memory sends them through a model in training."""
    assert Dropout(0.1).train()(torch.ones(3, 4, device="meta")).shape == (3, 4)
