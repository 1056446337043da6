"""AdamW is torch's own rule, step by step, and costs no import of its compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from osnowa.train.optimisers import Optimiser
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


def make(parameters: list[torch.Tensor]) -> Optimiser:
    """Muon on the first, AdamW on the others."""
    names = ("decoder.blocks.0.a.weight", "b.bias", "c.weight")
    return Optimiser(
        dict(zip(names, parameters, strict=True)),
        name="muon",
        learning_rate=0.01,
        matrix_learning_rate=0.02,
        betas=(0.9, 0.98),
        eps=1e-8,
        weight_decay=0.1,
    )


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
