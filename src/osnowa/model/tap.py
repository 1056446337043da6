"""A named tensor of the data flow: an identity until somebody looks."""

from __future__ import annotations

from osnowa.model.module import Same


class Tap(Same):
    """An identity at a tensor that no module boundary shows; `axes` names its axes, e.g. "batch head query key"."""

    def __init__(self, axes: str) -> None:
        super().__init__()
        self.axes = tuple(axes.split())
