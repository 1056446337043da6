"""The size of the default preset: the usual one, or the next smaller where this machine could teach it too little."""

from __future__ import annotations

from osnowa.runs.machine import Machine
from osnowa.runs.presets import DEFAULT, SMALLER, resolve
from osnowa.runs.recipe import Recipe
from osnowa.runs.speed import tokens_per_second

# Of the usual size, shown in the time asked for. Measured in equal time: with 0.7 M tokens of Polish it was right about
# 11.4 % of the hidden tokens, and with 2.8 M of English about 36.5 %, where the smaller saw 3.2 M and reached 36.9 %; it
# sees four tokens in the time of one. Where the two meet lies above that and was not measured: 5 M is a choice.
ENOUGH_TOKENS = 5e6


def is_open(recipe: Recipe) -> bool:
    """Whether the size is ours to choose: nobody named a preset or anything of the model, and the time is given."""
    named = any(name == "run.preset" or name.startswith("model.") for name in recipe.asked)
    return recipe.run.preset == DEFAULT and not named and recipe.training.minutes is not None


def fit(recipe: Recipe, machine: Machine) -> tuple[Recipe, str | None]:
    """The recipe with the size that fits, and what to say when that is not the usual one."""
    if not is_open(recipe):
        return recipe, None
    assert recipe.training.minutes is not None
    expected = 60 * recipe.training.minutes * tokens_per_second(recipe, machine)
    if expected >= ENOUGH_TOKENS:
        return recipe, None
    told = (
        f"preset {SMALLER}: in {recipe.training.minutes:g} minutes this machine would show {DEFAULT} about "
        f"{expected:,.0f} tokens, too few to learn much; --preset {DEFAULT} takes it all the same"
    )
    return with_preset(recipe, SMALLER), told


def with_preset(recipe: Recipe, preset: str) -> Recipe:
    """The same wishes on top of another preset."""
    changes = {
        section: {key: value for key, value in values.items() if f"{section}.{key}" not in recipe.asked}
        for section, values in resolve(preset).sections.items()
    }
    changes["model"]["next_sentence"] = recipe.model.next_sentence  # follows the objective
    return recipe.changed({**changes, "run": {"preset": preset}})
