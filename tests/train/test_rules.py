"""AdamW is torch's own rule, step by step, and costs no import of its compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from osnowa.train import learner, rules
from osnowa.train.optimisers import Optimiser, OptimiserName
from osnowa.train.rules import AdamW

TESTS = Path(__file__).parent.parent
SHAPES = ((8, 4), (6,), (3, 5))


def some(seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in SHAPES]


def test_steps_have_the_bits_of_torchs_own_also_where_a_gradient_is_missing() -> None:
    ours, theirs = some(0), some(0)
    rule = AdamW(dict(enumerate_named(ours)), rate=0.02, weight_decay=0.1, betas=(0.9, 0.98), eps=1e-8)
    other = torch.optim.AdamW(theirs, lr=0.02, weight_decay=0.1, betas=(0.9, 0.98), eps=1e-8, fused=True)
    for step in range(1, 6):
        for number, (mine, its, gradient) in enumerate(zip(ours, theirs, some(step), strict=True)):
            missing = number == 1 and step % 2 == 1
            mine.grad, its.grad = (None, None) if missing else (gradient.detach().clone(), gradient.detach().clone())
        factor = 1 / step
        rule.step(factor)
        for group in other.param_groups:
            group["lr"] = 0.02 * factor
        other.step()
        assert all(torch.equal(mine, its) for mine, its in zip(ours, theirs, strict=True)), step
    assert [float(values["step"]) for values in rule.state.values()] == [5, 5, 2]


def enumerate_named(parameters: list[torch.Tensor]) -> list[tuple[str, torch.Tensor]]:
    return [(f"{index}", each) for index, each in enumerate(parameters)]


def make(
    parameters: list[torch.Tensor], working: dict[str, torch.Tensor] | None = None, name: OptimiserName = "muon"
) -> Optimiser:
    """Muon on the first, AdamW on the others."""
    names = ("decoder.blocks.0.a.weight", "b.bias", "c.weight")
    return Optimiser(
        dict(zip(names, parameters, strict=True)),
        working,
        name=name,
        learning_rate=0.01,
        matrix_learning_rate=0.02,
        betas=(0.9, 0.98),
        eps=1e-8,
        weight_decay=0.1,
    )


@pytest.mark.parametrize("name", ["muon", "adamw"])
@pytest.mark.parametrize("at_once", [16, 40, 1 << 20])  # a kernel takes 16 numbers at a time, the rest otherwise
def test_weights_that_a_model_holds_in_bfloat16_move_by_its_gradients_as_if_these_were_float32(
    monkeypatch: pytest.MonkeyPatch, at_once: int, name: OptimiserName
) -> None:
    monkeypatch.setattr(rules, "NUMBERS_AT_ONCE", at_once)
    names = ("decoder.blocks.0.a.weight", "b.bias", "c.weight")
    plain, masters = some(0), [each.detach() for each in some(0)]
    working = [each.to(torch.bfloat16).requires_grad_() for each in masters]
    one = make(plain, None, name)
    other = make(masters, dict(zip(names, working, strict=True)), name)
    for step in range(1, 4):
        give(plain, step)
        for mine, its in zip(plain, working, strict=True):
            assert mine.grad is not None
            its.grad = mine.grad.to(torch.bfloat16)
            mine.grad = its.grad.float()
        if step == 2:
            plain[1].grad = working[1].grad = None
        for optimiser in (one, other):
            optimiser.step(0.5, torch.tensor(0.7))
        assert all(torch.equal(mine, its) for mine, its in zip(plain, masters, strict=True)), step
        assert all(torch.equal(mine.bfloat16(), its) for mine, its in zip(plain, working, strict=True)), step
    for key, value in one.state().items():
        assert torch.equal(value, other.state()[key]), key


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_length_of_a_gradient_is_that_of_all_its_numbers(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(learner, "_AT_ONCE", 1000)
    gradients = [torch.randn(shape, generator=torch.Generator().manual_seed(1)) for shape in ((70, 90), (1000,), (7,))]
    gradients = [gradients[0].t().to(dtype), (gradients[1] * 100).to(dtype), gradients[2].to(dtype), torch.tensor(3.0)]
    exact = torch.cat([each.reshape(-1).double() for each in gradients]).norm()
    found = learner.length(gradients)
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(float(exact), rel=1e-6)


def test_what_was_remembered_taken_back_goes_on_alike() -> None:
    one = some(0)
    first = make(one)
    assert {label: list(rule.parameters) for label, rule in first.rules.items()} == {
        "decayed": ["c.weight"],
        "plain": ["b.bias"],
        "matrices": ["decoder.blocks.0.a.weight"],
    }
    for step in range(1, 3):
        give(one, step)
        first.step(1.0)
    two = [each.detach().clone().requires_grad_() for each in one]
    second = make(two)
    assert not second.has_moved("b.bias")
    second.load_state(first.state())
    assert second.has_moved("b.bias")
    for optimiser, parameters in ((first, one), (second, two)):
        give(parameters, 3)
        optimiser.step(0.5)
    assert all(torch.equal(mine, its) for mine, its in zip(one, two, strict=True))


def test_gradients_shortened_in_the_update_are_those_shortened_before_it() -> None:
    one, two = some(0), some(0)
    first, second = make(one), make(two)
    for step, shorten in enumerate(
        (1.0, 0.01, 0.6, 1.0), start=1
    ):  # unequal: equal ones would cancel out in both rules
        give(one, step)
        give(two, step)
        for each in two:
            assert each.grad is not None
            each.grad *= shorten
        first.step(1.0, torch.tensor(shorten))
        second.step(1.0)
        for mine, its in zip(one, two, strict=True):
            torch.testing.assert_close(mine, its, rtol=1e-5, atol=1e-6)


def give(parameters: list[torch.Tensor], seed: int) -> None:
    for parameter, gradient in zip(parameters, some(seed), strict=True):
        parameter.grad = gradient.detach()


def test_training_does_not_import_torchs_compiler() -> None:
    """It takes three seconds, which every run would wait for."""
    code = """
import sys
sys.path.insert(0, sys.argv[1])
from small_training import make_trainer
make_trainer().step()
assert "torch._dynamo" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(TESTS)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
