"""What can be written on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from osnowa.errors import UsageError

SAMPLES = ("python-docs",)
OBJECTIVES = (
    "masked, masked-next-sentence, sentence-order (encoders); next-token (decoders); span-corruption, prefix-lm, ul2, "
    "infilling, translation (encoder-decoders, decoders)"
)
_EPILOG = """\
Any setting of a recipe can be written as --section.key=value, for example --training.batch_rows=32 or
--model.d_model=192; later wins. Exit codes: 0 ok, 2 usage, 65 bad data, 66 input missing, 69 busy, 73 cannot create,
74 I/O error, 75 saved and stopped, 78 bad settings, 130/143 interrupted after saving.
"""


class Parser(argparse.ArgumentParser):
    """argparse that raises our UsageError instead of printing its own."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(self.prog, message, f"see {self.prog} --help")


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
        prog="osnowa",
        description="Train your own language model from your own text, and see every number inside it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="store_true", help="print the version and stop")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)

    def verb(name: str, summary: str) -> Parser:
        made = verbs.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=_EPILOG,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.add_argument(
            "--json", action="store_true", help="one JSON object on standard output, all else on standard error"
        )
        made.add_argument("--quiet", action="store_true", help="no progress")
        made.add_argument("--traceback", action="store_true", help="show where in the code an error arose")
        return made

    _from_text(verb)
    _questions(verb)
    _exchange(verb)
    _about(verb)
    return top


Verb = Callable[[str, str], Parser]


def _from_text(verb: Verb) -> None:
    doctor = verb("doctor", "look at a corpus before training")
    _text(doctor)
    _recipe(doctor)

    prepare = verb("prepare", "text to a tokenizer and a token store: the data half of pretrain")
    _text(prepare)
    prepare.add_argument("--out", metavar="DATA", required=True, help="folder for the prepared corpus")
    prepare.add_argument("--show", type=int, default=0, metavar="N", help="show N rows: what goes in and must come out")
    prepare.add_argument("--show-removed", action="store_true", help="show ten examples of what each rule removed")
    _recipe(prepare)

    pretrain = verb("pretrain", "raw text to a base model; the same command again goes on")
    _text(pretrain)
    pretrain.add_argument("--out", metavar="RUN", required=True, help="run folder")
    _recipe(pretrain)
    _length(pretrain)
    pretrain.add_argument(
        "--override", action="store_true", help="go on with changed settings or text; the difference is printed"
    )


def _questions(verb: Verb) -> None:
    fill = verb("fill", "the best tokens for each [MASK]")
    fill.add_argument("model", metavar="MODEL", help="a run folder, its model/ folder, or a Hugging Face folder")
    fill.add_argument("text", metavar="TEXT", help='text with [MASK], for example "Natura [MASK] obrazy."')
    fill.add_argument("--top-k", type=int, default=5, metavar="K", help="how many tokens for each mask (5)")
    _device(fill)

    follow = verb("next-sentence", "does sentence B follow sentence A?")
    follow.add_argument("model", metavar="MODEL")
    follow.add_argument("first", metavar="A")
    follow.add_argument("second", metavar="B")
    _device(follow)

    generate = verb("generate", "text that follows a prompt, or what a source becomes")
    generate.add_argument("model", metavar="MODEL")
    generate.add_argument("text", metavar="PROMPT", help="for an encoder-decoder, the source")
    _generation(generate)

    explain = verb("explain", "every number inside a model for one text, as one HTML page that checks them again")
    _explain(explain)

    chat = verb("chat", "a conversation in the terminal; an empty line ends it")
    chat.add_argument("model", metavar="MODEL")
    _generation(chat)


def _explain(made: Parser) -> None:
    made.add_argument(
        "model", metavar="MODEL", nargs="?", help="a run folder, its model/ folder, or a Hugging Face folder"
    )
    made.add_argument("text", metavar="TEXT", nargs="?", help='for example "Natura [MASK] obrazy."')
    made.add_argument("--second", metavar="TEXT", help="sentence B, for an encoder that has learned pairs")
    made.add_argument("--source", metavar="TEXT", help="for an encoder-decoder: the same as TEXT")
    made.add_argument("--target", metavar="TEXT", help="what its decoder is shown (none: what it says by itself)")
    made.add_argument("--out", metavar="FILE", help="the file to write (explain.html)")
    made.add_argument("--format", choices=("html", "json", "npz"), help="by the ending of --out, else html")
    made.add_argument("--lang", choices=("pl", "en"), default="pl", help="the language that the page opens in (pl)")
    made.add_argument(
        "--max-mb", type=float, default=12.0, metavar="N", help="how large the page may be, in 1,000,000 bytes (12)"
    )
    made.add_argument("--top-k", type=int, default=20, metavar="K", help="how many tokens for each place (20)")
    made.add_argument("--step", action="store_true", help="also one training step with this text, with all its numbers")
    made.add_argument(
        "--seed-example",
        action="store_true",
        help="without MODEL and TEXT: a toy of width 4 that can be followed by hand",
    )


def _about(verb: Verb) -> None:
    presets = verb("presets", "every named architecture and size")
    presets.add_argument("names", nargs="*", metavar="NAME", help="only these: FAMILY or FAMILY-SIZE")

    report = verb("report", "curves and figures of a run as one HTML page")
    report.add_argument("run", metavar="RUN")

    verify = verb("verify", "check every file of a run against its checksums")
    verify.add_argument("run", metavar="RUN")
    verify.add_argument(
        "--resume",
        action="store_true",
        help="also train a little twice, once stopped on the way, and compare the bytes",
    )


