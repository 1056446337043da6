"""A model without numbers: every shape is there, made in milliseconds and without memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from osnowa.model.config import ModelConfig
from osnowa.model.transformer import Transformer

_INITIALISERS = frozenset({nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_, nn.init.ones_, nn.init.zeros_})


class _Uninitialised(TorchFunctionMode):
    """Leaves parameters as they are: the first random number on the meta device imports torch's compiler, 3 s of CPU."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if func in _INITIALISERS:
            return named["tensor"] if "tensor" in named else args[0]
        return func(*args, **named)


def outline(config: ModelConfig) -> Transformer:
    """The model on the meta device."""
    with torch.device("meta"), _Uninitialised():
        return Transformer(config)
