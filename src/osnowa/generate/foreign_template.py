"""Another tool's chat template, in the template library's sandbox: it sees the turns and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from osnowa.errors import DataError
from osnowa.generate.chat import Message

_LONGEST = 1_000_000  # characters of a template; published ones have some thousands


@dataclass(frozen=True)
class ForeignTemplate:
    """A template's source; `special` are the texts of special tokens that it may ask for, such as bos_token.

    The sandbox has no attribute that begins with an underscore, changes no list or mapping, and bounds ranges.
    """

    source: str
    where: str
    special: Mapping[str, str] = field(default_factory=dict)
    stop: tuple[str, ...] = ()

    def render(self, messages: Sequence[Message]) -> str:
        """The conversation as one text.

        Raises:
            DataError: the template is broken, asks for what the sandbox forbids, or refuses the turns.
        """
        if len(self.source) > _LONGEST:
            raise DataError(self.where, f"has {len(self.source):,} characters", f"use one below {_LONGEST:,}")
        sandbox = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        sandbox.filters["tojson"] = _to_json
        sandbox.globals["raise_exception"] = _refuse
        turns = [{"role": each.role, "content": each.content} for each in messages]
        try:
            return sandbox.from_string(self.source).render(messages=turns, add_generation_prompt=True, **self.special)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise DataError(
                self.where, f"the chat template fails: {error}", "use a chat_template.json of your own"
            ) from None


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: object) -> NoReturn:
    raise TemplateError(str(message))
