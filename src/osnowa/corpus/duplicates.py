"""Exact duplicates by 128-bit hash, near-duplicates by banded MinHash signatures; the first document stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

from osnowa.corpus.parts import PartFiles, read_part
from osnowa.corpus.shingles import NUM_HASHES

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_RECALL = 0.99  # of pairs exactly as similar as asked share a band
_MOST_ROWS = 16
_MOST_LEADERS = 10  # compared with the rest of a band's bucket, before its documents count as different
_PAIRS = 50_000  # verified at a time: 50 MB of signatures
NONE = -1


def find_exact(keys: npt.NDArray[np.uint8], alive: Flags) -> Indices:
    """For each document the earlier one with the same key [documents, 16 bytes], or -1."""
    of = np.full(len(alive), NONE, np.int64)
    documents = np.flatnonzero(alive)
    if len(documents) > 1:
        halves = np.ascontiguousarray(keys[documents]).view(np.uint64)
        order = np.lexsort((halves[:, 1], halves[:, 0]))  # stable: equal keys stay in order
        ordered = halves[order]
        new = np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)])
        first = order[np.flatnonzero(new)][np.cumsum(new) - 1]
        of[documents[order[~new]]] = documents[first[~new]]
    return of


# --- near-duplicates ----------------------------------------------------------------------------------------------


def num_rows(similarity: float) -> int:
    """Signature rows in a band: the most (fewest false candidates) that still find 99 % at `similarity`."""
    found = [rows for rows in range(1, _MOST_ROWS + 1) if 1 - (1 - similarity**rows) ** (NUM_HASHES // rows) >= _RECALL]
    return found[-1]


def band_keys(signatures: npt.NDArray[np.uint32], similarity: float) -> npt.NDArray[np.uint64]:
    """One number for each band of each signature [bands, documents]; equal rows give equal numbers."""
    rows = num_rows(similarity)
    keys = np.zeros((NUM_HASHES // rows, len(signatures)), np.uint64)
    for band, mixed in enumerate(keys):
        for row in range(band * rows, (band + 1) * rows):
            mixed *= np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
            mixed += signatures[:, row]
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return keys


class Signatures(PartFiles):
    """The signature files of all parts: arrays `bands` [bands, n] and `signatures` [n, 128] for n documents each."""

    def bands(self) -> Iterator[npt.NDArray[np.uint64]]:
        """One band of all documents at a time: 8 bytes a document in memory."""
        if not self.paths:
            return
        with safe_open(self.paths[0], framework="numpy") as part:
            num_bands = part.get_slice("bands").get_shape()[0]
        for band in range(num_bands):
            rows = []
            for path in self.paths:
                with safe_open(path, framework="numpy") as part:
                    rows.append(part.get_slice("bands")[band])
            yield np.concatenate(rows)

    def rows(self, documents: Indices) -> npt.NDArray[np.uint32]:
        """The signatures of `documents` (ascending)."""
        borders = np.concatenate([[0], np.cumsum(self.sizes)])
        cuts = np.searchsorted(documents, borders)
        found = [np.zeros((0, NUM_HASHES), np.uint32)]
        for part, path in enumerate(self.paths):
            here = documents[cuts[part] : cuts[part + 1]]
            if len(here):
                arrays, _ = read_part(path, ("signatures",))
                found.append(arrays["signatures"][here - borders[part]])
        return np.concatenate(found)

    def are_similar(self, left: Indices, right: Indices, similarity: float) -> Flags:
        """Whether the signatures of each pair agree in at least `similarity` of their places."""
        result = np.zeros(len(left), bool)
        for start in range(0, len(left), _PAIRS):
            pairs = np.stack([left[start : start + _PAIRS], right[start : start + _PAIRS]])
            documents, places = np.unique(pairs, return_inverse=True)
            rows, places = self.rows(documents), places.reshape(pairs.shape)
            result[start : start + _PAIRS] = (rows[places[0]] == rows[places[1]]).mean(axis=1) >= similarity
        return result


def find_near(
    signatures: Signatures,
    alive: Flags,
    similarity: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Indices:
    """For each document an earlier, *kept* one that it is similar to, or -1.

    Documents that share a band are candidates and compared by their whole signatures. A document whose only likeness
    is itself dropped gets another chance among the rest, so that chains of small changes do not swallow each other.
    """
    of = np.full(len(alive), NONE, np.int64)
    suspects = np.flatnonzero(alive)
    while len(suspects) > 1:
        witness, involved = _find_witnesses(signatures, suspects, len(alive), similarity, progress)
        has_witness = witness != NONE
        dropped = has_witness & ~has_witness[witness]  # the witness itself stays
        of[dropped] = witness[dropped]
        if not (has_witness & ~dropped).any():
            break
        suspects = suspects[(involved & ~dropped)[suspects]]
    return of


def _find_witnesses(
    signatures: Signatures,
    suspects: Indices,
    num_documents: int,
    similarity: float,
    progress: Callable[[int, int], None],
) -> tuple[Indices, Flags]:
    """One earlier similar document for each (it may have one itself), and who shared a band with anybody."""
    witness = np.full(num_documents, NONE, np.int64)
    involved = np.zeros(num_documents, bool)
    for band, keys in enumerate(signatures.bands()):
        members, groups = _buckets(suspects, keys[suspects])
        involved[members] = True
        for _ in range(_MOST_LEADERS):
            if not len(members):
                break
            first = np.concatenate([[True], groups[1:] != groups[:-1]])
            leaders = members[first][np.cumsum(first) - 1]
            open_ = ~first & ~((witness[members] != NONE) & (witness[witness[members]] == NONE))
            similar = np.zeros(len(members), bool)
            similar[open_] = signatures.are_similar(leaders[open_], members[open_], similarity)
            witness[members[similar]] = leaders[similar]
            members, groups = _in_company(members[open_ & ~similar], groups[open_ & ~similar])
        progress(band + 1, NUM_HASHES // num_rows(similarity))
    return witness, involved


def _buckets(documents: Indices, keys: npt.NDArray[np.uint64]) -> tuple[Indices, Indices]:
    """Documents that share their key with another one, bucket by bucket in order, and their buckets' numbers."""
    order = np.argsort(keys, kind="stable")
    new = np.concatenate([[True], keys[order][1:] != keys[order][:-1]])
    return _in_company(documents[order], np.cumsum(new))


def _in_company(documents: Indices, groups: Indices) -> tuple[Indices, Indices]:
    """Without the groups of one."""
    if not len(documents):
        return documents, groups
    new = np.concatenate([[True], groups[1:] != groups[:-1]])
    numbers = np.cumsum(new) - 1
    shared = np.bincount(numbers)[numbers] > 1
    return documents[shared], groups[shared]
