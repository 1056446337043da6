"""What the processor is, and what it does well."""

from __future__ import annotations

import platform
from functools import lru_cache
from pathlib import Path

import torch

_TOLD_BY_LINUX = Path("/proc/cpuinfo")
_X86 = ("x86_64", "amd64")
_NOT_MKLS = ("AuthenticAMD", "HygonGenuine")


def processor_name() -> str:
    """The processor as the system names it."""
    return _told("model name") or platform.processor() or platform.machine()


def multiplies_bfloat16() -> bool:
    """Whether it has instructions for products of bfloat16 numbers.

    oneDNN's answer is also yes where it can stand in for them, on any x86 processor with AVX-512: there a product takes
    four times as long as in float32 (measured on Ice Lake).
    """
    if platform.machine().lower() in _X86:
        return bool(torch.cpu._is_avx512_bf16_supported())
    return onednn_multiplies_bfloat16()


@lru_cache
def onednn_multiplies_bfloat16() -> bool:
    """Whether oneDNN is there and makes products of bfloat16 numbers, by instructions or without."""
    return torch._C._has_mkldnn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def prefers_onednn() -> bool:
    """Whether oneDNN makes float32 products faster than MKL, and true ones.

    On AMD it does (2.2 times on Zen 4, equal on Zen 3). On Intel MKL is ahead (1.1 times, 2 times in the gradient of a
    long product, 3 times for one row); with AMX tiles the same switch would really compute in bfloat16, as on ARM.
    """
    return has_mkls_slower_kernels() and not has_tiles()


def has_mkls_slower_kernels() -> bool:
    """Whether the math kernel library, which torch calls for float32, takes its kernels for others' processors."""
    return _told("vendor_id") in _NOT_MKLS


@lru_cache
def has_tiles() -> bool:
    """Whether it multiplies bfloat16 in tiles (AMX): products so fast that what stands between them takes as long."""
    return bool(torch.cpu._is_amx_tile_supported())


@lru_cache
def _told(key: str) -> str:
    """What Linux tells of the first processor; nothing elsewhere."""
    try:
        with _TOLD_BY_LINUX.open(encoding="utf-8") as handle:
            lines = (line.partition(":") for line in handle)
            return next((value.strip() for name, _, value in lines if name.strip() == key), "")
    except OSError:
        return ""
