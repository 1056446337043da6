"""The demo takes the default preset where the machine is fast enough for it, and the next smaller one elsewhere."""

from __future__ import annotations

import pytest

from osnowa.cli import demo


@pytest.mark.parametrize(("speed", "preset"), [(12_000.0, "encoder-mini"), (2_500.0, "encoder-tiny")])
def test_the_preset_follows_the_speed_of_the_machine(
    speed: float, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(demo, "tokens_per_second", lambda recipe, machine: asked.append(recipe.run.preset) or speed)
    assert demo.choose_preset(4.0) == preset
    assert asked == ["encoder-mini"]
