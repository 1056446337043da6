"""From the tallies of all tasks to the ledger: duplicates, languages, sources, warnings, and the refusal of nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from osnowa.corpus.catalog import Catalog
from osnowa.corpus.duplicates import NONE
from osnowa.corpus.ledger import CorpusWarning, Ledger
from osnowa.corpus.parts import PartFiles, read_part
from osnowa.corpus.reading import ESCAPED, REJECTED
from osnowa.corpus.sources import Skipped
from osnowa.corpus.split import DROPPED, HELD_OUT, TRAIN, Split
from osnowa.corpus.tally import Tally, excerpt
from osnowa.errors import DataError

_LISTED_SOURCES = 1000
_SAMPLES = 3
_MANY_ESCAPED = 0.001  # share of documents
_MANY_DROPPED = 0.2  # share of documents that one rule drops, from which it is worth a word
_BULKY = ("cells", "source", "size", "dialect")  # of a survey, not for the ledger


def count_duplicates(tally: Tally, rule: str, parts: PartFiles, of: npt.NDArray[np.int64]) -> None:
    """Enter the documents that repeat another one (`of`: its number, or -1), with examples that name it."""
    repeats = np.flatnonzero(of != NONE)
    if not len(repeats):
        return
    tally.count(tally.dropped, rule, len(repeats), int(parts.column("lengths")[repeats].sum(dtype=np.int64)))
    for number, (source, line) in enumerate(parts.origins()):
        if of[number] != NONE:
            tally.show(rule, source, line, lambda number=number: _describe(parts, number, int(of[number])))  # type: ignore[misc]


def _describe(parts: PartFiles, document: int, original: int) -> dict[str, Any]:
    source, line, text = parts.describe(document)
    first_source, first_line, _ = parts.describe(original)
    same_as = {"source": first_source, "line": first_line}
    return {"source": source, "line": line, "excerpt": excerpt(text), "same_as": same_as}


def refuse_nothing(tally: Tally, kept: int) -> None:
    """Stop when no document is left.

    Raises:
        DataError: with the number of documents by the rule that dropped them.
    """
    if kept:
        return
    if not tally.came_in[0]:
        rejected = sum(tally.rejected.values()) + sum(tally.skipped.values())
        what = f"no document could be read ({rejected} pieces were refused)" if rejected else "there are no documents"
        raise DataError("corpus", what, "give files with text")
    rules = sorted(tally.dropped.items(), key=lambda entry: -entry[1][0])
    numbers = ", ".join(f"{rule} {documents}" for rule, (documents, _) in rules)
    worst = rules[0][0]
    instead = f"look at the text, or turn a rule off with --corpus.rules-off={worst}" if worst != "empty" else ""
    raise DataError(
        "corpus", f"no document is left of {tally.came_in[0]}: {numbers}", instead or "give files with text"
    )


def account(
    tally: Tally,
    parts: PartFiles,
    division: Split,
    overlap: int,
    catalog: Catalog,
    skipped: tuple[Skipped, ...],
    unit: str,
) -> Ledger:
    """The ledger of the whole corpus; it balances."""
    lengths = parts.column("lengths").astype(np.int64)
    sides = {side: _sum(lengths[division.decisions == side]) for side in (TRAIN, HELD_OUT)}
    ledger = Ledger(
        came_in=(tally.came_in[0], tally.came_in[1]),
        train=sides[TRAIN],
        held_out=sides[HELD_OUT],
        dropped=_by_name(tally.dropped),
        removed=_by_name(tally.removed),
        languages=_by_name(_count_languages(parts, lengths, division.decisions != DROPPED)),
        rejected=dict(sorted(tally.rejected.items())),
        skipped={**{entry.reason: entry.files for entry in skipped}, **tally.skipped},
        skipped_examples={entry.reason: list(entry.examples) for entry in skipped},
        split={"held_out_share": division.share, "threshold": f"{division.threshold:016x}", "overlap": overlap},
        num_sources=len(catalog.entries),
        sources=[_describe_source(entry) for entry in islice(catalog.read(), _LISTED_SOURCES)],
        examples={rule: [example for _, example in kept] for rule, kept in sorted(tally.examples.items())},
        warnings=[*_find_guesses(catalog), *_find_warnings(tally, sides, overlap)],
        unit=unit,
    )
    assert ledger.balance() == (0, 0), f"documents and bytes unaccounted for: {ledger.balance()}"
    return ledger


def _sum(lengths: npt.NDArray[np.int64]) -> tuple[int, int]:
    return len(lengths), int(lengths.sum())


def _by_name(counts: Mapping[str, list[int]]) -> dict[str, tuple[int, int]]:
    return {name: (documents, num_bytes) for name, (documents, num_bytes) in sorted(counts.items())}


def _count_languages(
    parts: PartFiles, lengths: npt.NDArray[np.int64], kept: npt.NDArray[np.bool_]
) -> dict[str, list[int]]:
    counts = Tally()
    first = 0
    for path, size in zip(parts.paths, parts.sizes, strict=True):
        arrays, facts = read_part(path, ("languages",))
        here = slice(first, first + size)
        for number, name in enumerate(facts["languages"]):
            chosen = kept[here] & (arrays["languages"] == number)
            if chosen.any():
                counts.count(counts.removed, name, *_sum(lengths[here][chosen]))
        first += size
    return counts.removed


def _describe_source(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Name, bytes, SHA-256, encoding, document mode with its reason, notes: what a reader of the ledger asks for."""
    source, survey = entry["source"], entry["survey"]
    plain = {name: value for name, value in survey.items() if name not in _BULKY}
    return {"name": source["name"], "format": source["format"], "bytes": source["size"], **plain}


