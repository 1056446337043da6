"""A named tensor of the data flow: an identity until somebody looks."""

from __future__ import annotations

from torch import Tensor, nn


class Tap(nn.Identity):
    """An identity at a tensor that no module boundary shows; `axes` names its axes, e.g. "batch head query key"."""

    def __init__(self, axes: str) -> None:
        super().__init__()
        self.axes = tuple(axes.split())

    def __call__(self, x: Tensor) -> Tensor:
        """x; what a module's call costs, 4 us, is only paid when somebody looks: a token passes dozens of taps."""
        found: Tensor = (
            super().__call__(x) if self._forward_hooks or self._forward_pre_hooks or self._backward_hooks else x
        )
        return found

    @property
    def watched(self) -> bool:
        """True while a forward hook is attached."""
        return bool(self._forward_hooks)
