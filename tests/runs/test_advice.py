"""What is said before the machine is busy: numbers that it does not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from osnowa.runs import api, doctor, machine

SETTINGS = {"tokenizer": {"vocab_size": 300}}


@pytest.fixture
def prepared(text_folder: Path, tmp_path: Path) -> Path:
    return api.prepare(text_folder, tmp_path / "data", preset="encoder-tiny", settings=SETTINGS).store.folder


@pytest.mark.parametrize(
    ("precision", "native", "advised"),
    [("bf16", False, True), ("bf16", True, False), ("fp32", False, False), ("auto", False, False)],
)
def test_bfloat16_that_the_processor_does_not_have_is_advised_against(
    precision: str, native: bool, advised: bool, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "has_fast_bfloat16", lambda _device: native)
    monkeypatch.setattr(machine, "tune_matmul", lambda _dtype: None)  # this process is that of other tests, too
    settings = {**SETTINGS, "training": {"precision": precision}}
    if precision == "auto":
        monkeypatch.setattr("osnowa.train.precision.has_fast_bfloat16", lambda _device: native)
    found = api.doctor(prepared, preset="encoder-tiny", steps=5, settings=settings)
    assert ("emulated" in [each.code for each in found.warnings]) == advised
