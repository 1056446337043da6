"""Every number inside a model for one text: the trace of a loaded model with what its folder and its run tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from osnowa import files
from osnowa.errors import SettingsError
from osnowa.explain.chapter import Chapter
from osnowa.explain.seed_example import seed_walk
from osnowa.explain.trace import Trace, trace
from osnowa.runs.learned import run_history, run_of, run_step
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
    step: bool = False,
) -> Trace:
    """Every number of one forward pass of `model` (or of the model in that folder), proved by a second computation.

    `text` may hold [MASK] for an encoder; with `second` it is the pair that the next-sentence head judges. For an
    encoder-decoder the text is the source (`source` says the same); without a `target` the model says one itself.
    `step`: one training step with this text, too; the model itself stays as it is. How the model learned is there where
    its run kept snapshots. The result has `.tensors`, `.steps`, `.answers`, and `.save(path)` writes it as html, json or npz.

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
    words = str(text if source is None else source)
    made = trace(
        held.transformer,
        held.tokenizer,
        words,
        second,
        target,
        frame=held.frame,
        source_whole=held.source_whole,
        masked_head=held.masked_head,
        top_k=top_k,
        facts=folder_facts(held),
    )
    history = run_history(held.folder, held.tokenizer)
    made = made if history is None else with_chapter(made, "history", history)
    return with_chapter(made, "step", run_step(held.folder, held, words, second, target)) if step else made


def seed_example() -> Trace:
    """The walk of the text with its own numbers: a model of width 4 that holds its vectors, and its 13 tokens."""
    walk = seed_walk()
    made = trace(walk.model, walk.tokenizer, walk.text, walk.second, facts={"folder": "seed example"})
    return with_chapter(made, "seed", walk.chapter)


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
        "notes": [note.replace(str(model.folder), name) for note in model.notes],
    }


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


def with_chapter(made: Trace, key: str, chapter: Chapter) -> Trace:
    """A copy with one more chapter: "step", "history" or "seed"."""
    return replace(made, chapters={**made.chapters, key: chapter})
