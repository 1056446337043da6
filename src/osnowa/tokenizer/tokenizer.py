"""A tokenizer: text to ids and back, one file that other tools read too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from osnowa.errors import InputMissingError, SettingsError
from osnowa.files import nearest_parent
from osnowa.tokenizer.assembly import PREFIX, SPACE
from osnowa.tokenizer.chunks import ChunkCache
from osnowa.tokenizer.config import Kind
from osnowa.tokenizer.engine import (
    for_data,
    is_byte_level,
    is_cacheable,
    load,
    mark_special,
    refuse_orders_in_data,
)
from osnowa.tokenizer.pieces import count_bytes, find_continuations
from osnowa.tokenizer.roles import ALIASES, OURS, FileFrame, Given, find_roles, frame_of, read_given, strange_names
from osnowa.tokenizer.sample import to_utf8
from osnowa.tokenizer.structure import KINDS, read_structure

FILE = "tokenizer.json"
_LISTED = 6  # missing special tokens in one message


class Tokenizer:
    """Text to ids and back.

    `kind` is wordpiece, bpe or unigram; `tokens[id]` the entry as it stands in the file; `specials` the special tokens
    that the file has, of pad, cls (begin), sep (end), mask and unk, some of which may be one token; `special_ids` those
    and all others marked as special; `frame` what other tools put around a text; `fingerprint` the SHA-256 of the file
    (and of the roles, where only a file beside it tells them); `notes` what training or reading wants to say.
    """

    def __init__(self, data: bytes, where: str, notes: Sequence[str] = (), given: Given | None = None) -> None:
        """As `from_bytes` and `from_file`, which callers use."""
        parsed = read_structure(data, where)
        self.where, self.given = where, dict(given or {})
        self._data = data
        self.kind: Kind = KINDS[parsed["model"]["type"]]
        self.frame: FileFrame = frame_of(parsed)
        self._spelling: Kind = "unigram" if self.kind == "bpe" and not is_byte_level(parsed) else self.kind
        self._engine = load(data, where)
        self.vocab_size: int = self._engine.get_vocab_size(with_added_tokens=True)
        self.tokens: list[str] = [self._engine.id_to_token(index) or "" for index in range(self.vocab_size)]
        vocabulary = self._engine.get_vocab(with_added_tokens=True)
        marked = [token.content for token in self._engine.get_added_tokens_decoder().values() if token.special]
        self.specials: dict[str, int] = find_roles(parsed, vocabulary, marked, self.given)
        self.roles_from_beside = self.specials != find_roles(parsed, vocabulary, marked, {})
        self._own_notes = tuple(notes)
        self.notes = (*notes, *strange_names(vocabulary, self.given))
        mark_special(self._engine, [self.tokens[index] for index in self.specials.values()])
        added = self._engine.get_added_tokens_decoder()
        self.special_ids = frozenset(index for index, token in added.items() if token.special)
        self._data_engine = for_data(self._engine, parsed, self.special_ids)
        others = {index for role, index in self.specials.items() if role != "unk"}
        refuse_orders_in_data(self._data_engine, self.special_ids - ({self.specials.get("unk", -1)} - others), where)
        self._cache = ChunkCache(self.kind, self.encode_batch) if is_cacheable(self._engine, self.kind) else None
        roles = json.dumps(self.specials, sort_keys=True) if self.roles_from_beside else ""
        self.fingerprint = hashlib.sha256(data + roles.encode()).hexdigest()

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> Self:
        """A tokenizer from the content of a tokenizer.json; `where` names it in errors.

        Raises:
            DataError: cut off, edited, or contradicting itself.
            SettingsError: of a kind that we do not know.
        """
        return cls(data, where)

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """A tokenizer from a tokenizer.json or from the folder that holds one.

        Files that other tools put beside it (tokenizer_config.json, special_tokens_map.json, config.json,
        generation_config.json) tell which special token plays which part; see `roles.find_roles`.

        Raises:
            InputMissingError, DataError, DamagedError, SettingsError
        """
        path = Path(path)
        if path.is_dir():
            path /= FILE
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise InputMissingError(str(path), "no such file", nearest_parent(path)) from None
        except OSError as error:
            raise InputMissingError(str(path), f"can't be read ({error.strerror})", "") from None
        return cls(data, str(path), given=read_given(path.parent))

    def to_bytes(self) -> bytes:
        """The content of tokenizer.json, byte by byte as it was trained or read."""
        return self._data

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._data, self.where, self._own_notes, self.given)

    # --- special tokens -----------------------------------------------------------------------------------------

    def require(self, roles: Iterable[str]) -> None:
        """Refuse a tokenizer that lacks a special token: "pad", "cls" or "bos", "sep" or "eos", "mask", "unk", or one
        by its content.

        Raises:
            SettingsError: names all that are missing.
        """
        special = {self.tokens[index] for index in self.special_ids}
        wanted = (ALIASES.get(role, role) for role in roles)
        missing = [role for role in wanted if role not in self.specials and role not in special]
        if missing:
            names = ", ".join(" or ".join(OURS.get(role, (role,))) for role in missing[:_LISTED])
            if len(missing) > _LISTED:
                names += f" and {len(missing) - _LISTED} more"
            raise SettingsError(
                f"tokenizer {self.where}", f"has no special token {names}", "add it, or train another tokenizer"
            )

    def _special(self, role: str) -> int:
        self.require([role])
        return self.specials[role]

    @property
    def pad(self) -> int:
        return self._special("pad")

    @property
    def cls(self) -> int:
        return self._special("cls")

    @property
    def sep(self) -> int:
        return self._special("sep")

    bos, eos = cls, sep

    @property
    def mask(self) -> int:
        return self._special("mask")

    @property
    def unk(self) -> int:
        return self._special("unk")

    # --- text to ids --------------------------------------------------------------------------------------------

    def encode(self, text: str) -> list[int]:
        """Ids of a piece of data: "[MASK]" in it is text like any other. No [CLS] and [SEP] are added.

        Raises:
            DataError: half a surrogate pair in the text.
        """
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` for each text, on as many threads as the library is allowed (TOKENIZERS_PARALLELISM)."""
        try:
            found = self._data_engine.encode_batch_fast(list(texts), add_special_tokens=False)
        except (UnicodeEncodeError, TypeError):
            _refuse_surrogates(texts)
            raise
        return [encoding.ids for encoding in found]

    def encode_sentences(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All ids end to end [tokens], and how many of them each text has [texts]; `encode_batch`, but faster."""
        if self._cache is not None:
            return self._cache.encode(texts)
        ids = self.encode_batch(texts)
        lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
        joined = np.fromiter(chain.from_iterable(ids), dtype=np.int64, count=int(lengths.sum()))
        return joined, lengths

    def encode_prompt(self, text: str) -> list[int]:
        """Ids of a user's order: special tokens written in the text, such as [MASK], are what they say."""
        return self.encode_with_offsets(text, orders=True)[0]

    def encode_with_offsets(self, text: str, *, orders: bool = False) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids and, for each, where in `text` it comes from: (start, stop) in characters. `orders` as `encode_prompt`."""
        engine = self._engine if orders else self._data_engine
        try:
            encoding = engine.encode(text, add_special_tokens=False)
        except (UnicodeEncodeError, TypeError):
            _refuse_surrogates([text])
            raise
        return encoding.ids, encoding.offsets

    # --- ids to text --------------------------------------------------------------------------------------------

    def decode(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        return str(self._engine.decode([int(index) for index in ids], skip_special_tokens=skip_special))

    def token(self, index: int) -> str:
        """The entry with this id as it stands in the file: "##ach", "Ġkot", "▁kot"."""
        return self.tokens[index]

    def readable(self, index: int) -> str:
        """The entry as people read it: "kot" for "Ġkot" and "▁kot"; as it stands in the file where that is no text."""
        text = "" if index in self.special_ids else self.decode([index]).strip()
        return self.token(index) if not text or "\ufffd" in text else text

    def token_id(self, token: str) -> int | None:
        """The id of an entry, None where there is none."""
        found = self._engine.token_to_id(token)
        return None if found is None else int(found)

    @cached_property
    def continues_word(self) -> NDArray[np.bool_]:
        """[vocab] True: the token goes on with the word before it; see `pieces.find_continuations`."""
        return find_continuations(self._spelling, self._spelled, self.special_ids, self._prefix)

    @cached_property
    def num_bytes(self) -> NDArray[np.int32]:
        """[vocab] UTF-8 bytes of text in each token, 0 for special ones; see `pieces.count_bytes`."""
        return count_bytes(self._spelling, self._spelled, self.special_ids, self._prefix)

    @property
    def _prefix(self) -> str:
        prefixes: dict[Kind, str] = {"wordpiece": PREFIX, "bpe": "", "unigram": SPACE}
        return getattr(self._engine.model, "continuing_subword_prefix", None) or prefixes[self._spelling]

    @property
    def _spelled(self) -> list[str]:
        """The entries without a mark at the end of words, which some files have."""
        suffix = getattr(self._engine.model, "end_of_word_suffix", None)
        return [token.removesuffix(suffix) for token in self.tokens] if suffix else self.tokens


def _refuse_surrogates(texts: Iterable[str]) -> None:
    for text in texts:
        to_utf8(text)
