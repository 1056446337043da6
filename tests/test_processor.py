"""What is asked of the processor, and what of torch: its own answer on bfloat16 counts emulation as support."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from osnowa import processor
from osnowa.train.precision import choose_precision, tune_matmul

CPU = torch.device("cpu")
ICE_LAKE = {"_is_avx512_supported": True, "_is_avx512_bf16_supported": False, "_is_amx_tile_supported": False}
ZEN_4 = {"_is_avx512_supported": True, "_is_avx512_bf16_supported": True, "_is_amx_tile_supported": False}
SAPPHIRE_RAPIDS = dict.fromkeys(ZEN_4, True)
ARM = dict.fromkeys(ZEN_4, False)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    forget()
    yield
    forget()
    torch.set_float32_matmul_precision(before)


def forget() -> None:
    processor.has_tiles.cache_clear()
    processor.onednn_multiplies_bfloat16.cache_clear()


def pretend(
    monkeypatch: pytest.MonkeyPatch, abilities: dict[str, bool], *, vendor: str = "", machine: str = "x86_64"
) -> None:
    for name, there in abilities.items():
        monkeypatch.setattr(torch.cpu, name, lambda there=there: there)
    told = {"vendor_id": vendor}
    monkeypatch.setattr(processor, "_told", lambda key: told.get(key, ""))
    monkeypatch.setattr(platform, "machine", lambda: machine)


@pytest.mark.parametrize(
    ("abilities", "dtype"),
    [(ICE_LAKE, torch.float32), (ZEN_4, torch.bfloat16), (SAPPHIRE_RAPIDS, torch.bfloat16)],
)
def test_emulated_bfloat16_is_not_chosen(
    abilities: dict[str, bool], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkldnn = SimpleNamespace(_is_mkldnn_bf16_supported=lambda: True)  # as it says on all three
    monkeypatch.setattr(processor.torch.ops, "mkldnn", mkldnn)
    for machine in ("x86_64", "AMD64"):  # Linux's name, Windows' name
        pretend(monkeypatch, abilities, machine=machine)
        assert choose_precision("auto", CPU) == dtype
        assert choose_precision("bf16", CPU) == torch.bfloat16  # who asks for it gets it


@pytest.mark.parametrize("native", [False, True])
def test_other_processors_are_asked_by_torch(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, ARM, machine="aarch64")
    monkeypatch.setattr(
        processor.torch.ops, "mkldnn", SimpleNamespace(_is_mkldnn_bf16_supported=lambda native=native: native)
    )
    assert processor.multiplies_bfloat16() == native


@pytest.mark.parametrize(
    ("abilities", "vendor", "machine", "switched"),
    [
        (ZEN_4, "AuthenticAMD", "x86_64", True),
        (ICE_LAKE, "GenuineIntel", "x86_64", False),
        (SAPPHIRE_RAPIDS, "GenuineIntel", "x86_64", False),
        (SAPPHIRE_RAPIDS, "AuthenticAMD", "x86_64", False),  # tiles would round to bfloat16
        (ARM, "", "aarch64", False),
    ],
)
def test_products_go_to_onednn_where_it_is_faster_and_true(
    abilities: dict[str, bool], vendor: str, machine: str, switched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, abilities, vendor=vendor, machine=machine)
    torch.set_float32_matmul_precision("highest")
    tune_matmul(torch.bfloat16)
    assert torch.get_float32_matmul_precision() == "highest"
    tune_matmul(torch.float32)
    assert torch.get_float32_matmul_precision() == ("medium" if switched else "highest")


def test_products_are_true_ones_whatever_was_chosen() -> None:
    tune_matmul(torch.float32)
    left, right = torch.randn(64, 256), torch.randn(256, 64)
    torch.testing.assert_close(left @ right, (left.double() @ right.double()).float(), rtol=1e-4, atol=1e-4)


def test_the_first_processor_that_linux_tells_of_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text("processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: Chip: One\n\nmodel name\t: Chip Two\n")
    monkeypatch.setattr(processor, "_TOLD_BY_LINUX", told)
    processor._told.cache_clear()
    try:
        assert processor.processor_name() == "Chip: One"
        assert processor._told("vendor_id") == "AuthenticAMD"
        assert processor._told("no such key") == ""
        processor._told.cache_clear()
        monkeypatch.setattr(processor, "_TOLD_BY_LINUX", tmp_path / "nowhere")
        monkeypatch.setattr(platform, "processor", lambda: "")
        monkeypatch.setattr(platform, "machine", lambda: "aarch64")
        assert processor.processor_name() == "aarch64"
    finally:
        processor._told.cache_clear()


@pytest.mark.parametrize(
    ("vendor", "others"), [("AuthenticAMD", True), ("HygonGenuine", True), ("GenuineIntel", False)]
)
def test_whom_the_math_kernel_library_gives_its_slower_kernels(
    vendor: str, others: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, ZEN_4, vendor=vendor)
    assert processor.has_mkls_slower_kernels() == others


@pytest.mark.parametrize("abilities", [ZEN_4, SAPPHIRE_RAPIDS])
def test_tiles_are_asked_for_once(abilities: dict[str, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, abilities)
    there = abilities["_is_amx_tile_supported"]
    assert processor.has_tiles() == there
    pretend(monkeypatch, {"_is_amx_tile_supported": not there})
    assert processor.has_tiles() == there
