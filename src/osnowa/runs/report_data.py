"""What a report is made from: the files of a run folder, read so that a missing or torn part is said and not fatal."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osnowa import files
from osnowa.errors import DamagedError, InputMissingError
from osnowa.objective.words import Words, words_of

Point = tuple[float, float]
Record = Mapping[str, Any]
SOURCES = ("metrics.jsonl", "corpus.json", "facts.json", "recipe.toml", "run.json")


@dataclass(frozen=True)
class Run:
    """A run as its folder tells it; records are in the order of their steps, each step once."""

    folder: Path
    train: list[Record]
    held_out: list[Record]
    probes: list[Record]
    events: list[Record]
    ledger: Record
    facts: Record
    plan: Record
    recipe: str
    settings: Record
    problems: list[str]
    has_model: bool

    @property
    def last_step(self) -> int:
        return max((int(record["step"]) for record in (*self.train, *self.held_out)), default=0)

    @property
    def untrained(self) -> bool:
        """Whether nothing has been measured yet after the first step."""
        return max((record["step"] for record in self.held_out), default=0) == 0

    @property
    def total_steps(self) -> int | None:
        """Planned; None before the plan was made."""
        for found in (number(self.plan, "steps"), number(self.facts, "training", "steps")):
            if found is not None:
                return int(found)
        return None

    @property
    def finished(self) -> bool:
        return self.has_model and self.last_step >= (self.total_steps or 0)

    @property
    def preset(self) -> str:
        """The name of the architecture, or "" where no file says it."""
        for told in (section(self.facts, "model"), self.facts, section(self.settings, "run")):
            if isinstance(told.get("preset"), str):
                return str(told["preset"])
        return ""

    @property
    def objective(self) -> str:
        """The name of what was asked, or "" where no file says it."""
        for told in (section(self.facts, "objective"), section(self.settings, "objective")):
            if isinstance(told.get("name"), str):
                return str(told["name"])
        return ""

    @property
    def words(self) -> Words:
        """What was asked, in words."""
        return words_of(self.objective)

    @property
    def vocab_size(self) -> float | None:
        for told in (section(self.facts, "tokenizer"), section(self.settings, "model")):
            if (found := number(told, "vocab_size")) is not None:
                return found
        return None


def read_run(folder: Path) -> Run:
    """The run in `folder`, finished or not.

    Raises:
        InputMissingError: none of a run's files is there.
    """
    if not any((folder / name).is_file() for name in SOURCES):
        raise InputMissingError(str(folder), "is not a run folder", f"give one that holds {SOURCES[0]}")
    problems: list[str] = []
    records = _read_lines(folder / SOURCES[0], problems)
    by_kind = {
        kind: _in_order(r for r in records if r.get("kind") == kind) for kind in ("train", "held_out", "probe", "event")
    }
    recipe = _read_text(folder / "recipe.toml")
    return Run(
        folder=folder,
        train=by_kind["train"],
        held_out=by_kind["held_out"],
        probes=by_kind["probe"],
        events=by_kind["event"],
        ledger=_read_object(folder / "corpus.json", problems),
        facts=_read_object(folder / "facts.json", problems),
        plan=section(_read_object(folder / "run.json", problems), "plan"),
        recipe=recipe,
        settings=_read_settings(recipe, problems),
        problems=problems,
        has_model=(folder / "model" / "config.json").is_file(),
    )


def _read_lines(path: Path, problems: list[str]) -> list[Record]:
    records, unreadable = read_log(path)
    if unreadable:
        problems.append(f"{path.name}: {unreadable} unreadable line(s) left out of this report")
    return records


def read_log(path: Path) -> tuple[list[Record], int]:
    """The lines of metrics.jsonl that are sound, and how many are not; nothing where there is no such file.

    Raises:
        InputMissingError, StorageError: the file can't be read.
    """
    if not path.is_file():
        return [], 0
    records: list[Record] = []
    unreadable = 0
    with files.reading_errors(path):
        content = path.read_bytes()
    for line in content.split(b"\n"):
        if not line:
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict) and number(record, "step") is not None:
            records.append(record)
        else:
            unreadable += 1
    return records, unreadable


def _read_object(path: Path, problems: list[str]) -> Record:
    try:
        value = files.read_json(path)
    except InputMissingError:
        return {}
    except DamagedError as error:
        problems.append(f"{path.name}: {error.what}; its part of this report is missing")
        return {}
    return value if isinstance(value, dict) else {}


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _read_settings(recipe: str, problems: list[str]) -> Record:
    try:
        return tomllib.loads(recipe)
    except tomllib.TOMLDecodeError as error:
        problems.append(f"recipe.toml: can't be read ({error})")
        return {}


def _in_order(records: Iterable[Record]) -> list[Record]:
    """By step; of two records about the same thing the later line counts (a run resumed without its log cut back)."""
    latest = {(record["step"], str(record.get("text", record.get("message", "")))): record for record in records}
    return sorted(latest.values(), key=lambda record: record["step"])


# --- careful looks into JSON ---

_LARGEST = 1e100  # no run counts or loses that much; also refuses infinity and not-a-number


def number(value: object, *path: str) -> float | int | None:
    """The number at `path` inside nested objects; None where there is none that means anything."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < _LARGEST:
        return None
    return value


def section(value: object, *path: str) -> Record:
    """The object at `path`, or an empty one."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def entries(value: object, *path: str) -> list[Any]:
    """The list at `path`, or an empty one."""
    inner = section(value, *path[:-1]).get(path[-1])
    return inner if isinstance(inner, list) else []


def numbers(value: object, *path: str) -> dict[str, float]:
    """The numbers of the object at `path`, by key."""
    inner = section(value, *path)
    return {str(key): found for key in inner if (found := number(inner, key)) is not None}


def series(records: Iterable[Record], key: str) -> list[Point]:
    """(step, value) of the records that have `key`."""
    return [(record["step"], found) for record in records if (found := number(record, key)) is not None]


def last(records: list[Record], key: str) -> float | None:
    points = series(records, key)
    return points[-1][1] if points else None


def at_start(records: list[Record], key: str) -> float | None:
    """The value before the first step, if it was measured."""
    points = series(records, key)
    return points[0][1] if points and points[0][0] == 0 else None
