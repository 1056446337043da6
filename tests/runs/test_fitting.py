"""Nobody named a size: the machine's speed and the time decide between the default preset and the next smaller one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import osnowa
from osnowa.runs import fitting
from osnowa.runs.api import recipe_of
from osnowa.runs.fitting import ENOUGH_TOKENS, fit, with_preset
from osnowa.runs.machine import Machine, set_up
from osnowa.runs.presets import DEFAULT, SMALLER, resolve
from osnowa.runs.recipe import Recipe

NARROW = {"tokenizer": {"vocab_size": 300}, "data": {"row_length": 32}, "training": {"held_out_rows": 8}}


@pytest.fixture
def speed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Tokens per second of this machine; the test may change it."""
    found = [ENOUGH_TOKENS / 60]

    def told(recipe: Recipe, _machine: Machine) -> float:
        assert recipe.run.preset == DEFAULT
        return found[0]

    monkeypatch.setattr(fitting, "tokens_per_second", told)
    return found


def test_the_size_follows_the_tokens_that_the_time_is_enough_for(speed: list[float]) -> None:
    recipe = recipe_of(minutes=1)
    assert fit(recipe, set_up(recipe)) == (recipe, None)
    speed[0] *= 0.99
    smaller, told = fit(recipe, set_up(recipe))
    assert smaller.run.preset == SMALLER
    assert smaller.values()["model"] == recipe_of(preset=SMALLER, minutes=1).values()["model"]
    assert told is not None
    assert told.startswith("preset encoder-tiny: in 1 minutes this machine would show encoder-mini about 4,950,000")
    longer = recipe_of(minutes=2)
    assert fit(longer, set_up(longer)) == (longer, None)


@pytest.mark.parametrize(
    "words",
    [
        {"preset": DEFAULT, "minutes": 1},
        {"preset": "bert-mini", "minutes": 1},
        {"preset": "encoder", "size": "mini", "minutes": 1},
        {"settings": {"model": {"d_model": 256}}, "minutes": 1},
        {"overrides": ["--model.num_heads=8"], "minutes": 1},
        {"steps": 10},
        {"tokens": 1000},
    ],
)
def test_what_somebody_named_is_kept(words: dict[str, object], speed: list[float]) -> None:
    speed[0] = 1.0
    recipe = recipe_of(**words)  # type: ignore[arg-type]
    assert fit(recipe, set_up(recipe)) == (recipe, None)


def test_wishes_are_kept_on_another_preset() -> None:
    words = {"minutes": 3, "objective": "masked", "settings": {"training": {"learning_rate": 7e-4}}}
    moved = with_preset(recipe_of(**words), SMALLER)
    assert moved == recipe_of(preset=SMALLER, **words)
    assert not moved.model.next_sentence
    assert moved.training.learning_rate == 7e-4


def test_the_presets_differ_in_the_model_alone() -> None:
    """So a text prepared for the one fits the other."""
    one, other = (resolve(name).sections for name in (DEFAULT, SMALLER))
    assert {name for name in one if one[name] != other[name]} == {"model"}


def test_a_run_goes_on_with_the_size_that_it_began_with(speed: list[float], text_folder: Path, tmp_path: Path) -> None:
    speed[0] = 1.0
    words = {"minutes": 0.04, "settings": NARROW}
    first = osnowa.pretrain(text_folder, tmp_path / "run", **words)
    assert first.facts["preset"] == SMALLER
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["requested"]["run"]["preset"] == DEFAULT
    speed[0] = 1e9
    again = osnowa.pretrain(text_folder, tmp_path / "run", **words)
    assert again.already_finished
    more = osnowa.pretrain(text_folder, tmp_path / "run", more_steps=2, **words)
    assert more.facts["preset"] == SMALLER
    assert more.facts["training"]["steps"] == first.facts["training"]["steps"] + 2
    assert osnowa.load(tmp_path / "run").config == osnowa.load(tmp_path / "run" / "model").config
    assert "encoder-tiny" in (tmp_path / "run" / "report.html").read_text()


def test_the_doctor_speaks_of_the_size_that_a_run_would_take(speed: list[float], text_folder: Path) -> None:
    speed[0] = 1.0
    found = osnowa.doctor(text_folder, minutes=1, settings=NARROW)
    assert dict(found.sections["Training"])["size"].startswith("preset encoder-tiny: ")
    named = osnowa.doctor(text_folder, minutes=1, preset=DEFAULT, settings=NARROW)
    assert "size" not in dict(named.sections["Training"])
    assert found.figures["parameters"] < named.figures["parameters"]
