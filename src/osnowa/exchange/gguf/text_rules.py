"""What a tokenizer.json does to text before and after its pieces, told by names and switches that llama.cpp knows."""

from __future__ import annotations

from typing import Any

from osnowa.errors import SettingsError
from osnowa.exchange.gguf.shape import Values
from osnowa.tokenizer.assembly import REGEXES


def letters(parsed: dict[str, Any], where: str) -> Values:
    """What becomes of letters before they are cut into pieces; without these keys llama.cpp turns "Żółw" into "zolw".

    Raises:
        SettingsError: not words split at white space and punctuation, with or without capitals and accents.
    """
    steps = _steps(parsed.get("normalizer"), "normalizers")
    kinds = [step["type"] for step in steps]
    words = steps[-1] if kinds in (["BertNormalizer"], ["NFC", "BertNormalizer"]) else {}
    split = (parsed.get("pre_tokenizer") or {}).get("type")
    if not (words.get("clean_text") and words.get("handle_chinese_chars") and split == "BertPreTokenizer"):
        raise SettingsError(
            f"tokenizer {where}",
            f"cleans and splits text by {', '.join(kinds) or 'nothing'} and {split}, which llama.cpp does not",
            "use --to huggingface",
        )
    lower, strip = bool(words["lowercase"]), words.get("strip_accents")
    return {"normalizer.lowercase": lower, "normalizer.strip_accents": lower if strip is None else bool(strip)}


def splitter(parsed: dict[str, Any], where: str) -> str:
    """The name under which llama.cpp knows how this tokenizer cuts text into words.

    With "llama-bpe" it takes a word that is an entry as it is, without merging; for a tokenizer trained by merges that is
    the same (all of 16,000 entries of a Polish text).

    Raises:
        SettingsError: it knows none.
    """
    steps = _steps(parsed.get("pre_tokenizer"), "pretokenizers")
    match [(step["type"], step) for step in steps]:
        case [("ByteLevel", {"use_regex": True, "add_prefix_space": False})]:
            name = "gpt-2"
        case [
            ("Split", {"behavior": "Isolated", "invert": False, "pattern": {"Regex": rule}}),
            ("ByteLevel", {"use_regex": False, "add_prefix_space": False}),
        ]:
            name = next((name for name, regex in REGEXES.items() if regex == rule), "")
        case _:
            name = ""
    model = parsed["model"]
    changed = parsed.get("normalizer") is not None or model.get("byte_fallback") or model.get("dropout")
    if not name or changed or (model.get("ignore_merges") and name != "llama-bpe"):
        raise SettingsError(
            f"tokenizer {where}",
            "folds capitals or cuts text into words by a rule that llama.cpp has no name for",
            f"use --to huggingface, or train with tokenizer.split = {', '.join([*REGEXES, 'gpt-2'])}",
        )
    return name


def frame(parsed: dict[str, Any], where: str) -> tuple[int | None, int | None]:
    """The ids that the file puts before and after a text.

    Raises:
        SettingsError: more than one on a side.
    """
    before: list[int] = []
    after: list[int] = []
    for step in _steps(parsed.get("post_processor"), "processors"):
        if step["type"] in ("BertProcessing", "RobertaProcessing"):
            before.append(step["cls"][1])
            after.append(step["sep"][1])
        elif step["type"] == "TemplateProcessing":
            side = before
            for piece in step["single"]:
                if "Sequence" in piece:
                    side = after
                else:
                    side += step["special_tokens"][piece["SpecialToken"]["id"]]["ids"]
    if len(before) > 1 or len(after) > 1:
        raise SettingsError(
            f"tokenizer {where}", "puts several special tokens on one side of a text", "use --to huggingface"
        )
    return before[0] if before else None, after[0] if after else None


def _steps(part: dict[str, Any] | None, inner: str) -> list[dict[str, Any]]:
    """A part of the file as a list of steps."""
    if part is None:
        return []
    return list(part[inner]) if part["type"] == "Sequence" else [part]
