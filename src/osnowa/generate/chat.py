"""A conversation as one text: what stands around each turn is plain data, and nothing in it can run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import Field

from osnowa.generate.settings import StopString
from osnowa.settings import Settings

Role = Literal["system", "user", "assistant"]
Around = Annotated[str, Field(max_length=10_000)]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


class Template(Protocol):
    """Turns to a text that ends where the assistant's answer begins, and the texts that end an answer."""

    @property
    def stop(self) -> tuple[str, ...]: ...

    def render(self, messages: Sequence[Message]) -> str: ...


class ChatTemplate(Settings):
    """What stands before and behind a turn of each role, and what ends an answer. Special tokens may be written out.

    An answer is begun by the assistant's prefix without the spaces at its end: a token carries the space before it.
    """

    system: tuple[Around, Around] = Field(default=("", "\n\n"), description="around what the conversation is about")
    user: tuple[Around, Around] = Field(default=("user: ", "\n"), description="around what the user says")
    assistant: tuple[Around, Around] = Field(default=("assistant: ", "\n"), description="around what is answered")
    stop: tuple[StopString, ...] = Field(default=("\nuser:",), description="texts that end an answer", max_length=64)

    def render(self, messages: Sequence[Message]) -> str:
        """The conversation as one text."""
        turns: dict[Role, tuple[str, str]] = {
            "system": self.system,
            "user": self.user,
            "assistant": self.assistant,
        }
        said = (f"{turns[each.role][0]}{each.content}{turns[each.role][1]}" for each in messages)
        return "".join(said) + self.assistant[0].rstrip(" ")

    def to_jinja(self) -> str:
        """The same as chat_template.jinja, which other tools read."""
        text, branch = "{%- for message in messages -%}", "if"
        for role, (before, behind) in (("system", self.system), ("user", self.user), ("assistant", self.assistant)):
            text += f"{{%- {branch} message['role'] == '{role}' -%}}"
            text += "{{- " + f"{_literal(before)} + message['content'] + {_literal(behind)}" + " -}}"
            branch = "elif"
        text += "{%- else -%}{{- raise_exception('no such role: ' + message['role']) -}}{%- endif -%}{%- endfor -%}"
        begun = _literal(self.assistant[0].rstrip(" "))
        return text + "{%- if add_generation_prompt -%}{{- " + begun + " -}}{%- endif -%}"


def _literal(text: str) -> str:
    """A string of the template language; it knows the escapes of JSON."""
    return json.dumps(text, ensure_ascii=False)


PLAIN = ChatTemplate()  # a transcript, for models that know no template
