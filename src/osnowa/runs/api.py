"""The public functions: the same words as the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from osnowa.errors import DataError
from osnowa.runs import doctor as _doctor
from osnowa.runs import prepare as _prepare
from osnowa.runs import pretrain as _pretrain
from osnowa.runs.doctor import Examination
from osnowa.runs.exchange_folders import export_model, import_model
from osnowa.runs.explain import explain
from osnowa.runs.model import Model, load
from osnowa.runs.prepare import Prepared
from osnowa.runs.pretrain import Run
from osnowa.runs.recipe import Recipe
from osnowa.runs.report import write_report
from osnowa.runs.show_rows import show_rows
from osnowa.runs.verify import verify

__all__ = [
    "Model",
    "Run",
    "doctor",
    "explain",
    "export_model",
    "import_model",
    "load",
    "prepare",
    "pretrain",
    "report",
    "verify",
]

Settings = Mapping[str, Mapping[str, Any]]


def recipe_of(
    *,
    preset: str | None = None,
    size: str | None = None,
    objective: str | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    tokens: int | None = None,
    seed: int | None = None,
    device: str | None = None,
    tokenizer: str | Path | None = None,
    source_column: str | None = None,
    target_column: str | None = None,
    recipe: str | Path | None = None,
    settings: Settings | None = None,
    overrides: Iterable[str] = (),
) -> Recipe:
    """A recipe from the words that the command line has for the most used settings.

    Raises:
        SettingsError: everything that is wrong, at once.
    """
    values: dict[str, dict[str, Any]] = {name: dict(section) for name, section in (settings or {}).items()}
    for section, key, value in (
        ("training", "minutes", None if minutes is None else float(minutes)),
        ("training", "steps", steps),
        ("training", "tokens", tokens),
        ("objective", "name", objective),
        ("run", "seed", seed),
        ("run", "device", device),
        ("run", "tokenizer", None if tokenizer is None else str(tokenizer)),
        ("corpus", "source_column", source_column),
        ("corpus", "target_column", target_column),
    ):
        if value is not None:
            values.setdefault(section, {})[key] = value
    path = None if recipe is None else Path(recipe)
    return Recipe.build(preset=preset, size=size, recipe_file=path, overrides=overrides, values=values)


def _inputs(text: Sequence[str | Path] | str | Path) -> list[str]:
    return [str(text)] if isinstance(text, str | Path) else [str(each) for each in text]


def pretrain(
    text: Sequence[str | Path] | str | Path,
    out: str | Path,
    *,
    override: bool = False,
    more_steps: int | None = None,
    quiet: bool = True,
    **words: Any,
) -> Run:
    """Raw text to a base model in the run folder `out`; the same call again goes on, or says that it is finished.

    `words` are those of `recipe_of`: preset, size, objective, minutes, steps, tokens, seed, device, tokenizer,
    source_column, target_column, recipe, settings={"training": {"batch_rows": 32}}.

    Raises:
        OsnowaError: with the place, what is wrong and what to do.
    """
    return _pretrain.pretrain(
        _inputs(text), out, recipe_of(**words), override=override, more_steps=more_steps, quiet=quiet
    )


def prepare(text: Sequence[str | Path] | str | Path, out: str | Path, *, show: int = 0, **words: Any) -> Prepared:
    """The data half of `pretrain`: a prepared corpus in the folder `out`, which `pretrain` takes as its text.

    `show`: so many rows, decoded, are its `samples`: what goes in and what must come out.

    Raises:
        OsnowaError
    """
    recipe = recipe_of(**words)
    prepared = _prepare.prepare_into(_inputs(text), Path(out), recipe)
    return replace(prepared, samples=tuple(show_rows(prepared, recipe, show)))


def doctor(text: Sequence[str | Path] | str | Path, **words: Any) -> Examination:
    """What a corpus is like before any training, with warnings and the lines that caused them.

    Raises:
        OsnowaError
    """
    return _doctor.doctor(_inputs(text), recipe_of(**words))


def report(run: str | Path) -> Path:
    """Write RUN/report.html from what the run has logged; its path.

    Raises:
        OsnowaError
    """
    folder = Path(run)
    if not (folder / "recipe.toml").is_file():
        raise DataError(str(folder), "is not a run folder (no recipe.toml)", "name the --out of a pretrain command")
    return write_report(folder)
