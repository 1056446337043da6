"""Frozen settings classes, their errors in our words, and `--section.key=value` on top of them."""

from __future__ import annotations

import difflib
import json
import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from osnowa.errors import SettingsError


class Settings(BaseModel):
    """Base of every config class: frozen, keyword-only, unknown keys refused, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

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
        return self.read(type(self).__name__, {**self.model_dump(), **updates})


def explain(cls: type[Settings], section: str, details: Iterable[ErrorDetails]) -> list[SettingsError]:
    """pydantic's findings in three parts: where, what, what instead."""
    errors = []
    for detail in details:
        path = [str(part) for part in detail["loc"] if isinstance(part, str)]
        key = path[0] if path and path[0] in cls.model_fields else (path[0] if path else "")
        place = f"{section}.{key}" if key else section
        if detail["type"] == "extra_forbidden":
            errors.append(SettingsError(place, "no such setting", nearest(f"{section}.", key, cls.model_fields)))
        elif detail["type"] == "value_error" and isinstance(detail.get("ctx", {}).get("error"), SettingsError):
            errors.append(detail["ctx"]["error"])
        elif detail["type"] == "missing":
            errors.append(SettingsError(place, "is required", f"give --{place}=..."))
        else:
            what, instead = describe(detail)
            errors.append(SettingsError(f"{place} = {json.dumps(detail['input'], default=str)}", what, instead))
    return list({str(error): error for error in errors}.values())


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
        case _:
            return detail["msg"][:1].lower() + detail["msg"][1:], ""


def nearest(prefix: str, wrong: str, known: Iterable[str]) -> str:
    """'did you mean model.norm?' or the list of what there is."""
    known = list(known)
    close = difflib.get_close_matches(wrong, known, n=1, cutoff=0.6)
    return f"did you mean {prefix}{close[0]}?" if close else f"there are {', '.join(prefix + name for name in known)}"


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
            errors.append(
                SettingsError(
                    f"{section}.{key}", "no such setting", nearest(f"{section}.", key, sections[section].model_fields)
                )
            )
        elif not equals:
            errors.append(SettingsError(f"--{name}", "has no value", f"write --{name}=VALUE"))
        else:
            found.setdefault(section, {})[key] = parse_value(text, sections[section].model_fields[key].annotation)
    if errors:
        raise SettingsError.join(errors)
    return found


def parse_value(text: str, annotation: Any) -> object:
    """A command-line word as what the setting's type can hold: 'none', a list by commas, or the word itself."""
    origin, choices = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        if type(None) in choices and text.lower() in ("none", ""):
            return None
        return parse_value(text, next(choice for choice in choices if choice is not type(None)))
    if origin in (tuple, list):
        inner = choices[0] if choices else str
        return [parse_value(part.strip(), inner) for part in text.split(",") if part.strip()]
    if origin is Literal or annotation is str:
        return text
    if annotation is bool:
        return {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}.get(text.lower(), text)
    if annotation is int:
        plain = text.replace("_", "")
        return int(plain) if plain.lstrip("+-").isdigit() and len(plain) < 20 else text
    return text
