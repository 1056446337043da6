"""The small files that other tools expect beside tokenizer.json."""

from __future__ import annotations

from typing import Any

from osnowa.tokenizer.tokenizer import Tokenizer


def tokenizer_config(tokenizer: Tokenizer, *, max_length: int, segments: bool) -> dict[str, Any]:
    """tokenizer_config.json: `max_length` in tokens; `segments`: the model tells A from B by segment ids.

    The class name is the one that transformers 4 and 5 both load; without `model_input_names` it returns no segments.
    """
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "model_input_names": ["input_ids", *(["token_type_ids"] if segments else []), "attention_mask"],
        "clean_up_tokenization_spaces": False,
        **special_tokens_map(tokenizer),
    }


def special_tokens_map(tokenizer: Tokenizer) -> dict[str, Any]:
    """special_tokens_map.json: which token plays which part."""
    roles: dict[str, Any] = {f"{role}_token": tokenizer.token(index) for role, index in tokenizer.specials.items()}
    others = sorted(tokenizer.special_ids - set(tokenizer.specials.values()))
    if others:
        roles["additional_special_tokens"] = [tokenizer.token(index) for index in others]
    return roles
