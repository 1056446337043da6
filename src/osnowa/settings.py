"""Frozen settings classes, their errors in our words, and `--section.key=value` on top of them."""

from __future__ import annotations

import difflib
import json
import re
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from osnowa.errors import SettingsError

_LONGEST_SHOWN = 80  # characters of a wrong value


class Settings(BaseModel):
    """Base of every config class: frozen, keyword-only, unknown keys refused, no silent conversion of types.

    `true` is no 1, "8" no 8 and 8.0 no 8; a whole number serves where any number is wanted, a list where a tuple is.
    A validator of a subclass raises `ValueError(SettingsError(...))`, which pydantic collects with its own findings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, values: Any) -> Any:
        """TOML and JSON know lists only."""
        if not isinstance(values, Mapping):
            return values
        return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}

    @classmethod
    def read(cls, section: str, values: Mapping[str, object]) -> Self:
        """The settings of `[section]` from a mapping.

        Raises:
            SettingsError: every wrong key and value at once, each with its place and the nearest right one.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise SettingsError.join(explain(cls, section, error.errors())) from None

    def changed(self, **updates: object) -> Self:
        """A copy with `updates`, validated again (a preset is such a diff of its ancestor).

        Raises:
            SettingsError: as `read`.
        """
        return self.read(type(self).__name__, {**dict(self), **updates})


# --- errors in our words ----------------------------------------------------------------------------------------


def explain(cls: type[Settings], section: str, details: Iterable[ErrorDetails]) -> list[SettingsError]:
    """pydantic's findings in three parts: where, what, what instead; one for each setting."""
    found: dict[str, list[ErrorDetails]] = {}
    errors: list[SettingsError] = []
    for detail in details:
        raised = detail.get("ctx", {}).get("error")
        own = raised.args[0] if isinstance(raised, ValueError) and raised.args else None
        if isinstance(own, SettingsError):
            errors.append(own)
        else:
            found.setdefault(str(detail["loc"][0]) if detail["loc"] else "", []).append(detail)
    for key, findings in found.items():
        errors.append(_explain_one(cls, section, key, findings))
    return list({str(error): error for error in errors}.values())


def _explain_one(cls: type[Settings], section: str, key: str, findings: list[ErrorDetails]) -> SettingsError:
    place = f"{section}.{key}" if key else section
    kinds = {detail["type"] for detail in findings}
    if "extra_forbidden" in kinds:
        return SettingsError(place, "no such setting", nearest(f"{section}.", key, cls.model_fields))
    if "missing" in kinds:
        return SettingsError(place, "is required", f"give --{place}=...")
    # A setting of several types fails once for each of them: the first says what is wrong, all say what would be right.
    described = [describe(detail) for detail in findings]
    instead = " or ".join(dict.fromkeys(instead for _, instead in described if instead))
    if not key:
        return SettingsError(place, described[0][0], instead)
    return SettingsError(f"{place} = {_shown(findings[0]['input'])}", described[0][0], instead)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def describe(detail: ErrorDetails) -> tuple[str, str]:
    """What is wrong with one value, and what would be right."""
    context = detail.get("ctx", {})
    match detail["type"]:
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            sign = {"greater_than": ">", "greater_than_equal": ">=", "less_than": "<", "less_than_equal": "<="}
            ((_, bound),) = context.items()
            return "is out of range", f"it must be {sign[detail['type']]} {bound}"
        case "literal_error":
            return "is not one of the choices", f"use {context['expected']}"
        case "finite_number":
            return "is not a finite number", "give a plain number"
        case "int_parsing" | "int_type" | "int_from_float":
            return "is not a whole number", "give one such as 128"
        case "float_parsing" | "float_type":
            return "is not a number", "give one such as 0.001"
        case "bool_parsing" | "bool_type":
            return "is not true or false", "use true or false"
        case "string_type":
            return "is not text", "put it in quotes"
        case "tuple_type" | "list_type":
            return "is not a list", "write a list, on the command line with commas between"
        case "value_error":
            return str(context.get("error", detail["msg"])), ""
        case _:
            return detail["msg"][:1].lower() + detail["msg"][1:], ""


def nearest(prefix: str, wrong: str, known: Iterable[str]) -> str:
    """'did you mean model.norm?' or the list of what there is."""
    known = list(known)
    close = difflib.get_close_matches(wrong, known, n=1, cutoff=0.6)
    return f"did you mean {prefix}{close[0]}?" if close else f"there are {', '.join(prefix + name for name in known)}"


# --- the command line -------------------------------------------------------------------------------------------


def parse_overrides(arguments: Iterable[str], sections: Mapping[str, type[Settings]]) -> dict[str, dict[str, object]]:
    """`--section.key=value` arguments as nested mappings; a value is read by the type of its setting.

    Raises:
        SettingsError: an unknown section or key, or a missing `=value`, all of them at once.
    """
    found: dict[str, dict[str, object]] = {}
    errors: list[SettingsError] = []
    for argument in arguments:
        name, equals, text = argument.removeprefix("--").partition("=")
        section, _, key = name.partition(".")
        key = key.replace("-", "_")
        if section not in sections:
            errors.append(SettingsError(f"--{name}", "no such setting", nearest("", section, sections)))
        elif key not in sections[section].model_fields:
            instead = nearest(f"{section}.", key, sections[section].model_fields)
            errors.append(SettingsError(f"{section}.{key}" if key else f"--{section}", "no such setting", instead))
        elif not equals:
            errors.append(SettingsError(f"--{name}", "has no value", f"write --{name}=VALUE"))
        else:
            found.setdefault(section, {})[key] = parse_value(text, sections[section].model_fields[key].annotation)
    if errors:
        raise SettingsError.join(errors)
    return found


def parse_value(text: str, annotation: Any) -> object:
    """A command-line word as what the setting's type can hold: 'none', a list by commas, or the word itself.

    A word that fits no type is given back as it is: `Settings.read` then says what is wrong with it.
    """
    origin, choices = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return parse_value(text, choices[0])
    if origin in (Union, types.UnionType):
        if type(None) in choices and text.lower() in ("none", ""):
            return None
        read = [parse_value(text, choice) for choice in choices if choice is not type(None)]
        return next((value for value in read if value != text), text)
    if origin in (tuple, list):
        inner = [choice for choice in choices if choice is not Ellipsis] or [str]
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return [parse_value(part, inner[min(i, len(inner) - 1)]) for i, part in enumerate(parts)]
    if origin is Literal:
        return next((choice for choice in choices if str(choice) == text), text)
    if annotation is bool:
        return {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}.get(text.lower(), text)
    if annotation in (int, float) and re.fullmatch(r"[+-]?\d[\d_]{0,18}", text, re.ASCII):
        return int(text.replace("_", ""))
    if annotation is float:
        try:
            return float(text)
        except ValueError:
            return text
    return text
