"""A Hugging Face folder as a model of ours: nothing in it is trusted, nothing of it is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from osnowa import files
from osnowa.errors import DamagedError, DataError, InputMissingError, SettingsError
from osnowa.exchange.entry import MODEL_FILE, Entry, Shapes, unpack_all
from osnowa.exchange.families import FAMILIES
from osnowa.exchange.family import SOURCE_WHOLE, Family, SpecialIds, parameter_shapes
from osnowa.exchange.keys import Keys
from osnowa.exchange.notes import Note
from osnowa.exchange.tensor_files import Stored, declared, find_tensors, read_tensors, unreadable_kinds
from osnowa.model import ModelConfig
from osnowa.tokenizer import FILE as TOKENIZER_FILE
from osnowa.tokenizer import Tokenizer

CONFIG_FILE = "config.json"
# What torch's own wrappers put before every name.
_WRAPPERS = ("module.", "_orig_mod.")
# Heads of fine-tuned classes, which our models have no place for.
_TASK_HEADS = ("classifier.", "qa_outputs.", "score.", "multiple_choice_head.")
_LONGEST_LIST = 12  # names in one message
Place = tuple[str, str]  # file and tensor name
Held = dict[Place, Stored]


class Imported(NamedTuple):
    """A model as it was read: `weights` are float32, named as in `Transformer.named_parameters()`."""

    config: ModelConfig
    weights: dict[str, Tensor]
    tokenizer: Tokenizer | None
    notes: tuple[Note, ...]
    ids: SpecialIds = SpecialIds(None, None, None)  # as config.json names them
    source_whole: bool = False  # a decoder that saw the tokens of its source in both directions

    @property
    def masked_head(self) -> bool:
        """False: the folder has no masked-token head, so there is nothing to ask about [MASK]."""
        return all(note.code != "no-masked-head" for note in self.notes)


def read_folder(folder: Path) -> Imported:
    """The model in `folder`, of any class of a family that we know, with safetensors only.

    Raises:
        InputMissingError: no folder, no config.json.
        DataError: anything in it that is not as it should be; all missing, unexpected and mis-shaped tensors at once.
        DamagedError: one of our folders, and a file is not as its manifest says.
    """
    keys, family = _read_config(folder)
    settings, more = family.read_settings(keys)
    held, notes = _find(folder, family, family.second_names(settings))
    heads, about_heads = family.read_heads(held, str(folder))
    ids = _read_ids(keys, settings.get("vocab_size"))
    source_whole = keys.flag(SOURCE_WHOLE, False)
    keys.check()
    config = _build(family, settings | heads, keys.where)
    used, left_out = _drop_left_outs(held, family.unused(config))
    shapes = parameter_shapes(config)
    entries = family.entries(config, shapes, {name for _, name in used})
    second_names = _second_names(used, family.second_names(settings | heads))
    _compare(folder, entries, shapes, {place: each for place, each in used.items() if place not in second_names})
    _check_manifest(folder, {each.path.name for each in used.values()})
    weights, converted = _load(folder, entries, shapes, used, second_names)
    tokenizer, about_tokenizer = _read_tokenizer(folder, config)
    every = [*keys.notes(), *notes, *more, *about_heads, *left_out, *converted, *about_tokenizer]
    return Imported(config, weights, tokenizer, tuple(every), ids, source_whole)


# --- settings -----------------------------------------------------------------------------------------------------


def _read_config(folder: Path) -> tuple[Keys, Family]:
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise InputMissingError(str(path), "no such file", files.nearest_parent(path))
    values = files.read_json(path)
    kind = values.get("model_type") if isinstance(values, dict) else None
    if not isinstance(kind, str) or kind not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise DataError(str(path), f"model_type = {kind!r} is unknown here", f"osnowa reads {known}")
    keys = Keys(values, str(path))
    if "tie_embeddings" in FAMILIES[kind].fixed:
        keys.must_be("tie_word_embeddings", FAMILIES[kind].fixed["tie_embeddings"])
    keys.must_be("quantization_config", None)
    keys.must_be("pruned_heads", None, {})
    return keys, FAMILIES[kind]


def _read_ids(keys: Keys, vocab_size: object) -> SpecialIds:
    """The ids of padding, begin and end; those of classification and separation where there are no others."""
    below = vocab_size if isinstance(vocab_size, int) else 0
    pad, bos, eos, cls, sep = (keys.token_id(f"{name}_token_id", below) for name in ("pad", "bos", "eos", "cls", "sep"))
    start, begin = keys.token_id("decoder_start_token_id", below), cls if bos is None else bos
    return SpecialIds(pad, begin, sep if eos is None else eos, None if start == begin else start)


def _build(family: Family, settings: Mapping[str, object], where: str) -> ModelConfig:
    fixed = {name: value for name, value in family.fixed.items() if name in ModelConfig.model_fields}
    try:
        return ModelConfig.read("model", {**fixed, **settings})
    except SettingsError as error:
        raise DataError(where, "; ".join(map(str, error.parts)), "this folder can't be read") from None


# --- which tensors there are --------------------------------------------------------------------------------------


def _find(folder: Path, family: Family, second_names: Mapping[str, str]) -> tuple[Held, list[Note]]:
    """All tensors of the folder by file and by the name that they have in the class with all heads."""
    held: Held = {}
    renamed = []
    for name, stored in find_tensors(folder).items():
        plain = name
        while plain.startswith(_WRAPPERS):
            plain = plain.partition(".")[2]
        place = (MODEL_FILE, family.rename(plain))
        if place in held:
            raise DataError(str(stored.path), f"{held[place].name} and {name} are the same tensor", "remove one")
        if place[1] != name:
            renamed.append(name)
        if not place[1].endswith(family.derived):
            held[place] = stored
    for one, other in second_names.items():
        if (MODEL_FILE, one) in held and (MODEL_FILE, other) not in held:
            held[MODEL_FILE, other] = held.pop((MODEL_FILE, one))
    maybe = {name: held[MODEL_FILE, name] for name in family.silent_zeros if (MODEL_FILE, name) in held}
    for name, numbers in read_tensors(maybe):
        if not bool(numbers.any()):
            del held[MODEL_FILE, name]
    if family.extra_file and (folder / family.extra_file).is_file():
        held |= {(family.extra_file, name): each for name, each in declared(folder / family.extra_file).items()}
    notes = [Note("renamed", f"{folder}: tensors with other spellings of their names", tuple(renamed))]
    return held, notes if renamed else []


def _drop_left_outs(held: Held, unused: tuple[str, ...]) -> tuple[Held, list[Note]]:
    """Without the heads of fine-tuned classes, and without what begins with a name in `unused`."""
    left_out = {place for place in held if place[1].startswith((*_TASK_HEADS, *unused))}
    used = {place: each for place, each in held.items() if place not in left_out}
    names = tuple(sorted(name for _, name in left_out))
    return used, [Note("left-out", "heads that osnowa has no place for were left out", names)] if names else []


def _second_names(held: Held, names: Mapping[str, str]) -> dict[Place, Place]:
    """Tensors that must be equal to another one, because a class stores them under two names."""
    pairs = {(MODEL_FILE, one): (MODEL_FILE, other) for one, other in names.items()}
    return {one: other for one, other in pairs.items() if one in held}


def _compare(folder: Path, entries: list[Entry], shapes: Shapes, held: Held) -> None:
    """Raises DataError: every tensor that is missing, unexpected, of another shape or of another kind of number."""
    wanted = {(entry.file, entry.theirs): entry.shape(shapes) for entry in entries}
    wrong = [f"{name} is missing" for _, name in sorted(wanted.keys() - held.keys())]
    wrong += [f"{name} is unexpected" for _, name in sorted(held.keys() - wanted.keys())]
    for place in sorted(wanted.keys() & held.keys()):
        if held[place].shape != wanted[place]:
            wrong.append(f"{place[1]} is {list(held[place].shape)} instead of {list(wanted[place])}")
    wrong += unreadable_kinds({name: each for (_, name), each in held.items()})
    if wrong:
        more = f" and {len(wrong) - _LONGEST_LIST} more" if len(wrong) > _LONGEST_LIST else ""
        listed = ", ".join(wrong[:_LONGEST_LIST])
        raise DataError(str(folder), f"tensors and {CONFIG_FILE} do not agree: {listed}{more}", "nothing was loaded")


# --- their numbers ------------------------------------------------------------------------------------------------


def _load(
    folder: Path, entries: list[Entry], shapes: Shapes, held: Held, second_names: Mapping[Place, Place]
) -> tuple[dict[str, Tensor], list[Note]]:
    by_key = {f"{file}/{name}": stored for (file, name), stored in held.items()}
    read = dict(read_tensors(by_key))
    sick = sorted(held[_place(key)].name for key, tensor in read.items() if not bool(torch.isfinite(tensor).all()))
    if sick:
        raise DataError(str(folder), f"NaN or infinite numbers in {', '.join(sick[:_LONGEST_LIST])}", "it is broken")
    for one, other in second_names.items():
        if not torch.equal(read["/".join(one)], read["/".join(other)]):
            raise DataError(str(folder), f"{one[1]} is not equal to {other[1]}", "osnowa ties these two")
    by_entry = {f"{entry.file}/{entry.theirs}": entry for entry in entries}
    weights = unpack_all(by_entry, read, shapes)
    kinds = sorted({each.kind for each in held.values()} - {"F32"})
    note = Note("converted", f"{folder}: weights were converted to float32", tuple(kinds))
    return weights, [note] if kinds else []


def _place(key: str) -> Place:
    file, _, name = key.partition("/")
    return file, name


# --- the rest of the folder ---------------------------------------------------------------------------------------


def _check_manifest(folder: Path, tensor_files: set[str]) -> None:
    """In a folder that we published, the files we read are as they were; others, such as the card, may be edited."""
    if not (folder / files.MANIFEST).is_file():
        return
    listed = files.read_manifest(folder).files
    for name in sorted({CONFIG_FILE, TOKENIZER_FILE, *tensor_files} & listed.keys()):
        path = folder / name
        if not path.is_file() or path.stat().st_size != listed[name][0] or files.sha256(path) != listed[name][1]:
            raise DamagedError(
                str(path), f"does not match {files.MANIFEST}", f"if you changed it yourself, remove {files.MANIFEST}"
            )


def _read_tokenizer(folder: Path, config: ModelConfig) -> tuple[Tokenizer | None, list[Note]]:
    path = folder / TOKENIZER_FILE
    if not path.is_file():
        return None, [Note("no-tokenizer", f"{folder}: there is no {TOKENIZER_FILE}")]
    tokenizer = Tokenizer.from_file(path)
    if tokenizer.vocab_size > config.vocab_size:
        raise DataError(
            str(path),
            f"has {tokenizer.vocab_size} entries, the model only {config.vocab_size}",
            "use the tokenizer that the model was trained with",
        )
    return tokenizer, []
