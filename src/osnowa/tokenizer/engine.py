"""The library's object behind a tokenizer: loaded without hidden cuts, and a copy that takes all data for text."""

from __future__ import annotations

from typing import Any

from tokenizers import AddedToken, models, normalizers
from tokenizers import Tokenizer as Engine

from osnowa.errors import DataError, SettingsError
from osnowa.tokenizer.assembly import (
    REGEXES,
    byte_splitter,
    space_normalizer,
    space_splitter,
    word_normalizer,
    word_splitter,
)
from osnowa.tokenizer.config import Kind, Split


def load(data: bytes, where: str) -> Engine:
    try:
        engine = Engine.from_buffer(data)
    except Exception as error:  # the library raises nothing more precise
        raise DataError(where, f"is refused by the tokenizers library ({error})", "restore the file") from error
    engine.no_truncation()  # a file of another tool may cut texts off at 512, silently
    engine.no_padding()
    return engine


def is_byte_level(parsed: dict[str, Any]) -> bool:
    """Whether entries are spelled in printable characters that stand for bytes, by the file's splitter or decoder."""
    for name, inside in (("pre_tokenizer", "pretokenizers"), ("decoder", "decoders")):
        part = parsed.get(name) or {}
        if any(step.get("type") == "ByteLevel" for step in [part, *(part.get(inside) or [])]):
            return True
    return False


def mark_special(engine: Engine, names: list[str]) -> None:
    """Entries that only stand in the vocabulary of the file become special tokens of the engine, with the same ids."""
    marked = {token.content for token in engine.get_added_tokens_decoder().values() if token.special}
    engine.add_special_tokens(
        [AddedToken(name, special=True, normalized=False) for name in names if name not in marked]
    )


def for_data(engine: Engine, parsed: dict[str, object], special_ids: frozenset[int]) -> Engine:
    """A copy for data, which can't be made to yield a special token by what the text says."""
    copy = Engine.from_str(engine.to_str())
    copy.encode_special_tokens = True
    model = parsed["model"]
    assert isinstance(model, dict)
    if model["type"] == "Unigram":  # here a special token is a piece like any other: give it a name no text contains
        pieces = [
            (f"\ufdd0{index}\ufdd1" if index in special_ids else piece, score)
            for index, (piece, score) in enumerate(model["vocab"])
        ]
        copy.model = models.Unigram(pieces, model.get("unk_id"), bool(model.get("byte_fallback")))
    return copy


def refuse_orders_in_data(engine: Engine, special_ids: frozenset[int], where: str) -> None:
    """Make sure that no text can spell a special token.

    Raises:
        SettingsError: a text that spells a special token would become that token, in a file of another tool.
    """
    for index in sorted(special_ids):
        name = engine.id_to_token(index)
        if not special_ids.isdisjoint(engine.encode(f"a {name} b", add_special_tokens=False).ids):
            raise SettingsError(
                where,
                f"reads the text {name!r} in the data as the special token",
                "use one that cuts words at brackets",
            )


def is_cacheable(engine: Engine, kind: Kind) -> bool:
    """Whether words end at spaces as the chunks of `ChunkCache` assume: the splitter is one of ours, nothing is added."""
    if not all(token.special for token in engine.get_added_tokens_decoder().values()):
        return False
    cleaners, splitters = _ours(kind)
    state = engine.normalizer.__getstate__() if engine.normalizer else b"null"
    splitter = engine.pre_tokenizer.__getstate__() if engine.pre_tokenizer else b"null"
    return state in cleaners and splitter in splitters


def _ours(kind: Kind) -> tuple[set[bytes], set[bytes]]:
    """The states of the normalisers and word splitters that `assembly` makes."""
    match kind:
        case "wordpiece":
            made = [word_normalizer(fold) for fold in (False, True)]
            return {part.__getstate__() for part in made}, {word_splitter().__getstate__()}
        case "unigram":
            made = [space_normalizer(fold) for fold in (False, True)]
            return {part.__getstate__() for part in made}, {space_splitter().__getstate__()}
        case "bpe":
            splits: tuple[Split, ...] = (*REGEXES, "gpt-2")
            lower = normalizers.Lowercase().__getstate__()
            return {b"null", lower}, {byte_splitter(split).__getstate__() for split in splits}
