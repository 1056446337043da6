"""Whether a tokenizer file is whole: every id used once, no hole, every merge of entries that exist."""

from __future__ import annotations

import json
import math
from typing import Any

from osnowa.errors import DataError, SettingsError
from osnowa.tokenizer.config import Kind

KINDS: dict[str, Kind] = {"WordPiece": "wordpiece", "BPE": "bpe", "Unigram": "unigram"}


def read_structure(data: bytes, where: str) -> dict[str, Any]:
    """The parsed file.

    Raises:
        DataError: not JSON, not a tokenizer, or one that contradicts itself; names the file and the entry.
        SettingsError: a kind of model that we do not know.
    """

    def refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataError(where, f"has the entry {twice!r} twice", _REPLACE)
        return found

    try:
        parsed = json.loads(data, object_pairs_hook=refuse_twice)
    except (ValueError, RecursionError) as error:
        raise DataError(where, f"is not readable JSON ({error}); it may be cut off", _REPLACE) from None
    model = parsed.get("model") if isinstance(parsed, dict) else None
    if not isinstance(model, dict) or not isinstance(parsed.get("added_tokens", []), list):
        raise DataError(where, "is JSON but not a tokenizer.json of the tokenizers library", "give one, or its folder")
    kind = model.get("type") or _guessed_type(model)
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise SettingsError(where, f"holds a model of the type {kind}", f"use one of the types {known}")
    model["type"] = kind
    try:
        entries = _pieces(model, where) if kind == "Unigram" else _vocabulary(model, where)
        _check_added(parsed.get("added_tokens") or [], entries, where)
        if kind == "BPE":
            _check_merges(model, where)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise DataError(
            where, f"has a part of an unexpected form ({type(error).__name__}: {error})", _REPLACE
        ) from None
    return parsed


_REPLACE = "train it again or restore the file"


def _guessed_type(model: dict[str, Any]) -> str | None:
    """Old files have no type: a model with merges is BPE, one with a longest word is WordPiece."""
    if "merges" in model:
        return "BPE"
    if "max_input_chars_per_word" in model:
        return "WordPiece"
    return "Unigram" if "unk_id" in model else None


def _vocabulary(model: dict[str, Any], where: str) -> dict[int, str]:
    """Entries by id."""
    entries: dict[int, str] = {}
    for token, index in model["vocab"].items():
        if not isinstance(index, int) or isinstance(index, bool) or index < 0:
            raise DataError(where, f"gives the entry {token!r} the id {index!r}, no whole number", _REPLACE)
        if index in entries:
            raise DataError(where, f"gives {entries[index]!r} and {token!r} the same id {index}", _REPLACE)
        entries[index] = token
    unknown = model.get("unk_token")
    if unknown and unknown not in model["vocab"]:  # old files of byte-level kinds write ""
        raise DataError(where, f"names {unknown!r} for the unknown, which is no entry", _REPLACE)
    return entries


def _pieces(model: dict[str, Any], where: str) -> dict[int, str]:
    entries: dict[int, str] = {}
    seen: set[str] = set()
    for index, (piece, score) in enumerate(model["vocab"]):
        if piece in seen:
            raise DataError(where, f"has the entry {piece!r} twice", _REPLACE)
        if not isinstance(score, (int, float)) or not math.isfinite(score):
            raise DataError(where, f"gives the entry {piece!r} the score {score!r}", _REPLACE)
        seen.add(piece)
        entries[index] = piece
    unknown = model.get("unk_id")
    if unknown is not None and unknown not in entries:
        raise DataError(where, f"names the id {unknown} for the unknown, which is no entry", _REPLACE)
    return entries


def _check_added(added: list[dict[str, Any]], entries: dict[int, str], where: str) -> None:
    """Added tokens agree with the vocabulary, and the ids of both run from 0 without a hole."""
    ids = {token: index for index, token in entries.items()}
    for token in added:
        content, index = token["content"], token["id"]
        if ids.get(content, index) != index:
            raise DataError(where, f"gives {content!r} the ids {ids[content]} and {index}", _REPLACE)
        if entries.get(index, content) != content:
            raise DataError(where, f"gives {entries[index]!r} and {content!r} the same id {index}", _REPLACE)
        entries[index], ids[content] = content, index
    for expected, index in enumerate(sorted(entries)):
        if expected != index:
            raise DataError(
                where, f"has no entry with the id {expected}, though there is an id {max(entries)}", _REPLACE
            )
    if not entries:
        raise DataError(where, "has an empty vocabulary", _REPLACE)


def _check_merges(model: dict[str, Any], where: str) -> None:
    """Each merge joins two entries, and their join is an entry."""
    vocabulary, prefix = model["vocab"], model.get("continuing_subword_prefix") or ""
    for number, merge in enumerate(model.get("merges") or []):
        parts = merge.split(" ") if isinstance(merge, str) else merge
        if len(parts) != 2 or not all(isinstance(part, str) for part in parts):
            raise DataError(where, f"has merge {number}, {merge!r}, of other than two parts", _REPLACE)
        left, right = parts
        for part in (left, right, left + right.removeprefix(prefix)):
            if part not in vocabulary:
                raise DataError(where, f"has merge {number}, {left!r} + {right!r}, but no entry {part!r}", _REPLACE)
