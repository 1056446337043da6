"""A recipe: every setting of a run, from a preset, a TOML file and the command line; later wins."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import Field

from osnowa.corpus import CorpusConfig
from osnowa.data.config import DataConfig
from osnowa.errors import InputMissingError, SettingsError
from osnowa.files import nearest_parent
from osnowa.model import ModelConfig
from osnowa.objective import PAIRED, ObjectiveConfig
from osnowa.objective.config import EXTRA_SPECIALS
from osnowa.runs.presets import DEFAULT, resolve
from osnowa.settings import Settings, nearest, parse_overrides
from osnowa.tokenizer import TokenizerConfig
from osnowa.train.config import TrainingConfig

DEFAULT_MINUTES = 10.0
LENGTHS = ("minutes", "steps", "tokens")


class RunConfig(Settings):
    """Section [run]: what belongs to no room."""

    preset: str = Field(default=DEFAULT, description="the architecture and recipe to start from")
    seed: int = Field(default=0, description="all randomness is a function of it", ge=0, le=2**63 - 1)
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="where to train")
    text: tuple[str, ...] = Field(default=(), description="files and folders of text")
    tokenizer: str | None = Field(default=None, description="an existing tokenizer instead of a trained one")


SECTIONS: dict[str, type[Settings]] = {
    "run": RunConfig,
    "corpus": CorpusConfig,
    "tokenizer": TokenizerConfig,
    "data": DataConfig,
    "model": ModelConfig,
    "objective": ObjectiveConfig,
    "training": TrainingConfig,
}
Values = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Recipe:
    """The settings of a run by section, validated."""

    run: RunConfig
    corpus: CorpusConfig
    tokenizer: TokenizerConfig
    data: DataConfig
    model: ModelConfig
    objective: ObjectiveConfig
    training: TrainingConfig
    asked: frozenset[str] = field(
        default=frozenset(), compare=False
    )  # "section.key" that somebody chose, not a default

    @classmethod
    def build(
        cls,
        *,
        preset: str | None = None,
        size: str | None = None,
        recipe_file: Path | None = None,
        overrides: Iterable[str] = (),
        values: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Recipe:
        """Preset, then file, then `values`, then `--section.key=value` words; later wins.

        Raises:
            SettingsError: everything that is wrong, at once.
            InputMissingError: no such recipe file.
        """
        from_file = read_toml(recipe_file) if recipe_file else {}
        given = {name: dict(section) for name, section in (values or {}).items()}
        words = parse_overrides(overrides, SECTIONS)
        if "vocab_size" in words.get("model", {}):
            raise SettingsError("model.vocab_size", "follows the tokenizer", "use --tokenizer.vocab_size")
        name = words.get("run", {}).get("preset") or preset or given.get("run", {}).get("preset")
        chosen = resolve(str(name or from_file.get("run", {}).get("preset") or DEFAULT), size)
        merged: Values = {}
        asked_by_name = preset or size or words.get("run", {}).get("preset")
        layers = (from_file, chosen.sections) if asked_by_name else (chosen.sections, from_file)
        for layer in (*layers, given, words):
            merge(merged, layer)
        own = (from_file, given, words)
        if merged.get("corpus", {}).get("source_column") and not any(
            "name" in each.get("objective", {}) for each in own
        ):
            merged.setdefault("objective", {})["name"] = "translation"  # what else pairs are for must be named
        if not any("next_sentence" in layer.get("model", {}) for layer in own):
            objective = merged.get("objective", {}).get("name", "masked-next-sentence")
            merged["model"]["next_sentence"] = objective in PAIRED
        if not any("extra_specials" in layer.get("tokenizer", {}) for layer in own):
            extra = EXTRA_SPECIALS.get(merged.get("objective", {}).get("name", ""), ())
            merged.setdefault("tokenizer", {})["extra_specials"] = list(extra)
        merged.setdefault("run", {})["preset"] = chosen.name
        if not any(merged.get("training", {}).get(length) is not None for length in LENGTHS):
            merged.setdefault("training", {})["minutes"] = DEFAULT_MINUTES
        by_name = chosen.sections if name or size or "preset" in from_file.get("run", {}) else {}
        asked = (
            f"{part}.{key}" for layer in (by_name, from_file, given, words) for part in layer for key in layer[part]
        )
        return replace(cls.read(merged), asked=frozenset(asked))

    @classmethod
    def read(cls, values: Mapping[str, Mapping[str, Any]]) -> Recipe:
        """All sections from mappings.

        Raises:
            SettingsError: every wrong section, key and value, and sections that can't go together.
        """
        errors: list[SettingsError] = [
            SettingsError(f"[{name}]", "no such section", nearest("", name, SECTIONS))
            for name in values
            if name not in SECTIONS
        ]
        read: dict[str, Any] = {}
        for name, section in SECTIONS.items():
            try:
                read[name] = section.read(name, values.get(name, {}))
            except SettingsError as error:
                errors.extend(error.parts)
        if {"data", "model"} <= read.keys():
            errors.extend(check_together(read["data"], read["model"]))
        if {"objective", "model"} <= read.keys():
            errors.extend(check_objective(read["objective"], read["model"]))
        if errors:
            raise SettingsError.join(errors)
        return cls(**read)

    def values(self) -> Values:
        """Plain mappings by section, settings that are None left out (None means: derived)."""
        return {
            name: {
                key: value for key, value in getattr(self, name).model_dump(mode="json").items() if value is not None
            }
            for name in SECTIONS
        }

    def to_toml(self) -> str:
        """The text of recipe.toml; `Recipe.build(recipe_file=...)` reads it back to the same recipe."""
        return tomli_w.dumps(_without_none(self.values()))

    def changed(self, values: Mapping[str, Mapping[str, Any]]) -> Recipe:
        """A copy with some settings replaced, validated again."""
        merged = self.values()
        merge(merged, values)
        return replace(self.read(merged), asked=self.asked)


def merge(into: Values, layer: Mapping[str, Mapping[str, Any]]) -> None:
    """Lay `layer` over `into`. Of minutes, steps and tokens a layer's own replaces what lay below."""
    for name, section in layer.items():
        below = into.setdefault(name, {})
        if name == "training" and any(section.get(length) is not None for length in LENGTHS):
            for length in LENGTHS:
                below.pop(length, None)
        below.update(section)


