"""The finished corpus in its workspace: kept documents read back in order, and a sample for the tokenizer.

    sources.jsonl                 one line a source: where it is, its SHA-256, encoding, what a document is and why
    parts/NNNNN.safetensors       documents that passed the quality rules, in their order (arrays below)
    decisions.safetensors         for each of them: 0 train, 1 held out, 2 dropped as a duplicate
    rejected.jsonl                records that could not be read, verbatim
    collected.json                ledger, fingerprint, number of documents in each part

Arrays of a part: text (UTF-8, end to end), lengths (bytes), characters, identities, keys and split_keys [n, 16], sources
and languages (numbers into the part's lists), lines, sentence_counts, sentences (start offsets in characters).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from osnowa import files
from osnowa.corpus import pair as pairs
from osnowa.corpus.ledger import Ledger
from osnowa.corpus.parts import PartFiles, read_part, unpack_texts, write_part
from osnowa.corpus.split import DROPPED, HELD_OUT, TRAIN, numbers
from osnowa.errors import DamagedError

COLLECTED = "collected.json"
SPLITS = {TRAIN: "train", HELD_OUT: "held_out"}


@dataclass(frozen=True)
class Document:
    """One kept document; the slices between the `sentences` starts (characters, the first is 0) are the whole text."""

    text: str
    sentences: list[int]
    split: str  # "train" | "held_out"
    language: str  # "pl", "en", ... or "und"
    identity: str  # 32 hexadecimal digits: the 128-bit hash of `text`
    source: str = ""
    line: int = 0
    pair: bool = False  # the two `sentences` are source and target

    @property
    def pieces(self) -> list[str]:
        """What is encoded, one after the other: the sentences; of a pair source and target without what parts them."""
        if self.pair:
            return [side.strip() for side in pairs.sides(self.text, self.sentences[1])]
        cuts = [*self.sentences, len(self.text)]
        return [self.text[start:stop] for start, stop in pairwise(cuts)]


@dataclass(frozen=True)
class Corpus:
    """What `collect` left in a workspace."""

    folder: Path
    ledger: Ledger
    fingerprint: str  # SHA-256 over the kept documents' identities and splits
    sizes: tuple[int, ...]  # documents in each part, with those dropped as duplicates

    @property
    def num_parts(self) -> int:
        return len(self.sizes)

    def documents(self, part: int) -> Iterator[Document]:
        """The kept documents (or pairs) of a part, in their order; the part's text (some 8 MB) is in memory.

        Raises:
            DamagedError
        """
        return self._read(part, self._decisions()[part])

    def sample(self, max_characters: int) -> Iterator[str]:
        """Training texts of at most `max_characters` together (at least one text), drawn by hash, in corpus order.

        A text's place in the draw depends on the text alone, so the sample hardly changes when documents are added.

        Raises:
            DamagedError
        """
        parts = part_files(self.folder, self.sizes)
        decisions = np.concatenate([np.zeros(0, np.uint8), *self._decisions()])
        train = np.flatnonzero(decisions == TRAIN)
        order = train[np.argsort(numbers(parts.column("identities")[train][:, 8:]), kind="stable")]
        total = np.cumsum(parts.column("characters")[order].astype(np.int64))
        chosen = np.full(len(decisions), DROPPED, np.uint8)
        chosen[order[: max(1, int(np.searchsorted(total, max_characters, side="right")))]] = TRAIN
        borders = np.concatenate([[0], np.cumsum(self.sizes)])
        for part in range(self.num_parts):
            here = chosen[borders[part] : borders[part + 1]]
            if (here == TRAIN).any():
                yield from (document.text for document in self._read(part, here))

    def _decisions(self) -> list[npt.NDArray[np.uint8]]:
        arrays, _ = read_part(self.folder / "decisions.safetensors")
        return np.split(arrays["decisions"], np.cumsum(self.sizes)[:-1]) if self.sizes else []

    def _read(self, part: int, decisions: npt.NDArray[np.uint8]) -> Iterator[Document]:
        arrays, facts = read_part(part_path(self.folder, part))
        stops = np.cumsum(arrays["sentence_counts"])
        for number, text in enumerate(unpack_texts(arrays)):
            if decisions[number] in SPLITS:
                start = stops[number] - arrays["sentence_counts"][number]
                yield Document(
                    text=text,
                    sentences=arrays["sentences"][start : stops[number]].tolist(),
                    split=SPLITS[int(decisions[number])],
                    language=facts["languages"][arrays["languages"][number]],
                    identity=arrays["identities"][number].tobytes().hex(),
                    source=facts["sources"][arrays["sources"][number]],
                    line=int(arrays["lines"][number]),
                    pair=facts["pairs"],
                )


def part_path(folder: Path, part: int) -> Path:
    return folder / "parts" / f"{part:05d}.safetensors"


def part_files(folder: Path, sizes: Sequence[int]) -> PartFiles:
    return PartFiles([part_path(folder, part) for part in range(len(sizes))], sizes)


def publish_corpus(
    folder: Path, sizes: Sequence[int], decisions: npt.NDArray[np.uint8], ledger: Ledger, work: str
) -> Corpus:
    """Write the decisions and the ledger; from then on `open_corpus` finds the corpus.

    Raises:
        StorageError, CannotCreateError
    """
    write_part(folder / "decisions.safetensors", {"decisions": decisions}, {}, work)
    digest, first = hashlib.sha256(), 0
    for path, size in zip(part_files(folder, sizes).paths, sizes, strict=True):
        arrays, _ = read_part(path, ("identities",))
        here = decisions[first : first + size]
        kept = here != DROPPED
        digest.update(np.column_stack([arrays["identities"][kept], here[kept]]).tobytes())
        first += size
    facts = {"work": work, "fingerprint": digest.hexdigest(), "sizes": list(sizes), "ledger": ledger.as_dict()}
    files.write_json(folder / COLLECTED, facts)
    return open_corpus(folder)


def open_corpus(workspace: Path) -> Corpus:
    """The corpus that `collect` left in `workspace`.

    Raises:
        InputMissingError: there is none, or it was not finished.
        DamagedError: its account can't be read.
    """
    path = workspace / COLLECTED
    facts = files.read_json(path)
    try:
        ledger = Ledger.from_dict(facts["ledger"])
        return Corpus(workspace, ledger, str(facts["fingerprint"]), tuple(facts["sizes"]))
    except (KeyError, TypeError):
        raise DamagedError(str(path), "is not the account of a corpus", "prepare the corpus again") from None
