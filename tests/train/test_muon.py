"""Muon is the published rule, in whatever numbers the machine is fast at."""

from __future__ import annotations

import pytest
import torch

from osnowa.train import muon
from osnowa.train.muon import Muon, orthogonalise

SHAPES = ((16, 16), (16, 16), (40, 12), (12, 40))


def named(parameters: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{index}": each for index, each in enumerate(parameters)}


def matrices(seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in SHAPES]


def test_steps_are_those_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muon, "has_fast_bfloat16", lambda device: True)  # torch's own numbers
    ours, theirs = matrices(0), matrices(0)
    our_rule = Muon(named(ours), rate=0.02, weight_decay=0.1)
    their_rule = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for step in range(1, 4):
        for mine, other, gradient in zip(ours, theirs, matrices(step), strict=True):
            mine.grad, other.grad = gradient.detach().clone(), gradient.detach().clone()
        our_rule.step()
        their_rule.step()
    for mine, other, start in zip(ours, theirs, matrices(0), strict=True):
        moved = float((other - start).detach().norm())
        assert float((mine - other).detach().norm()) < 0.01 * moved, "bfloat16 rounds to 0.4 %"


def test_singular_values_come_close_to_one_in_float32_and_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    random = torch.randn(3, 24, 60, generator=torch.Generator().manual_seed(0))
    for fast in (True, False):
        monkeypatch.setattr(muon, "has_fast_bfloat16", lambda device, fast=fast: fast)
        for each in (random, random.mT.contiguous()):
            found = orthogonalise(each)
            assert found.dtype == (torch.bfloat16 if fast else torch.float32)
            values = torch.linalg.svdvals(found.float())
            assert float(values.min()) > 0.6
            assert float(values.max()) < 1.3


def test_matrices_without_a_gradient_stay() -> None:
    ours = matrices(0)
    ours[1].grad = torch.ones_like(ours[1])
    before = [each.detach().clone() for each in ours]
    rule = Muon(named(ours), rate=0.1)
    rule.step()
    moved = [not torch.equal(one, other) for one, other in zip(ours, before, strict=True)]
    assert moved == [False, True, False, False]
    assert list(rule.state) == ["1"]