def check_together(data: DataConfig, model: ModelConfig) -> list[SettingsError]:
    """Sections that each are right but don't fit."""
    errors = []
    if data.row_length > model.max_positions:
        errors.append(
            SettingsError(
                f"data.row_length = {data.row_length}",
                f"is more than model.max_positions = {model.max_positions}",
                f"use at most {model.max_positions}, or raise model.max_positions",
            )
        )
    return errors


def check_objective(objective: ObjectiveConfig, model: ModelConfig) -> list[SettingsError]:
    """Each objective is something for some topologies only."""
    misfit = objective.misfit(model.topology)
    return check_head(objective, model) if misfit is None else [misfit]


def check_head(objective: ObjectiveConfig, model: ModelConfig) -> list[SettingsError]:
    """A next-sentence head without its questions would stay random, and questions need a head."""
    asked = objective.asks_pairs
    if asked == model.next_sentence:
        return []
    return [
        SettingsError(
            f"model.next_sentence = {str(model.next_sentence).lower()}",
            f"does not go with objective.name = {objective.name}",
            f"leave it out, or use --objective {'masked' if asked else 'masked-next-sentence'}",
        )
    ]


def read_toml(path: Path) -> Values:
    """A recipe file.

    Raises:
        InputMissingError, SettingsError: not there, not TOML (with the place).
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except PermissionError:
        raise InputMissingError(str(path), "can't be read (no permission)", "allow it, or name another") from None
    except FileNotFoundError:
        raise InputMissingError(str(path), "no such recipe", nearest_parent(path)) from None
    except IsADirectoryError:
        raise InputMissingError(str(path), "is a folder", "name a .toml file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), f"is not TOML ({error})", "mend that line") from None
    for name, value in values.items():
        if not isinstance(value, dict):
            raise SettingsError(f"{path}: {name}", "stands outside a section", "write it under one such as [training]")
    return values


def difference(old: Values, new: Values) -> dict[str, str]:
    """Settings that differ, as readable lines by name: `training.learning_rate: 0.003 -> 0.001`."""
    lines = {}
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, {}), new.get(name, {})
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key):
                lines[f"{name}.{key}"] = f"{name}.{key}: {show(before.get(key))} -> {show(after.get(key))}"
    return lines


def show(value: object) -> str:
    return "derived" if value is None else json.dumps(value, ensure_ascii=False)


def _without_none(value: Any) -> Any:
    """TOML has no null: inside lists a missing window is written as the word none."""
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items()}
    if isinstance(value, list):
        return ["none" if each is None else _without_none(each) for each in value]
    return value
