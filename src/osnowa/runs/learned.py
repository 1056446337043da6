"""What a run tells of learning: its history for the page, and one training step with its own objective and settings."""

from __future__ import annotations

from pathlib import Path

from osnowa.errors import DamagedError, DataError
from osnowa.explain.chapter import Chapter
from osnowa.explain.history import history
from osnowa.explain.text_row import text_row
from osnowa.explain.training_step import training_step
from osnowa.generate.fill import check_length
from osnowa.model import Transformer
from osnowa.objective import Objective, ObjectiveConfig, Target, build_objective
from osnowa.runs.model import Model
from osnowa.runs.recipe import Recipe
from osnowa.runs.report_data import read_log
from osnowa.runs.rows import objective_of, vocabulary_of
from osnowa.tokenizer import Tokenizer
from osnowa.train.config import TrainingConfig
from osnowa.train.monitor import METRICS
from osnowa.train.snapshots import kept_snapshots, load_snapshot


def run_of(folder: Path) -> Path | None:
    """The run folder that a model's folder belongs to: itself, or the one around it; None for other models."""
    for candidate in (folder, folder.parent):
        if (candidate / "recipe.toml").is_file() and (candidate == folder or folder.name == "model"):
            return candidate
    return None


def run_history(folder: Path, tokenizer: Tokenizer) -> Chapter | None:
    """How the run learned; None where no snapshot was kept. Damaged ones are left out and named in the block's `notes`.

    Raises:
        InputMissingError, StorageError: the log can't be read.
    """
    run = run_of(folder)
    if run is None:
        return None
    found, notes = [], []
    for path in kept_snapshots(run):
        try:
            found.append(load_snapshot(path))
        except DamagedError as error:
            notes.append(str(error))
    chapter = history(found, read_log(run / METRICS)[0], tokenizer.readable)
    if chapter is not None:
        chapter.block["notes"] = notes
    return chapter


def run_step(
    folder: Path, model: Model, text: str, second: str | None = None, target: str | None = None, *, draw: int = 0
) -> Chapter:
    """One training step of `text`, with the objective and the optimiser of the run that `folder` belongs to.

    A model without a run (block: `assumed` is true) is asked what its topology usually learns, with default settings.
    `second` is taken to follow the first; `target` is the other side of a pair, where the objective is pairs. Another
    `draw` hides other tokens.

    Raises:
        DataError: nothing can be asked of the text, it is too long, or a target is missing or too much.
        SettingsError: the tokenizer lacks what the objective needs.
    """
    run, tokenizer = run_of(folder), model.tokenizer
    if run is not None:
        recipe = Recipe.build(recipe_file=run / "recipe.toml")
        objective, config, seed = (
            objective_of(recipe, tokenizer, recipe.run.seed),
            recipe.training,
            recipe.run.seed,
        )
    else:
        objective, config, seed = usual_objective(model.transformer, tokenizer, target), TrainingConfig(), 0
    other = other_side(objective, second, target)
    ids = tokenizer.encode_prompt(text)
    rows = text_row(objective, ids, tokenizer.encode(other) if other else (), number=draw)
    if not isinstance(objective, Target):
        check_length(model.transformer, rows.tokens[0].tolist(), "explain")
    chapter = training_step(model.transformer, objective, rows, config, tokenizer.readable, seed=seed)
    chapter.block["assumed"] = run is None
    return chapter


def other_side(objective: Objective, second: str | None, target: str | None) -> str | None:
    """What stands behind the text: the target of a pair, or a second sentence.

    Raises:
        DataError: a pair without its target.
    """
    if objective.shape == "couple" and not target:
        raise DataError("explain --step", "this model learns pairs, and no target is given", "add --target")
    return target if objective.shape == "couple" else second


def usual_objective(model: Transformer, tokenizer: Tokenizer, target: str | None) -> Objective:
    """What a model of that topology usually learns, for one that comes without a run.

    Raises:
        DataError: an encoder-decoder and no target.
    """
    topology = model.config.topology
    if topology == "encoder-decoder" and not target:
        raise DataError("explain --step", "nothing says what this model learned", "add --target")
    name = {"decoder": "next-token", "encoder-decoder": "translation"}.get(topology, "masked")
    if topology == "encoder" and model.next_sentence is not None:
        name = "masked-next-sentence"
    tokenizer.require(["pad", "cls", "sep", *(["mask"] if topology == "encoder" else [])])
    return build_objective(
        ObjectiveConfig.read("objective", {"name": name}),
        vocabulary_of(tokenizer),
        seed=0,
        topology=topology,
        row_length=model.config.max_positions,
    )
