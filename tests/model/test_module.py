"""Calls of modules: nothing beside the forward pass where nobody looks, and every hook where somebody does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from osnowa.model.dropout import Dropout
from osnowa.model.joined import AskedLinear
from osnowa.model.linear import Linear
from osnowa.model.module import Module, Same
from osnowa.model.norm import LayerNorm
from osnowa.model.tap import Tap


class Twice(Module):
    def forward(self, x: Tensor, *, times: float = 2.0) -> Tensor:
        return x * times


MODULES: dict[str, Callable[[], Module]] = {
    "own": Twice,
    "same": Same,
    "tap": lambda: Tap("batch width"),
    "linear": lambda: Linear(3, 3),
    "asked": lambda: AskedLinear(3, 3),
    "norm": lambda: LayerNorm(3),
    "dropout": lambda: Dropout(0.5),
}


def test_a_call_is_the_forward_pass() -> None:
    x = torch.ones(2, 3)
    assert torch.equal(Twice()(x, times=3.0), 3 * x)
    assert Same()(x) is x


@pytest.mark.parametrize("kind", MODULES)
def test_every_hook_is_called_and_none_when_it_is_gone(kind: str) -> None:
    module, x, seen = MODULES[kind](), torch.ones(2, 3, requires_grad=True), list[str]()

    def note(name: str) -> Callable[..., None]:
        return lambda *_: seen.append(name)

    hang: dict[str, Callable[[], Any]] = {
        "before": lambda: module.register_forward_pre_hook(note("before")),
        "after": lambda: module.register_forward_hook(note("after")),
        "back": lambda: module.register_full_backward_hook(note("back")),
        "begin back": lambda: module.register_full_backward_pre_hook(note("begin back")),
    }
    assert not module.watched
    for name, hung in hang.items():
        handle = hung()
        assert module.watched
        module(x * 1).sum().backward()
        handle.remove()
        assert seen == [name]
        seen.clear()
        module(x * 1).sum().backward()
        assert not seen
    assert not module.watched