def _exchange(verb: Verb) -> None:
    take = verb("import", "a Hugging Face folder to a model of ours; nothing in it is run")
    take.add_argument("folder", metavar="FOLDER", help="safetensors, config.json and, if there is one, tokenizer.json")
    take.add_argument("--out", metavar="MODEL", required=True, help="new folder for the model")

    give = verb("export", "a model as a folder or file of another tool")
    give.add_argument("model", metavar="MODEL", help="a run folder, its model/ folder, or a Hugging Face folder")
    give.add_argument("--to", metavar="FORMAT", required=True, help="huggingface or gguf")
    give.add_argument("--type", choices=("f32", "f16", "bf16"), help="numbers in a GGUF file (f16)")
    give.add_argument("--out", metavar="PATH", required=True, help="new folder or file")


def _text(made: Parser) -> None:
    made.add_argument(
        "text", nargs="*", metavar="TEXT", help="files and folders; - is standard input; hf://datasets/NAME"
    )
    made.add_argument("--sample", choices=SAMPLES, help="the text that every machine has: python-docs")
    made.add_argument(
        "--source-column",
        metavar="NAME",
        help="records are pairs: the column of the source (or 1, 2 ...; or outer.inner)",
    )
    made.add_argument("--target-column", metavar="NAME", help="records are pairs: the column of the target")
    made.add_argument("--bad-lines", choices=("stop", "skip"), help="what to do with a record that can't be read")
    made.add_argument("--skip-unreadable", action="store_true", help="go on without files that can't be opened")


def _recipe(made: Parser) -> None:
    made.add_argument(
        "--preset",
        metavar="NAME",
        help="FAMILY or FAMILY-SIZE, see osnowa presets; none: encoder-mini, or encoder-tiny where the machine could show "
        "it too few tokens in the minutes given",
    )
    made.add_argument("--size", metavar="SIZE", help="tiny, mini, small, medium or a published one")
    made.add_argument("--objective", metavar="NAME", help="what to learn (by preset): " + OBJECTIVES)
    made.add_argument("--recipe", metavar="FILE", help="a recipe in TOML")
    made.add_argument("--tokenizer", metavar="PATH", help="an existing tokenizer.json instead of training one")
    made.add_argument("--seed", type=int, metavar="N", help="all randomness is a function of it (0)")
    _device(made)


def _device(made: Parser) -> None:
    made.add_argument("--device", choices=("auto", "cpu", "cuda"), help="where to compute (auto)")


def _generation(made: Parser) -> None:
    made.add_argument(
        "--weights",
        choices=("float", "bfloat16", "int8", "int4"),
        default="float",
        help="float: exactly the model; bfloat16: about half the memory, where the processor computes in it; int8, int4:"
        " rounded to eight or to four bits, faster on a processor the larger the model is; four are coarser and smaller",
    )
    made.add_argument("--max-tokens", type=int, metavar="N", help="at most so many new tokens (100)")
    made.add_argument(
        "--temperature", type=float, metavar="T", help="0: always the likeliest token (a decoder: 0.8, else 0)"
    )
    made.add_argument("--top-k", type=int, metavar="K", help="draw from the K likeliest tokens only")
    made.add_argument("--top-p", type=float, metavar="P", help="draw from the likeliest tokens that make up this share")
    made.add_argument("--min-p", type=float, metavar="P", help="draw from tokens this share as likely as the likeliest")
    made.add_argument("--repetition-penalty", type=float, metavar="F", help="tokens that were there count less (1)")
    made.add_argument("--stop", action="append", metavar="TEXT", help="text that ends it; may be given several times")
    made.add_argument("--beams", type=int, metavar="N", help="texts that are followed side by side (1)")
    made.add_argument("--length-penalty", type=float, metavar="F", help="above 0 favours long texts among beams (1)")
    made.add_argument("--seed", type=int, metavar="N", help="the same seed draws the same text (0)")
    _device(made)


def _length(made: Parser) -> None:
    made.add_argument("--minutes", type=float, metavar="M", help="train for so long; preparation is not counted (10)")
    made.add_argument("--steps", metavar="N", help="train for N updates; +N extends a finished run")
    made.add_argument("--tokens", type=int, metavar="N", help="train on N tokens")
    made.add_argument("--deterministic", action="store_true", help="on a GPU: the same bits each time, slower")


def parse(words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The namespace, and the --section.key=value words.

    Raises:
        UsageError: unknown flags or words.
    """
    known, rest = parser().parse_known_args(list(words))
    overrides = [word for word in rest if word.startswith("--") and "." in word.split("=")[0]]
    strange = [word for word in rest if word not in overrides]
    if known.verb in ("doctor", "prepare", "pretrain"):  # TEXT may stand after the flags, too
        known.text.extend(word for word in strange if not word.startswith("-"))
        strange = [word for word in strange if word.startswith("-")]
    if strange:
        verb = f"osnowa {known.verb}" if known.verb else "osnowa"
        raise UsageError(verb, f"does not know {strange[0]}", f"see {verb} --help")
    if overrides and known.verb not in ("doctor", "prepare", "pretrain"):
        raise UsageError(
            f"osnowa {known.verb}",
            f"takes no settings ({overrides[0]})",
            "settings belong to pretrain, prepare and doctor",
        )
    return known, overrides


def steps_of(arguments: argparse.Namespace) -> tuple[int | None, int | None]:
    """--steps N or +N: (steps, more steps).

    Raises:
        UsageError: no whole number.
    """
    word: Any = arguments.steps
    if word is None:
        return None, None
    digits = word.removeprefix("+")
    if not digits.isdecimal() or int(digits) < 1:
        raise UsageError("--steps", f"{word} is no count of steps", "write 1000, or +1000 to extend a finished run")
    return (None, int(digits)) if word.startswith("+") else (int(digits), None)
