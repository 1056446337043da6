"""A module whose call is its forward pass, where nobody looks: a token passes a hundred of them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Module(nn.Module):
    """nn.Module's own call asks a dozen questions first, for 2 us and more; this one asks for hooks alone.

    Hooks on all modules of a process (`torch.nn.modules.module.register_module_forward_hook`) are not called.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs) if self.watched else self.forward(*args, **kwargs)

    @property
    def watched(self) -> bool:
        """Whether a hook hangs on the call."""
        return bool(self._forward_hooks or self._forward_pre_hooks or self._backward_hooks or self._backward_pre_hooks)


class Same(Module):
    """What it is given: stands where a model has nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return x
