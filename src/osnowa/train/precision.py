"""Numbers of the machine: bf16 for the work with float32 master weights where it pays, float32 elsewhere."""

from __future__ import annotations

import ctypes
import sys
from typing import Literal

import torch
from torch import Tensor, nn

from osnowa.processor import multiplies_bfloat16, prefers_onednn

PrecisionName = Literal["auto", "bf16", "fp32"]


def choose_precision(name: PrecisionName, device: torch.device) -> torch.dtype:
    """`auto`: bf16 where the processor or GPU multiplies it natively, else float32."""
    if name == "fp32":
        return torch.float32
    if name == "bf16":
        return torch.bfloat16
    return torch.bfloat16 if has_fast_bfloat16(device) else torch.float32


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the machine multiplies bfloat16 natively: elsewhere it is 4 to a hundred times slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and multiplies_bfloat16()


def tune_allocator() -> bool:
    """Keep freed memory in the process (glibc): each large tensor would else be returned and faulted in again.

    Measured: a bf16 training step is 1.7 times as fast, cross-entropy five times. Returns whether it was done.
    """
    if sys.platform != "linux":
        return False
    try:
        libc = ctypes.CDLL("libc.so.6")
        threshold, trim, pad = -3, -1, -2  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD
        ok = libc.mallopt(threshold, 2**31 - 1) and libc.mallopt(trim, -1) and libc.mallopt(pad, 256 << 20)
    except (OSError, AttributeError):  # another libc
        return False
    return bool(ok)


def tune_matmul(dtype: torch.dtype) -> None:
    """float32 products through oneDNN where that is the faster library, still true float32."""
    if dtype == torch.float32 and prefers_onednn():
        torch.set_float32_matmul_precision("medium")


class MasterWeights:
    """float32 master copies of a model's parameters; the model computes with copies in `dtype`.

    In float32 the masters are the model's own parameters. Gradients stay with the copies; who moves a master rounds it
    into its copy. Tied parameters are held once.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        self.model, self.dtype = model, dtype
        self.same = dtype == torch.float32
        named = dict(model.named_parameters())
        if self.same:
            self.masters: dict[str, Tensor] = dict(named)
        else:
            self.masters = {name: p.detach().float().clone() for name, p in named.items()}
            model.to(dtype)
        self.working = dict(model.named_parameters())

    @torch.no_grad()
    def load(self, tensors: dict[str, Tensor]) -> None:
        """Set the masters and the working copies."""
        assert tensors.keys() == self.masters.keys(), sorted(tensors.keys() ^ self.masters.keys())
        for name, master in self.masters.items():
            master.copy_(tensors[name])
        if not self.same:
            torch._foreach_copy_(list(self.working.values()), list(self.masters.values()))

    def gradients(self) -> list[Tensor]:
        """Those that are there, in the numbers that the model computes in."""
        return [each.grad for each in self.working.values() if each.grad is not None]

    def forget_gradients(self) -> None:
        """Make room for those of the next mini-batch."""
        for each in self.working.values():
            each.grad = None
