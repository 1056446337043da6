"""Which token plays which part in a file, ours or another tool's: by what lies beside it, its frame, and its names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from osnowa import files
from osnowa.errors import DataError
from osnowa.tokenizer.config import STYLES

ROLES = ("pad", "cls", "sep", "mask", "unk")
ALIASES = {"bos": "cls", "eos": "sep"}
FileFrame = Literal["pair", "prompt", "source", "bare"]
Given = dict[str, str | int]
"""What other files say: "bos_token" and its like with the token's text, "bos_token_id" and its like with its id."""

# Names that other tools give the five, after ours; the first that a file has counts.
_NAMES: dict[str, tuple[str, ...]] = {
    "pad": ("<|pad|>", "<|finetune_right_pad_id|>", "<|endoftext|>"),
    "cls": ("<bos>", "<|begin_of_text|>", "<|endoftext|>"),
    "sep": ("<eos>", "<|end_of_text|>", "<|endoftext|>"),
}
OURS = {role: tuple(names[index] for names in STYLES.values()) for index, role in enumerate(ROLES)}
NAMES = {role: (*OURS[role], *_NAMES.get(role, ())) for role in ROLES}
# Files beside a tokenizer.json, the most telling first, and the keys that are read in them; all else is ignored.
_COMPANIONS = ("tokenizer_config.json", "special_tokens_map.json")
_TOKEN_KEYS = ("cls_token", "bos_token", "sep_token", "eos_token", "pad_token", "mask_token")
_MODEL_FILES = ("config.json", "generation_config.json")
_ID_KEYS = ("bos_token_id", "eos_token_id", "pad_token_id")
_MEND = "mend or remove the file"


def read_given(folder: Path) -> Given:
    """What the files beside a tokenizer.json say of special tokens.

    Raises:
        DamagedError: one of them is not JSON.
        DataError: an entry is no token.
    """
    given: Given = {}
    for names, keys, read in ((_COMPANIONS, _TOKEN_KEYS, _read_token), (_MODEL_FILES, _ID_KEYS, _read_id)):
        for path in (folder / name for name in names):
            if not path.is_file():
                continue
            content = files.read_json(path)
            if not isinstance(content, dict):
                raise DataError(str(path), "is JSON but holds no settings", _MEND)
            for key in keys:
                value = read(content.get(key), f"{path}: {key}")
                if value is not None:
                    given.setdefault(key, value)
    return given


def _read_token(value: Any, where: str) -> str | None:
    content = value.get("content") if isinstance(value, dict) else value
    if content is not None and not isinstance(content, str):
        raise DataError(where, f"is {value!r}, which is no token", _MEND)
    return content or None


def _read_id(value: Any, where: str) -> int | None:
    first = value[0] if isinstance(value, list) and value else value
    if first is not None and (not isinstance(first, int) or isinstance(first, bool)):
        raise DataError(where, f"is {value!r}, which is no id", _MEND)
    return first


def find_roles(
    parsed: Mapping[str, Any], vocabulary: Mapping[str, int], marked: Iterable[str], given: Given
) -> dict[str, int]:
    """The id of each role that the file has.

    In this order: the token that a companion names; the one that the frame puts at its place; one that is `marked` as
    special and has a usual name; an entry with a usual name; the id that the model's settings name. The unknown is what
    the file's own model calls so, or an entry with its name: a byte-level file needs none, whatever its companion says.
    """
    begin, end = read_frame(parsed)
    pair = bool(begin and end)
    framed = {"cls": begin[:1] if len(begin) == 1 else [], "sep": end[:1]}
    marked = set(marked)
    found: dict[str, int] = {}
    for role in ROLES:
        usual = NAMES[role]
        candidates = [*framed.get(role, ()), *(name for name in usual if name in marked), *usual]
        if role == "unk":
            candidates = [*_unknown(parsed["model"]), *candidates]
        else:
            candidates = [*(str(given[key]) for key in _token_keys(role, pair) if key in given), *candidates]
        ids = [vocabulary[name] for name in candidates if name in vocabulary]
        ids += [index for index in _given_ids(role, given) if 0 <= index < len(vocabulary)]
        if ids:
            found[role] = ids[0]
    return found


def _token_keys(role: str, pair: bool) -> list[str]:
    """Keys of companions for a role; around pairs cls_token goes before bos_token, elsewhere it is the other way."""
    keys = [f"{name}_token" for name in (role, *(alias for alias, of in ALIASES.items() if of == role))]
    return keys if pair else keys[::-1]


def _given_ids(role: str, given: Given) -> list[int]:
    names = (role, *(alias for alias, of in ALIASES.items() if of == role))
    return [int(given[key]) for key in (f"{name}_token_id" for name in names) if key in given]


def strange_names(vocabulary: Mapping[str, int], given: Given) -> list[str]:
    """Companion entries that name no entry of the vocabulary, and so mean nothing."""
    return [
        f"{key} = {value!r} is no entry of the tokenizer and means nothing here"
        for key, value in given.items()
        if (value not in vocabulary if isinstance(value, str) else not 0 <= value < len(vocabulary))
    ]


def _unknown(model: Mapping[str, Any]) -> list[str]:
    """What the file's own model calls the unknown."""
    if isinstance(model.get("unk_id"), int):
        return [model["vocab"][model["unk_id"]][0]]
    return [model["unk_token"]] if model.get("unk_token") else []


# --- what the file puts around a text -----------------------------------------------------------------------------


def read_frame(parsed: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Special tokens that the file's post-processor puts before and behind a single text."""
    processor = parsed.get("post_processor") or {}
    for part in [processor, *(processor.get("processors") or [])]:
        if {"cls", "sep"} <= part.keys():  # one of the two classes that know nothing but this frame
            return [part["cls"][0]], [part["sep"][0]]
        if part.get("type") == "TemplateProcessing":
            names = [_template_names(piece, part["special_tokens"]) for piece in part["single"]]
            text = names.index(None) if None in names else len(names)
            return (
                [name for piece in names[:text] for name in piece or ()],
                [name for piece in names[text:] for name in piece or ()],
            )
    return [], []


def _template_names(piece: Mapping[str, Any], special: Mapping[str, Any]) -> list[str] | None:
    """Tokens of one piece of a template; None: the text stands there."""
    if "SpecialToken" not in piece:
        return None
    tokens: list[str] = special[piece["SpecialToken"]["id"]]["tokens"]
    return tokens


def frame_of(parsed: Mapping[str, Any]) -> FileFrame:
    """pair: begin and end; prompt: begin alone; source: end alone; bare: nothing."""
    begin, end = map(bool, read_frame(parsed))
    return ("pair" if end else "prompt") if begin else ("source" if end else "bare")
