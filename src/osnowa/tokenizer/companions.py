"""The small files that other tools expect beside tokenizer.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from osnowa import files
from osnowa.tokenizer.config import STYLES
from osnowa.tokenizer.tokenizer import FILE, Tokenizer

MAP_FILE = "special_tokens_map.json"


def tokenizer_config(tokenizer: Tokenizer, *, max_length: int, segments: bool) -> dict[str, Any]:
    """tokenizer_config.json: `max_length` in tokens; `segments`: the model tells A from B by segment ids.

    The class name is the one that transformers 4 and 5 both load; without `model_input_names` it returns no segments.
    Texts without an end token are prompts, which a model goes on with: they are padded on the left.
    """
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "model_input_names": ["input_ids", *(["token_type_ids"] if segments else []), "attention_mask"],
        "padding_side": "left" if tokenizer.frame in ("prompt", "bare") else "right",
        "clean_up_tokenization_spaces": False,
        **special_tokens_map(tokenizer),
    }


def special_tokens_map(tokenizer: Tokenizer) -> dict[str, Any]:
    """special_tokens_map.json: which token plays which part.

    Begin and end are called cls and sep around pairs, bos and eos around prompts and sources, and by both names around
    pairs in a vocabulary that has <s> and </s>.
    """
    pair, angles = tokenizer.frame == "pair", STYLES["angles"]
    both = pair and [tokenizer.specials.get("cls"), tokenizer.specials.get("sep")] == [
        tokenizer.token_id(angles[1]),
        tokenizer.token_id(angles[2]),
    ]
    names = {"cls": ["cls"] if pair else [], "sep": ["sep"] if pair else []}
    if both or not pair:
        names["cls"].insert(0, "bos")
        names["sep"].insert(0, "eos")
    roles: dict[str, Any] = {
        f"{name}_token": tokenizer.token(index)
        for role, index in tokenizer.specials.items()
        for name in names.get(role, [role])
    }
    others = sorted(tokenizer.special_ids - set(tokenizer.specials.values()))
    if others:
        roles["additional_special_tokens"] = [tokenizer.token(index) for index in others]
    return roles


def write_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """The file by which `Tokenizer.from_file` gives the same again, and beside it what only files beside it had told.

    Raises:
        StorageError, CannotCreateError
    """
    files.write(folder / FILE, tokenizer.to_bytes())
    if tokenizer.roles_from_beside:
        files.write_json(folder / MAP_FILE, special_tokens_map(tokenizer))
