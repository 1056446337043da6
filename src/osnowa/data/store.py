"""Tokens on disk: memory-mapped ids with document and sentence borders, checksummed, keyed by what made them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osnowa import files
from osnowa.errors import DamagedError, DataError

SPLITS = ("train", "held_out")
# Of each split, in the manifest. `empty`: documents in which the tokenizer finds nothing, left out; bytes are those kept.
COUNTS = ("tokens", "sentences", "documents", "bytes", "unknown", "empty")
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class TokenSplit:
    """One split, memory-mapped.

    `tokens[sentences[s] : sentences[s + 1]]` is sentence s; documents d holds sentences `documents[d] : documents[d + 1]`.
    """

    tokens: NDArray[np.uint16] | NDArray[np.uint32]
    sentences: I64  # [num_sentences + 1] offsets into tokens
    documents: I64  # [num_documents + 1] offsets into sentences
    num_bytes: int  # UTF-8 bytes of the text behind the tokens

    @property
    def num_documents(self) -> int:
        return len(self.documents) - 1

    @property
    def num_tokens(self) -> int:
        return len(self.tokens)

    def ends_in(self, places: I64) -> NDArray[np.bool_]:
        """[places] True: a document ends there (offsets into tokens, the place behind its last token)."""
        at = np.searchsorted(self._document_ends, places)
        return np.asarray(self._document_ends[np.minimum(at, len(self._document_ends) - 1)] == places)

    @cached_property
    def _document_ends(self) -> I64:
        """[num_documents + 1] offsets into tokens, in memory: a row asks for several, far from each other."""
        return np.asarray(self.sentences[self.documents])


@dataclass(frozen=True)
class TokenStore:
    """A prepared corpus: both splits, the tokenizer's file beside them, and the facts in the manifest."""

    folder: Path
    facts: dict[str, Any]
    train: TokenSplit
    held_out: TokenSplit

    @classmethod
    def open(cls, folder: Path, *, check: bool = True) -> TokenStore:
        """Map a published store; `check` compares every file with its checksum first.

        Raises:
            DamagedError: a file is missing or altered.
            InputMissingError: without `check`, a file is missing.
            DataError: the folder holds something else.
            SettingsError: written by a newer version of osnowa.
        """
        manifest = files.verify(folder) if check else files.read_manifest(folder)
        facts = manifest.facts
        if facts.get("kind") != "token store":
            raise DataError(str(folder), "is not a prepared corpus", "make one with osnowa prepare")
        return cls(folder, facts, *(_open_split(folder, name, facts) for name in SPLITS))


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """uint16 while every id fits, else uint32."""
    return np.dtype("<u2") if vocab_size <= 1 << 16 else np.dtype("<u4")


def _open_split(folder: Path, name: str, facts: dict[str, Any]) -> TokenSplit:
    counts = facts["splits"][name]
    dtype = np.dtype(facts["dtype"])
    return TokenSplit(
        _map(folder / f"{name}.tokens", dtype, counts["tokens"]),
        _map(folder / f"{name}.sentences", np.dtype("<i8"), counts["sentences"] + 1),
        _map(folder / f"{name}.documents", np.dtype("<i8"), counts["documents"] + 1),
        counts["bytes"],
    )


def _map(path: Path, dtype: np.dtype[Any], size: int) -> NDArray[Any]:
    with files.reading_errors(path):
        found = path.stat().st_size
        if found != size * dtype.itemsize:
            what = f"has {found} bytes instead of {size * dtype.itemsize}"
            raise DamagedError(str(path), what, "make it again with osnowa prepare")
        if size == 0:  # an empty file can't be mapped
            return np.zeros(0, dtype)
        # as a plain array: a memmap's own class costs 3 us more at each access
        return np.asarray(np.memmap(path, dtype, mode="r", shape=(size,)))
