"""Counts of what each rule removed and dropped, and ten examples of each, that add up over parts of the work."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import xxhash

EXAMPLES = 10  # kept for each rule
_EXCERPT = 240  # characters of an example
_MOST_REASONS = 100

Counts = dict[str, list[int]]  # name -> [documents, bytes]


@dataclass
class Tally:
    """Counts that add up: of one part of the work, or of several added together. JSON-able by `as_dict`."""

    came_in: list[int] = field(default_factory=lambda: [0, 0])  # documents, bytes of UTF-8 as read
    removed: Counts = field(default_factory=dict)  # cleaning rule -> [documents changed, bytes removed]
    dropped: Counts = field(default_factory=dict)  # rule -> [documents, bytes left of them when they were dropped]
    rejected: dict[str, int] = field(default_factory=dict)  # reason -> records that could not be read
    skipped: dict[str, int] = field(default_factory=dict)  # reason -> whole sources that could not be read
    flagged: dict[str, int] = field(default_factory=dict)  # suspicion -> documents
    examples: dict[str, list[list[Any]]] = field(default_factory=dict)  # rule -> [[order, example], ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        return cls(**values)

    def enter(self, num_bytes: int) -> None:
        self.came_in[0] += 1
        self.came_in[1] += num_bytes

    def count(self, table: Counts, name: str, documents: int, num_bytes: int) -> None:
        entry = table.setdefault(name, [0, 0])
        entry[0] += documents
        entry[1] += num_bytes

    def show(self, rule: str, source: str, line: int, make: Callable[[], Mapping[str, Any]]) -> None:
        """Offer an example of `rule`. The ten with the smallest hash of their place are kept: the same ten however the
        work is divided, and from all over the corpus."""
        self._keep(rule, [xxhash.xxh3_64_intdigest(f"{rule}:{source}:{line}".encode()), source, line], make)

    def _keep(self, rule: str, order: list[Any], make: Callable[[], Mapping[str, Any]]) -> None:
        kept = self.examples.setdefault(rule, [])
        if len(kept) == EXAMPLES and order >= kept[-1][0]:
            return
        bisect.insort_right(kept, [order, dict(make())], key=lambda entry: entry[0])
        del kept[EXAMPLES:]

    def add(self, other: Tally) -> None:
        """Take in the tally of a later part of the work."""
        self.came_in = [mine + theirs for mine, theirs in zip(self.came_in, other.came_in, strict=True)]
        for name in ("removed", "dropped"):
            for key, (documents, num_bytes) in getattr(other, name).items():
                self.count(getattr(self, name), key, documents, num_bytes)
        for name in ("rejected", "skipped", "flagged"):
            mine = getattr(self, name)
            for reason, number in getattr(other, name).items():
                key = reason if reason in mine or len(mine) < _MOST_REASONS else "other reasons"
                mine[key] = mine.get(key, 0) + number
        for rule, entries in other.examples.items():
            for order, example in entries:
                self._keep(rule, order, lambda example=example: example)  # type: ignore[misc]


def excerpt(text: str) -> str:
    """The beginning of a text, for an example; what JSON can't carry is escaped."""
    text = text if len(text) <= _EXCERPT else text[: _EXCERPT - 1] + "…"
    return text.encode("utf-8", "backslashreplace").decode()


def difference(before: str, after: str) -> dict[str, str]:
    """Where a rule first changed a text, with some characters around: {"before", "after"}."""
    common, start = min(len(before), len(after)), 0
    for step in (1 << bit for bit in reversed(range(common.bit_length()))):  # slices compare fast, loops do not
        if start + step <= common and before[start : start + step] == after[start : start + step]:
            start += step
    start = max(0, start - 40)
    return {"before": excerpt(before[start : start + 120]), "after": excerpt(after[start : start + 120])}
