"""A worker process that turns cleaned documents into ids."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osnowa import files, workers
from osnowa.corpus import open_corpus
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

    def add(self, ids: NDArray[np.int64], lengths: NDArray[np.int64], num_bytes: int, unknown: int) -> None:
        lengths = lengths[lengths > 0]
        if not len(lengths):
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
    pending: list[tuple[str, int, list[str]]] = []
    size = 0

    def flush() -> None:
        ids, lengths = encoder.encode_sentences([sentence for _, _, sentences in pending for sentence in sentences])
        unknown = np.concatenate(([0], np.cumsum(ids == encoder.unk)))
        token = sentence = 0
        for split, num_bytes, sentences in pending:
            own = lengths[sentence : sentence + len(sentences)]
            end = token + int(own.sum())
            spools[split].add(ids[token:end], own, num_bytes, int(unknown[end] - unknown[token]))
            token, sentence = end, sentence + len(sentences)
        pending.clear()

    for document in open_corpus(Path(corpus)).documents(part):
        cuts = [*document.sentences, len(document.text)]
        sentences = [document.text[a:b] for a, b in itertools.pairwise(cuts)]
        pending.append((document.split, len(document.text.encode()), sentences))
        size += len(document.text)
        if size > _BATCH_CHARACTERS:
            flush()
            size = 0
    flush()
    return {split: spool.close() for split, spool in spools.items()}


if __name__ == "__main__":
    workers.serve({"encode_part": encode_part})
