"""From the words of the command line to a function, and from an error to one line and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from osnowa.cli import commands, speak
from osnowa.cli.arguments import parse, parser
from osnowa.cli.explain import explain
from osnowa.errors import OsnowaError, StorageError

Command = Callable[[argparse.Namespace, list[str]], int]

COMMANDS: dict[str, Command] = {
    "doctor": commands.doctor,
    "prepare": commands.prepare,
    "pretrain": commands.pretrain,
    "presets": commands.presets,
    "fill": commands.fill,
    "next-sentence": commands.next_sentence,
    "import": commands.import_folder,
    "export": commands.export,
    "explain": explain,
    "generate": speak.generate,
    "chat": speak.chat,
    "report": commands.report,
    "verify": commands.verify,
}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    words = sys.argv[1:] if words is None else words
    show_traceback = "--traceback" in words
    try:
        arguments, overrides = parse(words)
        if arguments.version:
            from osnowa import __version__

            sys.stdout.write(f"osnowa {__version__}\n")
            return 0
        if arguments.verb is None:
            parser().print_help(sys.stderr)
            return 2
        code = COMMANDS[arguments.verb](arguments, overrides)
        sys.stdout.flush()
    except OsnowaError as error:
        return fail(error, show_traceback)
    except KeyboardInterrupt:
        sys.stderr.write("\nosnowa: stopped; what was published is whole, run the same command to go on\n")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on: the exit must not complain
        return 0
    except MemoryError as error:
        return fail(
            StorageError("memory", "is exhausted", "use a smaller model, --training.micro_rows or fewer workers"),
            show_traceback,
            error,
        )
    return code


def fail(error: OsnowaError, show_traceback: bool, cause: BaseException | None = None) -> int:
    """One line on standard error."""
    if show_traceback:
        traceback.print_exception(cause or error, file=sys.stderr)
    sys.stderr.write(f"osnowa: {error}\n")
    return error.exit_code
