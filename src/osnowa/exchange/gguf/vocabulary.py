"""A tokenizer as llama.cpp's keys, so that the same text gives the same ids there; what can't be said so is refused."""

from __future__ import annotations

import json
from typing import Any

from osnowa.errors import SettingsError
from osnowa.exchange.gguf.shape import Value, Values
from osnowa.exchange.gguf.text_rules import frame, letters, splitter
from osnowa.exchange.notes import Note
from osnowa.model import ModelConfig
from osnowa.tokenizer import Tokenizer

SPACE = "▁"  # llama.cpp marks the first piece of a word, the usual file the others
# Kinds of entries, as the format numbers them.
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
_ROLES = {"bos": "cls", "eos": "sep", "seperator": "sep", "padding": "pad", "unknown": "unk", "mask": "mask"}  # sic


def vocabulary(tokenizer: Tokenizer, config: ModelConfig) -> tuple[Values, list[Note]]:
    """The keys below "tokenizer.ggml.".

    Raises:
        SettingsError: llama.cpp has no such tokenizer, or the model has fewer entries.
    """
    if tokenizer.vocab_size > config.vocab_size:
        raise SettingsError(
            f"model.vocab_size = {config.vocab_size}",
            f"the tokenizer has {tokenizer.vocab_size} entries",
            "use the tokenizer that the model was trained with",
        )
    parsed, notes = json.loads(tokenizer.to_bytes()), list[Note]()
    types = _types(tokenizer, parsed)
    if tokenizer.kind == "wordpiece" and config.encoder_layers:
        tokens, notes = _first_pieces_marked(tokenizer, types, parsed["model"]["continuing_subword_prefix"])
        kind: Values = {"model": "bert", "pre": "default", **letters(parsed, tokenizer.where)}
    elif tokenizer.kind == "bpe":
        tokens = list(tokenizer.tokens)
        kind = {"model": "gpt2", "pre": splitter(parsed, tokenizer.where), "merges": _merges(parsed)}
    else:
        raise SettingsError(
            f"tokenizer {tokenizer.where}",
            {
                "wordpiece": "is wordpiece, and llama.cpp ends each text of such a tokenizer: a decoder could not go on",
                "unigram": "is unigram, and llama.cpp cleans text for such a tokenizer by a table that osnowa's has not",
            }[tokenizer.kind],
            "use --to huggingface, or train with tokenizer.kind = bpe",
        )
    spare = range(len(tokens), config.vocab_size)
    ends = _ends(tokenizer, parsed, encoder=config.encoder_layers > 0)
    return {
        **kind,
        "tokens": [*tokens, *(f"[PAD{index}]" for index in spare)],
        "token_type": types + [UNUSED] * len(spare),
        **ends,
        **({"token_type_count": max(1, config.num_segments)} if config.encoder_layers else {}),
    }, notes


def _types(tokenizer: Tokenizer, parsed: dict[str, Any]) -> list[int]:
    added = {token["id"] for token in parsed.get("added_tokens") or []}
    return [
        CONTROL if index in tokenizer.special_ids else USER_DEFINED if index in added else NORMAL
        for index in range(tokenizer.vocab_size)
    ]


def _first_pieces_marked(tokenizer: Tokenizer, types: list[int], prefix: str) -> tuple[list[str], list[Note]]:
    """The pieces "kot" and "##ek" as "▁kot" and "ek"; two that would be one then make llama.cpp stop, so one goes."""
    tokens = [
        token if types[index] == CONTROL else token[len(prefix) :] if token.startswith(prefix) else SPACE + token
        for index, token in enumerate(tokenizer.tokens)
    ]
    places: dict[str, int] = {}
    lost = []
    for index, token in enumerate(tokens):
        if places.setdefault(token, index) != index:
            lost.append(index)
    for index in lost:
        tokens[index], types[index] = f"[UNUSED{index}]", UNUSED
    if not lost:
        return tokens, []
    names = tuple(tokenizer.token(index) for index in lost)
    return tokens, [
        Note("pieces-lost", f"llama.cpp can't tell {len(lost)} pieces from others, they are never used", names)
    ]


def _merges(parsed: dict[str, Any]) -> list[str]:
    return [merge if isinstance(merge, str) else " ".join(merge) for merge in parsed["model"]["merges"]]


def _ends(tokenizer: Tokenizer, parsed: dict[str, Any], *, encoder: bool) -> Values:
    """Which entries play which part, and what stands around a text; a decoder's text is there to be continued."""
    before, after = frame(parsed, tokenizer.where)
    keys: dict[str, Value] = {
        f"{theirs}_token_id": tokenizer.specials[ours] for theirs, ours in _ROLES.items() if ours in tokenizer.specials
    }
    if before is not None:
        keys["bos_token_id"] = before
    if after is not None:
        keys["eos_token_id"] = after
    if encoder and (before is None or after is None):
        raise SettingsError(
            f"tokenizer {tokenizer.where}",
            "does not put a text between two special tokens, as llama.cpp does for encoders",
            "use --to huggingface",
        )
    return {**keys, "add_bos_token": before is not None, "add_eos_token": encoder, "add_sep_token": encoder}
