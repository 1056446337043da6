"""Every number inside a model for one text: the trace of a loaded model with what its folder and its run tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from osnowa import files
from osnowa.errors import SettingsError
from osnowa.explain.trace import Trace, trace
from osnowa.runs.model import Model, load
from osnowa.runs.report_data import number, read_run, section


def explain(
    model: Model | str | Path,
    text: str | None = None,
    *,
    second: str | None = None,
    source: str | None = None,
    target: str | None = None,
    top_k: int = 20,
) -> Trace:
    """Every number of one forward pass of `model` (or of the model in that folder), proved by a second computation.

    `text` may hold [MASK] for an encoder; with `second` it is the pair that the next-sentence head judges. For an
    encoder-decoder the text is the source (`source` says the same); without a `target` the model says one itself.
    The result has `.tensors`, `.steps`, `.answers`, and `.save(path)` writes it as html, json or npz.

    Raises:
        SettingsError: a second sentence, a target or a mask that this model can't read.
        DataError: a text without tokens, or too many of them.
        OsnowaError: no such model, or a damaged one.
    """
    if top_k < 1:
        raise SettingsError(f"top_k = {top_k}", "is no count", "use 1 or more")
    if (text is None) == (source is None):
        raise SettingsError(
            "explain", "needs one text" if text is None else "has two texts", "give the text, or the source alone"
        )
    held = model if isinstance(model, Model) else load(model)
    if source is not None and held.config.topology != "encoder-decoder" and not held.source_whole:
        raise SettingsError(
            "source", f"a model of topology {held.config.topology} reads no source", "give the text alone"
        )
    made = trace(
        held.transformer,
        held.tokenizer,
        str(text if source is None else source),
        second,
        target,
        frame=held.frame,
        source_whole=held.source_whole,
        masked_head=held.masked_head,
        top_k=top_k,
        facts=folder_facts(held),
    )
    return with_history(made, held)


def with_history(made: Trace, model: Model) -> Trace:
    """The trace with what the run remembers of its training, where the model came from a run that does."""
    return made


def folder_facts(model: Model) -> dict[str, Any]:
    """What the folder tells: the class of the model, its name, and its training."""
    run = run_of(model.folder)
    config = files.read_json(model.folder / "config.json")
    classes = config.get("architectures")
    family = classes[0] if isinstance(classes, list) and classes else config.get("model_type")
    name = (run or model.folder).resolve().name
    return {
        "family": family if isinstance(family, str) else None,
        "folder": name,
        "training": None if run is None else training_facts(run),
        "notes": list(model.notes),
    }


def run_of(folder: Path) -> Path | None:
    """The run folder that a model folder belongs to."""
    parent = folder.resolve().parent
    return parent if folder.resolve().name == "model" and (parent / "recipe.toml").is_file() else None


def training_facts(run: Path) -> dict[str, Any]:
    """How long a run learned, what, and how well it does on text that it never saw."""
    told = read_run(run)
    loss = number(told.facts, "result", "token_loss")
    return {
        "steps": told.last_step,
        "held_out_loss": loss,
        "tokens": number(told.facts, "training", "tokens"),
        "seconds": number(told.facts, "training", "seconds"),
        "objective": told.objective or None,
        "preset": told.preset or None,
        "precision": section(told.facts, "machine").get("precision"),
    }


def with_chapter(made: Trace, key: str, chapter: Any) -> Trace:
    """A copy with one more chapter: "step", "history" or "seed"."""
    return replace(made, chapters={**made.chapters, key: chapter})
