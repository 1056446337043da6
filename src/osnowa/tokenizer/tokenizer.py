"""A tokenizer: text to ids and back, one file that other tools read too."""

from __future__ import annotations

import hashlib
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
from osnowa.tokenizer.engine import for_data, is_cacheable, load, mark_special, refuse_orders_in_data
from osnowa.tokenizer.pieces import count_bytes, find_continuations
from osnowa.tokenizer.sample import to_utf8
from osnowa.tokenizer.structure import KINDS, read_structure

FILE = "tokenizer.json"
# By content, ours first: what a file of another tool calls the five.
NAMES = {
    "pad": ("[PAD]", "<pad>"),
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "mask": ("[MASK]", "<mask>"),
    "unk": ("[UNK]", "<unk>"),
}


class Tokenizer:
    """Text to ids and back.

    `kind` is wordpiece, bpe or unigram; `tokens[id]` the entry as it stands in the file; `specials` the special tokens
    that the file has, of pad, cls, sep, mask and unk; `special_ids` those and all others marked as special;
    `fingerprint` the SHA-256 of the file; `notes` what training wants to say.
    """

    def __init__(self, data: bytes, where: str, notes: Sequence[str] = ()) -> None:
        """As `from_bytes`, which callers use."""
        parsed = read_structure(data, where)
        self.where, self.notes = where, tuple(notes)
        self._data = data
        self.kind: Kind = KINDS[parsed["model"]["type"]]
        self._engine = load(data, where)
        self.vocab_size: int = self._engine.get_vocab_size(with_added_tokens=True)
        self.tokens: list[str] = [self._engine.id_to_token(index) or "" for index in range(self.vocab_size)]
        vocabulary = self._engine.get_vocab(with_added_tokens=True)
        self.specials: dict[str, int] = {
            role: next(vocabulary[name] for name in names if name in vocabulary)
            for role, names in NAMES.items()
            if any(name in vocabulary for name in names)
        }
        mark_special(self._engine, [self.tokens[index] for index in self.specials.values()])
        added = self._engine.get_added_tokens_decoder()
        self.special_ids = frozenset(index for index, token in added.items() if token.special)
        self._data_engine = for_data(self._engine, parsed, self.special_ids)
        refuse_orders_in_data(self._data_engine, self.special_ids - {self.specials.get("unk", -1)}, where)
        self._cache = ChunkCache(self.kind, self.encode_batch) if is_cacheable(self._engine, self.kind) else None
        self.fingerprint = hashlib.sha256(data).hexdigest()

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

        Raises:
            InputMissingError, DataError, SettingsError
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
        return cls(data, str(path))

    def to_bytes(self) -> bytes:
        """The content of tokenizer.json, byte by byte as it was trained or read."""
        return self._data

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._data, self.where, self.notes)

    # --- special tokens -----------------------------------------------------------------------------------------

    def require(self, roles: Iterable[str]) -> None:
        """Refuse a tokenizer that lacks a special token: "pad", "cls", "sep", "mask", "unk", or one by its content.

        Raises:
            SettingsError: names all that are missing.
        """
        special = {self.tokens[index] for index in self.special_ids}
        missing = [role for role in roles if role not in self.specials and role not in special]
        if missing:
            names = ", ".join(" or ".join(NAMES.get(role, (role,))) for role in missing)
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

    def token_id(self, token: str) -> int | None:
        """The id of an entry, None where there is none."""
        found = self._engine.token_to_id(token)
        return None if found is None else int(found)

    @cached_property
    def continues_word(self) -> NDArray[np.bool_]:
        """[vocab] True: the token goes on with the word before it; see `pieces.find_continuations`."""
        return find_continuations(self.kind, self.tokens, self.special_ids, self._prefix)

    @cached_property
    def num_bytes(self) -> NDArray[np.int32]:
        """[vocab] UTF-8 bytes of text in each token, 0 for special ones; see `pieces.count_bytes`."""
        return count_bytes(self.kind, self.tokens, self.special_ids, self._prefix)

    @property
    def _prefix(self) -> str:
        prefixes: dict[Kind, str] = {"wordpiece": PREFIX, "bpe": "", "unigram": SPACE}
        return getattr(self._engine.model, "continuing_subword_prefix", None) or prefixes[self.kind]


def _refuse_surrogates(texts: Iterable[str]) -> None:
    for text in texts:
        to_utf8(text)
