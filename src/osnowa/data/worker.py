"""A worker process that turns cleaned documents into ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osnowa import files, workers
from osnowa.corpus import Document, open_corpus
from osnowa.data.store import COUNTS, SPLITS, token_dtype
from osnowa.tokenizer import Tokenizer

_BATCH_CHARACTERS = 1 << 20  # text encoded at once: bounds memory, long enough for the library's speed


class _Spool:
    """Grows the three files of one split of one part."""

    def __init__(self, folder: Path, split: str, part: int, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.tokens, self.sentences, self.documents = (
            files.open_new(folder / f"{split}-{part:06d}.{kind}") for kind in ("tokens", "sentences", "documents")
        )
        self.counts = dict.fromkeys(COUNTS, 0)

    def add(
        self, ids: NDArray[np.int64], lengths: NDArray[np.int64], num_bytes: int, unknown: int, *, pair: bool
    ) -> None:
        """Sentences without tokens are left out, and a pair with such a side."""
        found = int((lengths > 0).sum())
        lengths = lengths[lengths > 0]
        if found < (2 if pair else 1):
            self.counts["empty"] += 1
            return
        self.tokens.write(ids.astype(self.dtype).tobytes())
        self.sentences.write(lengths.astype("<i8").tobytes())
        self.documents.write(np.array([len(lengths)], dtype="<i8").tobytes())
        for name, by in (("tokens", len(ids)), ("sentences", len(lengths)), ("documents", 1)):
            self.counts[name] += by
        self.counts["bytes"] += num_bytes
        self.counts["unknown"] += unknown

    def close(self) -> dict[str, int]:
        for handle in (self.tokens, self.sentences, self.documents):
            handle.close()
        return self.counts


def encode_part(name: str, corpus: str, part: int, tokenizer: str, folder: str) -> dict[str, dict[str, int]]:
    """Encode one part of a corpus sentence by sentence into length-prefixed files; returns the counts of each split."""
    encoder = Tokenizer.from_file(Path(tokenizer))
    dtype = token_dtype(encoder.vocab_size)
    spools = {split: _Spool(Path(folder), split, part, dtype) for split in SPLITS}
    pending: list[Document] = []
    unknown_id = encoder.specials.get("unk", -1)
    size = 0

    def flush() -> None:
        pieces = [document.pieces for document in pending]
        ids, lengths = encoder.encode_sentences([piece for own in pieces for piece in own])
        unknown = np.concatenate(([0], np.cumsum(ids == unknown_id)))
        token = sentence = 0
        for document, texts in zip(pending, pieces, strict=True):
            own = lengths[sentence : sentence + len(texts)]
            end = token + int(own.sum())
            num_bytes = sum(len(text.encode()) for text in texts)
            counted = int(unknown[end] - unknown[token])
            spools[document.split].add(ids[token:end], own, num_bytes, counted, pair=document.pair)
            token, sentence = end, sentence + len(texts)
        pending.clear()

    for document in open_corpus(Path(corpus)).documents(part):
        pending.append(document)
        size += len(document.text)
        if size > _BATCH_CHARACTERS:
            flush()
            size = 0
    flush()
    return {split: spool.close() for split, spool in spools.items()}


if __name__ == "__main__":
    workers.serve({"encode_part": encode_part})
