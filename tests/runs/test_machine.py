"""How many threads a run takes: what is set, else what the environment says, else one a core."""

from __future__ import annotations

import os

import pytest
import torch

from osnowa.runs.api import recipe_of
from osnowa.runs.machine import set_up, usual_threads


@pytest.mark.parametrize(
    ("asked", "expected"), [("1", 1), ("3", 3), (" 2,1 ", 2), ("", None), ("0", None), ("x", None)]
)
def test_the_environment_is_asked_before_the_cores_are_counted(
    asked: str, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert usual_threads() == (expected or len(os.sched_getaffinity(0)))


def test_a_setting_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    try:
        assert set_up(recipe_of(preset="encoder-tiny", steps=1, settings={"training": {"threads": 2}})).threads == 2
        assert torch.get_num_threads() == 2
        assert set_up(recipe_of(preset="encoder-tiny", steps=1)).threads == 1
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
