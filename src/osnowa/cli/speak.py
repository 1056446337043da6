"""The verbs that write text: generate and chat."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from osnowa.cli.commands import asked_model, put
from osnowa.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Generator

SETTINGS = (
    "max_tokens",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repetition_penalty",
    "stop",
    "beams",
    "length_penalty",
    "seed",
)


def settings_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given; the others have their defaults elsewhere."""
    return {name: value for name in SETTINGS if (value := getattr(arguments, name)) is not None}


def write(pieces: Generator[str, None, Any]) -> None:
    """Each piece as it comes, and the end of the line."""
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
    sys.stdout.flush()


def generate(arguments: argparse.Namespace, overrides: list[str]) -> int:
    """What follows a prompt, or what a source becomes."""
    from osnowa.generate import GenerationConfig

    settings = settings_of(arguments)
    GenerationConfig.read("generate", settings)  # before a large model is read
    model = asked_model(arguments)
    if arguments.json:
        return put(vars(model.generate(arguments.text, **settings)))
    write(model.stream(arguments.text, **settings))
    return 0


def chat(arguments: argparse.Namespace, overrides: list[str]) -> int:
    """Questions from standard input, a line each; an empty line or the end of input ends it."""
    from osnowa.generate import GenerationConfig
    from osnowa.runs.conversation import Conversation

    settings = settings_of(arguments)
    GenerationConfig.read("generate", settings)
    held = Conversation(asked_model(arguments), **settings)
    said = False
    while text := _ask():
        try:
            pieces = held.say(text)
            if arguments.json:
                for _ in pieces:
                    pass
            else:
                write(pieces)
        except DataError as error:
            sys.stderr.write(f"osnowa: {error}\n")
        if held.left_out and not said:
            said = True
            sys.stderr.write(
                f"osnowa: the conversation is longer than the model's {held.model.config.max_positions} positions; "
                "its oldest turns are left out\n"
            )
    return put({"messages": [vars(each) for each in held.messages]}) if arguments.json else 0


def _ask() -> str:
    """The next line without its end; empty at the end of input."""
    if sys.stdin.isatty():
        sys.stderr.write("> ")
        sys.stderr.flush()
    return sys.stdin.readline().strip()
