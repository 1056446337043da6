"""Forward and backward pass compiled as a whole: batches of a fixed size, attention by blocks, a queue of batches."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

import torch

from osnowa.data import Place
from osnowa.errors import SettingsError
from osnowa.model import Transformer
from osnowa.objective import Batch, Objective, Outcome

CompiledName = Literal["auto", "yes", "no"]
Ask = Callable[[Transformer, Batch], Outcome]
Drawn = tuple[list[Batch], Place]
_PARTS = 8  # a batch's places where many are asked: sizes of the head are so many parts of them


def choose_compiled(name: CompiledName, device: torch.device) -> bool:
    """`auto`: on a GPU, where Triton is there.

    Raises:
        SettingsError: `yes` without the compiler that the device needs.
    """
    if name == "no" or (name == "auto" and device.type == "cpu"):
        return False
    if device.type == "cuda":
        found, needed = importlib.util.find_spec("triton") is not None, "the package triton"
    else:
        compilers = (os.environ.get("CXX", ""), "g++", "clang++")
        found, needed = any(each and shutil.which(each) for each in compilers), "a C++ compiler, such as g++"
    if not found and name == "yes":
        raise SettingsError(
            "training.compiled = yes", f"needs {needed}, which is not here", "use --training.compiled=no"
        )
    return found


def compile_questions(model: Transformer, objective: Objective) -> Ask:
    """`objective.outcome` compiled for each size of batch anew; attention by blocks on a GPU where it knows how.

    It does not know dropout, nor numbers added to scores that are trained themselves (relative positions).
    """
    config = model.config
    dropout = config.dropout if config.attention_dropout is None else config.attention_dropout
    if model.embedding.token.weight.is_cuda and not dropout and config.position != "relative":
        model.look_by_blocks()
    compiled: Ask = torch.compile(objective.outcome, dynamic=False)
    return compiled


def fill(batch: Batch, rows: int, share: float | None) -> Batch:
    """`batch` at the size that it shares with nearly all others of `rows` rows.

    `share`: of a row's tokens are hidden; None: whatever number is asked.
    """
    places = rows * batch.tokens.size(1)
    unit = -(-places // _PARTS) if share is None else rows * max(1, round(share * batch.tokens.size(1)))
    return batch.fill(rows, _rounded(len(batch.labels), unit), _rounded(len(batch.first), rows))


def _rounded(number: int, unit: int) -> int:
    return -(-number // unit) * unit


class Ahead:
    """Mini-batches drawn while the device is busy with the one before, in memory that it can read by itself."""

    def __init__(self, draw: Callable[[int, Place], Drawn]) -> None:
        self._draw = draw
        self._pool = ThreadPoolExecutor(1, "batches")
        self._next: tuple[int, Place, Future[Drawn]] | None = None

    def __call__(self, step: int, place: Place) -> Drawn:
        """That of update `step` (from 1) at `place`; the one behind it is begun."""
        if self._next is not None and self._next[:2] == (step, place):
            batches, after = self._next[2].result()
        else:
            batches, after = self._pinned(step, place)
        self._next = (step + 1, after, self._pool.submit(self._pinned, step + 1, after))
        return batches, after

    def _pinned(self, step: int, place: Place) -> Drawn:
        batches, after = self._draw(step, place)
        if torch.cuda.is_available():
            batches = [each.map(torch.Tensor.pin_memory) for each in batches]
        return batches, after
