"""The TEXT of a command: raw text or one prepared folder, what it holds now, and how that differs from before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from osnowa import files
from osnowa.corpus import fingerprint_inputs
from osnowa.errors import SettingsError, UsageError
from osnowa.runs.recipe import Recipe, difference, show
from osnowa.tokenizer import Tokenizer

DATA_SECTIONS = ("corpus", "tokenizer")  # settings that a prepared folder has been made with
_READ_OFF = ("kind", "vocab_size")  # of a tokenizer: what the file itself says

# --- prepared folders -------------------------------------------------------------------------------------------


def is_prepared(folder: Path) -> bool:
    """Whether `folder` looks like one that `prepare` published."""
    return (folder / files.MANIFEST).is_file() and (folder / "train.tokens").is_file()


def prepared_text(text: Sequence[str]) -> Path | None:
    """The prepared folder that was given as TEXT; None when it is raw text.

    Raises:
        UsageError: a prepared folder among other text.
    """
    prepared = [each for each in text if is_prepared(Path(each))]
    if prepared and len(text) > 1:
        raise UsageError(
            prepared[0],
            "is a prepared corpus and can't be mixed with other text",
            "give it alone, or give the text it was made from",
        )
    return Path(prepared[0]) if prepared else None


def refuse_prepared(text: Sequence[str]) -> None:
    """Raises UsageError when TEXT is a prepared folder, or one is among it."""
    if (folder := prepared_text(text)) is not None:
        raise UsageError(str(folder), "is prepared already", "give it to osnowa pretrain, or name raw text here")


def data_folder(run: Path, recipe: Recipe) -> Path:
    """The token store of a run: its own, or the prepared folder that was given as text."""
    return prepared_text(recipe.run.text) or run / "data"


def check_asked(recipe: Recipe, folder: Path, facts: Mapping[str, Any], tokenizer: Tokenizer) -> None:
    """See that nothing was asked for that the prepared corpus in `folder` was not made with.

    A default that nobody chose does not count: then the folder's own setting holds.

    Raises:
        SettingsError: each setting that differs, or another tokenizer, with what to say instead.
    """
    asked, made = recipe.values(), made_with(facts, tokenizer)
    errors = []
    for name in sorted(recipe.asked):
        section, _, key = name.partition(".")
        if section not in DATA_SECTIONS:
            continue
        value, there = asked[section].get(key), made[section].get(key)
        real = getattr(tokenizer, key) if section == "tokenizer" and key in _READ_OFF else there
        if value not in (there, real):
            what = f"but {folder} was prepared with {show(real)}"
            instead = f"use --{name}={_word(real)} for what is there, or prepare the text again"
            errors.append(SettingsError(f"{name} = {show(value)}", what, instead))
    if recipe.run.tokenizer is not None:
        given = Tokenizer.from_file(Path(recipe.run.tokenizer))
        if given.fingerprint != tokenizer.fingerprint:
            instead = "leave --tokenizer out, or prepare the text again with it"
            errors.append(other_tokenizer(given, f"{folder} was prepared", tokenizer.fingerprint, instead))
    if errors:
        raise SettingsError.join(errors)


def made_with(facts: Mapping[str, Any], tokenizer: Tokenizer) -> dict[str, dict[str, Any]]:
    """The corpus and tokenizer settings behind a token store."""
    settings = {section: dict(facts["settings"][section]) for section in DATA_SECTIONS}
    if facts.get("given_tokenizer") is not None:  # learned elsewhere: what was set here made nothing
        settings["tokenizer"] |= {key: getattr(tokenizer, key) for key in _READ_OFF}
    return settings


def other_tokenizer(given: Tokenizer, whose: str, fingerprint: str, instead: str) -> SettingsError:
    """The error for a --tokenizer that is not the one of a run or a prepared folder."""
    what = f"is tokenizer {given.fingerprint[:12]}, {whose} with {fingerprint[:12]}"
    return SettingsError(f"--tokenizer {given.where}", what, instead)


def _word(value: Any) -> str:
    """A setting's value as the command line takes it."""
    return ",".join(map(str, value)) if isinstance(value, list) else "none" if value is None else show(value).strip('"')


# --- raw text ---------------------------------------------------------------------------------------------------


def inputs_now(inputs: Sequence[str], recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of every source as it is now.

    Raises:
        OsnowaError: as reading them would.
    """
    with files.scratch() as scratch:
        return fingerprint_inputs(inputs, recipe.corpus, scratch)


def can_be_read_again(inputs: Sequence[str]) -> bool:
    """False for standard input and named pipes."""
    return not any(each == "-" or Path(each).is_fifo() for each in inputs)


def data_settings(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """The settings that decide what a prepared corpus holds."""
    values = recipe.values()
    return {section: values[section] for section in DATA_SECTIONS}


def data_difference(
    facts: Mapping[str, Any], inputs: Sequence[str], recipe: Recipe, given: Tokenizer | None
) -> list[str]:
    """How text, settings and --tokenizer differ from those behind a token store with these facts."""
    lines = changed_inputs(facts["inputs"], inputs_now(inputs, recipe))
    lines += difference(facts["settings"], data_settings(recipe)).values()
    before, now = facts.get("given_tokenizer"), given.fingerprint if given is not None else None
    return [*lines, f"run.tokenizer: {show(before)} -> {show(now)}"] if before != now else lines


def changed_inputs(old: Any, new: Any) -> list[str]:
    """Readable lines: which source was added, removed or changed."""
    before = {name: source["sha256"] for name, source in old.items()}
    after = {name: source["sha256"] for name, source in new.items()}
    lines = [f"{name}: removed" for name in before.keys() - after.keys()]
    lines += [f"{name}: added" for name in after.keys() - before.keys()]
    lines += [f"{name}: changed" for name in before.keys() & after.keys() if before[name] != after[name]]
    return sorted(lines)
