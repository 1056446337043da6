"""Models in and out: a folder of another tool becomes a model of ours, and a model of ours a folder of another tool."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osnowa import files
from osnowa.errors import CannotCreateError, SettingsError
from osnowa.exchange import Imported, Note, choose_family, notes_before_training, read_folder, write_folder
from osnowa.exchange.chat import FILE as CHAT_FILE
from osnowa.exchange.chat import OWN_FILE as OWN_CHAT_FILE
from osnowa.exchange.chat import read_chat
from osnowa.exchange.family import SpecialIds
from osnowa.exchange.gguf import NumberType, export_gguf
from osnowa.exchange.tensor_files import INDEX_FILE
from osnowa.generate.chat import PLAIN, Template
from osnowa.runs.model import find_model_folder

CARD = "README.md"
# Files of a model folder that are read, or written anew from what was read.
_TAKEN = {
    CARD,
    CHAT_FILE,
    OWN_CHAT_FILE,
    files.MANIFEST,
    INDEX_FILE,
    "config.json",
    "generation_config.json",
    "next_sentence.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
}


@dataclass(frozen=True)
class Exchanged:
    """What was written where: `class_name` is that of Hugging Face transformers, or of our own format."""

    path: Path
    class_name: str
    parameters: int
    notes: tuple[Note, ...]

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        notes = [{"code": note.code, "message": note.message, "evidence": list(note.evidence)} for note in self.notes]
        return {"path": str(self.path), "class": self.class_name, "parameters": self.parameters, "notes": notes}


def import_model(folder: str | Path, out: str | Path) -> Exchanged:
    """A model folder of ours in `out`, made of a Hugging Face `folder` of a known class; published whole or not at all.

    The card is taken over as it is. What is left out or converted is in the notes.

    Raises:
        CannotCreateError: `out` is there already.
        OsnowaError: `folder` is missing, damaged, or holds anything that can't be read as it is.
    """
    source, target = find_model_folder(Path(folder)), _new(out)
    read = read_folder(source)
    _publish(read, _card(source), target, {"kind": "model"}, _chat(read, source))
    left = sorted(path.name for path in source.iterdir() if path.name not in _TAKEN and path.suffix != ".safetensors")
    message = f"{source}: files that osnowa does not take over"
    notes = [*read.notes, *notes_before_training(read.config, read.ids.pad)]
    return _exchanged(read, target, [*notes, *([Note("files-left-out", message, tuple(left))] if left else [])])


def export_model(model: str | Path, to: str, out: str | Path, *, number_type: NumberType | None = None) -> Exchanged:
    """`model` (a run folder, its model/ folder, any folder that `load` takes) as another tool's folder or file `out`.

    `number_type` is that of the matrices in a GGUF file (f16); a folder holds float32.

    Raises:
        SettingsError: `to` is none of `WRITERS`, or no class there has the model's shape.
        CannotCreateError: `out` is there already.
        OsnowaError: `model` is missing or damaged.
    """
    if to not in WRITERS:
        raise SettingsError(f"--to {to}", "no such format", f"use {' or '.join(WRITERS)}")
    if number_type is not None and to != "gguf":
        raise SettingsError(f"--type {number_type}", f"has no effect with --to {to}", "leave it out")
    source, target = find_model_folder(Path(model)), _new(out)
    read = read_folder(source)
    made = WRITERS[to](read, source, target, number_type or "f16")
    return _exchanged(read, target, [*read.notes, *made])


Writer = Callable[[Imported, Path, Path, NumberType], list[Note]]
"""Publishes what was read from a folder at a path where nothing is, and says what the reader should know."""


def write_gguf(read: Imported, source: Path, target: Path, number_type: NumberType) -> list[Note]:
    """A file for llama.cpp.

    Raises:
        SettingsError: llama.cpp can't compute this shape, or the folder has no tokenizer.
    """
    if read.tokenizer is None:
        raise SettingsError("--to gguf", "the model's folder has no tokenizer.json", "add the one it was trained with")
    name = target.stem
    return export_gguf(target, read.config, read.weights, read.tokenizer, type=number_type, name=name)


def write_huggingface(read: Imported, source: Path, target: Path, number_type: NumberType) -> list[Note]:
    """A folder that `AutoModel...from_pretrained` loads.

    Raises:
        SettingsError: no class of transformers has this shape; says what the nearest would need.
    """
    notes = notes_before_training(read.config, _ids(read).pad)
    for note in notes:
        if note.code == "own-format":
            raise SettingsError("--to huggingface", note.message, "load it with osnowa")
    _publish(read, _card(source), target, {"kind": "model"}, _chat(read, source))
    return notes


WRITERS: dict[str, Writer] = {"huggingface": write_huggingface, "gguf": write_gguf}


def _publish(read: Imported, card: str, target: Path, facts: dict[str, Any], chat: Template | None) -> None:
    with files.publish(target, facts) as work:
        write_folder(
            work,
            read.config,
            read.weights,
            read.tokenizer,
            card=card,
            ids=_ids(read),
            chat=chat,
            source_whole=read.source_whole,
        )


def _ids(read: Imported) -> SpecialIds:
    """Those that config.json names; begin and end, where it does not, are what the tokenizer calls so."""
    roles = {} if read.tokenizer is None else read.tokenizer.specials
    missing = {role: roles.get(role) for role in ("cls", "sep") if getattr(read.ids, role) is None}
    return dataclasses.replace(read.ids, **missing)


def _exchanged(read: Imported, target: Path, notes: list[Note]) -> Exchanged:
    name = choose_family(read.config, _ids(read).pad).class_name(read.config)
    return Exchanged(target, name, sum(each.numel() for each in read.weights.values()), tuple(notes))


def _new(out: str | Path) -> Path:
    """`out`, where nothing may be: an exchange never writes over a folder."""
    target = Path(out)
    if target.exists() or target.is_symlink():
        raise CannotCreateError(str(target), "is there already", "choose another --out")
    return target


def _chat(read: Imported, source: Path) -> Template | None:
    """The folder's chat template, ours or another tool's; the plain one for a decoder that has none."""
    if read.tokenizer is None or read.config.topology != "decoder":
        return None
    return read_chat(source, read.tokenizer) or PLAIN


def _card(source: Path) -> str:
    """The card that the folder has, or the one line that is known of it."""
    path = source / CARD
    if not path.is_file():
        return f"# {source.resolve().name}\n\nTaken over by osnowa from a folder without a card.\n"
    with files.reading_errors(path):
        return path.read_bytes().decode("utf-8", errors="replace")
