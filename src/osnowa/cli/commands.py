"""One function for each verb: words in, a result shown, an exit code out."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osnowa.cli import show, show_samples
from osnowa.cli.arguments import steps_of
from osnowa.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from osnowa.runs.model import Model


def inputs(arguments: argparse.Namespace) -> list[str]:
    """TEXT... and --sample as one list."""
    sample = [f"sample:{arguments.sample}"] if arguments.sample else []
    return [*arguments.text, *sample]


def recipe(arguments: argparse.Namespace, overrides: list[str], **more: Any) -> Any:
    """The recipe that the flags and overrides make."""
    from osnowa.runs.api import recipe_of

    corpus: dict[str, Any] = {}
    if arguments.bad_lines:
        corpus["bad_lines"] = arguments.bad_lines
    if arguments.skip_unreadable:
        corpus["skip_unreadable"] = True
    settings = {"corpus": corpus, **more.pop("settings", {})}
    return recipe_of(
        preset=arguments.preset,
        size=arguments.size,
        objective=arguments.objective,
        recipe=arguments.recipe,
        tokenizer=arguments.tokenizer,
        source_column=arguments.source_column,
        target_column=arguments.target_column,
        seed=arguments.seed,
        device=arguments.device,
        settings=settings,
        overrides=overrides,
        **more,
    )


def asked_model(arguments: argparse.Namespace) -> Model:
    """The model of a verb that only asks one, where --device says, in a process of as many threads as a training's."""
    import torch

    from osnowa.runs import limits
    from osnowa.runs.model import load

    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("--device cuda", "this machine has no usable CUDA GPU", "use --device cpu")
    torch.set_num_threads(limits.threads())
    device = "cuda" if arguments.device == "cuda" else "cpu"
    return load(arguments.model, device, getattr(arguments, "weights", "float"))


def put(value: object) -> int:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
    return 0


def doctor(arguments: argparse.Namespace, overrides: list[str]) -> int:
    from osnowa.runs.doctor import doctor as examine

    text = inputs(arguments)
    if not text:
        raise UsageError("osnowa doctor", "no text given", "name files or folders, or use --sample python-docs")
    with show.phases(arguments) as bar:
        found = examine(text, recipe(arguments, overrides), progress=bar)
    return put(found.as_dict()) if arguments.json else show.examination(found)


def prepare(arguments: argparse.Namespace, overrides: list[str]) -> int:
    from osnowa.runs.prepare import prepare_into
    from osnowa.runs.show_rows import show_rows

    text = inputs(arguments)
    if not text:
        raise UsageError("osnowa prepare", "no text given", "name files or folders, or use --sample python-docs")
    if arguments.show < 0:
        raise UsageError("--show", f"{arguments.show} is no count of rows", "use 1 or more")
    chosen = recipe(arguments, overrides)
    with show.phases(arguments) as bar:
        prepared = prepare_into(text, Path(arguments.out), chosen, progress=bar)
    samples = show_rows(prepared, chosen, arguments.show)
    if arguments.json:
        return put(
            {
                "folder": arguments.out,
                "corpus": prepared.ledger,
                "tokenizer": prepared.fertility,
                "store": prepared.store.facts["splits"],
                **({"samples": [each.as_dict() for each in samples]} if arguments.show else {}),
            }
        )
    show_samples.samples(samples)
    return show.prepared(prepared, arguments.out, arguments.show_removed)


def pretrain(arguments: argparse.Namespace, overrides: list[str]) -> int:
    from osnowa.runs.pretrain import pretrain as train

    steps, more = steps_of(arguments)
    training = {"deterministic": True} if arguments.deterministic else {}
    chosen = recipe(
        arguments,
        overrides,
        minutes=arguments.minutes,
        steps=steps,
        tokens=arguments.tokens,
        settings={"training": training},
    )
    run = train(
        inputs(arguments), arguments.out, chosen, override=arguments.override, more_steps=more, quiet=arguments.quiet
    )
    if arguments.json:
        return put(
            {
                "run": str(run.folder),
                "model": str(run.folder / "model"),
                "finished": True,
                "already_finished": run.already_finished,
                **run.facts,
            }
        )
    return show.finished(run)


def presets(arguments: argparse.Namespace, overrides: list[str]) -> int:
    from osnowa.runs.preset_table import preset_rows

    rows = preset_rows(arguments.names)
    return put({"presets": rows}) if arguments.json else show.presets(rows)


def fill(arguments: argparse.Namespace, overrides: list[str]) -> int:
    if arguments.top_k < 1:
        raise UsageError("--top-k", f"{arguments.top_k} is no count", "use 1 or more")
    result = asked_model(arguments).fill(arguments.text, arguments.top_k)
    if arguments.json:
        return put({"masks": [[vars(guess) for guess in guesses] for guesses in result.masks]})
    return show.filled(arguments.text, result)


def next_sentence(arguments: argparse.Namespace, overrides: list[str]) -> int:
    result = asked_model(arguments).next_sentence(arguments.first, arguments.second)
    return put(vars(result)) if arguments.json else show.followed(result)


def import_folder(arguments: argparse.Namespace, overrides: list[str]) -> int:
    from osnowa.runs.exchange_folders import import_model

    made = import_model(arguments.folder, arguments.out)
    return put(made.as_dict()) if arguments.json else show.exchanged(made)


def export(arguments: argparse.Namespace, overrides: list[str]) -> int:
    from osnowa.runs.exchange_folders import export_model

    made = export_model(arguments.model, arguments.to, arguments.out, number_type=arguments.type)
    return put(made.as_dict()) if arguments.json else show.exchanged(made)


def report(arguments: argparse.Namespace, overrides: list[str]) -> int:
    from osnowa.runs.api import report as write

    path = write(arguments.run)
    return put({"report": str(path)}) if arguments.json else show.line(f"report: {path}")


def verify(arguments: argparse.Namespace, overrides: list[str]) -> int:
    from osnowa.runs.verify import verify as check
    from osnowa.runs.verify import verify_resume

    verdict = check(arguments.run)
    resumed = verify_resume(arguments.run) if arguments.resume and verdict.sound else None
    if arguments.json:
        put(
            {
                "sound": verdict.sound,
                "checked": verdict.checked,
                "damaged": verdict.damaged,
                "bytes": verdict.bytes_checked,
                "resume": resumed,
            }
        )
    else:
        show.verdict(verdict, resumed)
    return 0 if verdict.sound and resumed is not False else 65
