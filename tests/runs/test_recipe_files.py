"""The recipes that are handed out: each is read, says its choices itself, and takes a step on text."""

from __future__ import annotations

from pathlib import Path

import pytest

from osnowa.runs.recipe import Recipe
from small_run import osnowa

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").glob("*.toml"))
TINY = (
    "--tokenizer.vocab_size=400",
    "--model.d_model=32",
    "--model.num_heads=2",
    "--model.d_ff=48",
    "--data.row_length=32",
    "--training.batch_rows=4",
    "--training.evaluations=1",
    "--training.held_out_rows=8",
    "--quiet",
)


def test_there_is_one_for_each_topology() -> None:
    topologies = {path.stem: Recipe.build(recipe_file=path).model.topology for path in RECIPES}
    assert topologies == {name: name for name in ("decoder", "encoder", "encoder-decoder")}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_takes_two_steps_on_text(path: Path, text_folder: Path, tmp_path: Path) -> None:
    done = osnowa("pretrain", text_folder, "--recipe", path, "--steps", "2", "--out", tmp_path / "run", *TINY)
    assert done.code == 0, done.err
    used, written = Recipe.build(recipe_file=tmp_path / "run" / "recipe.toml"), Recipe.build(recipe_file=path)
    assert used.training.optimiser == written.training.optimiser
    assert used.training.matrix_learning_rate == written.training.matrix_learning_rate
    assert used.objective.mask_share == written.objective.mask_share
    assert (tmp_path / "run" / "model" / "config.json").is_file()