def _find_guesses(catalog: Catalog) -> Iterator[CorpusWarning]:
    guessed = 0
    samples: list[str] = []
    for entry in catalog.read():
        if entry["survey"]["guessed"]:
            guessed += 1
            samples += [f"{entry['source']['name']}: {note}" for note in entry["survey"]["notes"]][
                : _SAMPLES - len(samples)
            ]
    if guessed:
        message = f"the encoding of {guessed} {'files' if guessed > 1 else 'file'} is a guess"
        yield CorpusWarning("guessed_encoding", message, {"sources": guessed, "samples": samples})


def _find_warnings(tally: Tally, sides: Mapping[int, tuple[int, int]], overlap: int) -> Iterator[CorpusWarning]:
    documents = tally.came_in[0]
    escaped = tally.flagged.get(ESCAPED, 0)
    if escaped and escaped >= _MANY_ESCAPED * documents:
        samples = [example for _, example in tally.examples[ESCAPED][:_SAMPLES]]
        message = f"{escaped / documents:.1%} of the documents look escaped twice (\\n and \\u0105 spelled out)"
        yield CorpusWarning(ESCAPED, message, {"documents": escaped, "share": escaped / documents, "samples": samples})
    for rule, (number, _) in sorted(tally.dropped.items()):
        if number >= _MANY_DROPPED * documents:
            samples = [example for _, example in tally.examples[rule][:_SAMPLES]]
            message = f"{number / documents:.1%} of the documents were dropped by the rule {rule}"
            yield CorpusWarning("many_dropped", message, {"rule": rule, "documents": number, "samples": samples})
    if tally.rejected:
        number = sum(tally.rejected.values())
        samples = [example for _, example in tally.examples[REJECTED][:_SAMPLES]]
        message = f"{number} records could not be read; they stand in rejected.jsonl"
        yield CorpusWarning("rejected_records", message, {"records": number, "samples": samples})
    if not sides[HELD_OUT][0]:
        message = "there is one document only, so that nothing is held out and nothing can be measured on unseen text"
        yield CorpusWarning("no_held_out", message, {"documents": sides[TRAIN][0]})
    if overlap:
        message = f"{overlap} held-out documents are among the training documents too"
        yield CorpusWarning("overlap", message, {"documents": overlap})
