"""Second pass, in a worker: a chunk of cleaned documents to a part of the corpus, by the rules that drop documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash
from safetensors import safe_open

from osnowa.corpus import pair
from osnowa.corpus.boilerplate import Boilerplate, remove_lines
from osnowa.corpus.cleaning import squeeze
from osnowa.corpus.config import CorpusConfig
from osnowa.corpus.duplicates import band_keys
from osnowa.corpus.language import UNKNOWN, identify
from osnowa.corpus.parts import Arrays, finished, pack_hashes, pack_texts, read_part, unpack_texts, write_part
from osnowa.corpus.quality import Facts, failed_rule
from osnowa.corpus.reading import EMPTY
from osnowa.corpus.sentences import split_sentences
from osnowa.corpus.shingles import Shingles, shingles, signatures
from osnowa.corpus.tally import Tally, excerpt

BOILERPLATE = "boilerplate_lines"
# Sequences of a document that is compared with others: of 602 near-duplicates among 65,618 single lines most of the
# shorter ones said something else ("GNU C", "GNU C++").
_COMPARABLE = 10
_NOTHING: Shingles = np.zeros(0, np.uint64)
_SIGNED_AT_ONCE = 1000  # documents whose signatures stand in Python lists for a moment: 8 MB


def judge_chunk(
    name: str, chunk: str, first: int, common: str, part: str, signed: str, config: Mapping[str, Any], work: str
) -> dict[str, Any]:
    """Documents of `chunk` (the first is number `first` of the corpus) that pass the rules, written to `part`, their
    signatures to `signed`. `common` says which are exact duplicates and which lines are boilerplate.

    Returns:
        {"documents", "tally"}

    Raises:
        DamagedError, StorageError
    """
    facts = finished(Path(part), work)
    if facts is None or finished(Path(signed), work) is None:
        settings = CorpusConfig.model_validate(config)
        arrays, labels = read_part(Path(chunk))
        judged = _Judged(settings, labels["sources"])
        duplicate = _duplicates(common, first, len(arrays["lengths"]))
        repeated = _repeated_lines(arrays, first, _boilerplate(common, work))
        for number, text in enumerate(unpack_texts(arrays)):
            if not duplicate[number]:
                place = int(arrays["sources"][number]), int(arrays["lines"][number])
                if border := int(arrays["borders"][number]):
                    judged.judge_pair(text, border, place)
                else:
                    judged.judge(text, place, repeated.get(number, set()))
        write_part(Path(signed), judged.signed(), {}, work)
        facts = {
            "documents": len(judged.texts),
            "sources": labels["sources"],
            "languages": sorted(set(judged.languages)),
            "pairs": settings.pairs,
            "tally": judged.tally.as_dict(),
        }
        write_part(Path(part), judged.arrays(facts["languages"]), facts, work)
    return {"documents": facts["documents"], "tally": facts["tally"]}


def _duplicates(common: str, first: int, documents: int) -> npt.NDArray[np.uint8]:
    with safe_open(common, framework="numpy") as part:
        flags: npt.NDArray[np.uint8] = part.get_slice("duplicates")[first : first + documents]
    return flags


@lru_cache(maxsize=1)
def _boilerplate(common: str, work: str) -> Boilerplate:
    arrays, _ = read_part(Path(common), ("hashes", "first"))
    return Boilerplate(arrays["hashes"], arrays["first"])


def _repeated_lines(arrays: Arrays, first: int, boilerplate: Boilerplate) -> dict[int, set[int]]:
    """For documents of the chunk, the hashes of the lines that another document keeps."""
    hashes = arrays["line_hashes"]
    if not len(boilerplate.hashes) or not len(hashes):
        return {}
    documents = np.repeat(np.arange(len(arrays["line_counts"])), arrays["line_counts"])
    places = np.minimum(np.searchsorted(boilerplate.hashes, hashes), len(boilerplate.hashes) - 1)
    elsewhere = (boilerplate.hashes[places] == hashes) & (boilerplate.first[places] != documents + first)
    repeated: dict[int, set[int]] = {}
    for number, line in zip(documents[elsewhere].tolist(), hashes[elsewhere].tolist(), strict=True):
        repeated.setdefault(number, set()).add(line)
    return repeated


@dataclass
class _Judged:
    """The documents that passed, and the account of those that did not."""

    config: CorpusConfig
    source_names: list[str]
    tally: Tally = field(default_factory=Tally)
    texts: list[str] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    sentences: list[list[int]] = field(default_factory=list)
    shingles: list[Shingles] = field(default_factory=list)

    def judge(self, text: str, place: tuple[int, int], repeated: set[int]) -> None:
        before, removed = text, list[str]()
        if repeated:
            text, removed = remove_lines(text, repeated, self.config)
            text = squeeze(text) if "white_space" not in self.config.rules_off else text.strip("\n")
        data = text.encode()
        if removed:
            self.tally.count(self.tally.removed, BOILERPLATE, 1, len(before.encode()) - len(data))
            self._show(BOILERPLATE, place, "\n".join(removed))
        if not text or text.isspace():
            self._drop(EMPTY, place, before, len(data))
            return
        language = identify(text)
        facts = Facts(text, data, shingles(text), language)
        rule = failed_rule(facts, self.config)
        if rule:
            self._drop(rule, place, text, len(data))
            return
        self._keep(text, place, language, split_sentences(text), facts.shingles)

    def judge_pair(self, text: str, border: int, place: tuple[int, int]) -> None:
        """Each side by the same rules; lines that repeat in other pairs are no boilerplate. The language is the target's."""
        source, target = map(str.strip, pair.sides(text, border))
        known = identify(source) if self.config.languages else UNKNOWN  # 0.2 ms a pair, a third of the work
        sides = [
            Facts(side, side.encode(), shingles(side), language)
            for side, language in ((source, known), (target, identify(target)))
        ]
        rule = next((rule for facts in sides if (rule := failed_rule(facts, self.config))), None)
        if rule:
            self._drop(rule, place, text, len(text.encode()))
            return
        compared = shingles(text) if self.config.compares_near else _NOTHING
        self._keep(text, place, sides[1].language, [0, border], compared)

    def _keep(self, text: str, place: tuple[int, int], language: str, sentences: list[int], compared: Shingles) -> None:
        self.texts.append(text)
        self.places.append(place)
        self.languages.append(language)
        self.sentences.append(sentences)
        self.shingles.append(compared)

    def _drop(self, rule: str, place: tuple[int, int], text: str, num_bytes: int) -> None:
        self.tally.count(self.tally.dropped, rule, 1, num_bytes)
        self._show(rule, place, text)

    def _show(self, rule: str, place: tuple[int, int], text: str) -> None:
        source, line = self.source_names[place[0]], place[1]
        self.tally.show(rule, source, line, lambda: {"source": source, "line": line, "excerpt": excerpt(text)})

    def arrays(self, languages: list[str]) -> Arrays:
        """The part: see `published` for what reads it."""
        return {
            **pack_texts(self.texts),
            "characters": np.array([len(text) for text in self.texts], np.uint32),
            **self._hashes(),
            "sources": np.array([source for source, _ in self.places], np.uint32),
            "lines": np.array([line for _, line in self.places], np.int64),
            "languages": np.array([languages.index(language) for language in self.languages], np.uint8),
            "sentence_counts": np.array([len(starts) for starts in self.sentences], np.uint32),
            "sentences": np.array([start for starts in self.sentences for start in starts], np.uint32),
        }

    def _hashes(self) -> Arrays:
        """Of each document: `identities` tell it from all others, equal `keys` make duplicates of two, and equal
        `split_keys` keep two on one side of the split: of pairs those with the same source."""
        if not self.config.pairs:
            keys = pack_hashes(list(map(_key, self.texts)))
            return {"identities": pack_hashes(list(map(pair.identity, self.texts))), "keys": keys, "split_keys": keys}
        borders = [starts[1] for starts in self.sentences]
        sides = [tuple(map(_key, pair.sides(text, border))) for text, border in zip(self.texts, borders, strict=True)]
        return {
            "identities": pack_hashes(list(map(pair.identity, self.texts, borders))),
            "keys": pack_hashes([xxhash.xxh3_128_digest(source + target) for source, target in sides]),
            "split_keys": pack_hashes([source for source, _ in sides]),
        }

    def signed(self) -> Arrays:
        """Signatures [documents, 128], their bands, and which documents are long enough to compare."""
        rows = [
            signatures(self.shingles[start : start + _SIGNED_AT_ONCE])
            for start in range(0, len(self.shingles), _SIGNED_AT_ONCE)
        ]
        matrix = np.concatenate([signatures([]), *rows])
        return {
            "signatures": matrix,
            "bands": band_keys(matrix, self.config.similarity),
            "comparable": np.array([len(document) >= _COMPARABLE for document in self.shingles], np.uint8),
        }


def _key(text: str) -> bytes:
    """The hash by which texts that differ in case and white space only are the same."""
    return xxhash.xxh3_128_digest(" ".join(text.casefold().split()).encode())
