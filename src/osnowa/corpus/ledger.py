"""The account of every document and byte: what came in, what each rule removed or dropped, what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class CorpusWarning:
    """Something the user should know: a stable code, a sentence, and the figures or lines that show it."""

    code: str
    message: str
    evidence: Any


_PLAIN = ("rejected", "skipped", "skipped_examples", "split", "num_sources", "sources", "examples", "unit")


@dataclass(frozen=True)
class Ledger:
    """The whole account of a corpus; `as_dict` is corpus.json."""

    came_in: tuple[int, int]  # documents, bytes
    train: tuple[int, int]
    held_out: tuple[int, int]
    dropped: dict[str, tuple[int, int]]
    removed: dict[str, tuple[int, int]]
    languages: dict[str, tuple[int, int]]
    rejected: dict[str, int]
    skipped: dict[str, int]  # reason -> files that were passed over or could not be read
    skipped_examples: dict[str, list[str]]
    split: dict[str, Any]  # held-out share, hash threshold, overlap found (0)
    num_sources: int
    sources: list[dict[str, Any]]  # the first thousand; all of them stand in sources.jsonl of the workspace
    examples: dict[str, list[dict[str, Any]]]
    warnings: list[CorpusWarning]
    unit: str = "documents"  # or "pairs", of a source and its target each

    def balance(self) -> tuple[int, int]:
        """Documents and bytes that came in and are not accounted for: (0, 0), or the program is wrong."""
        parts = [self.train, self.held_out, *self.dropped.values()]
        documents = self.came_in[0] - sum(part[0] for part in parts)
        removed = sum(num_bytes for _, num_bytes in self.removed.values())
        return documents, self.came_in[1] - sum(part[1] for part in parts) - removed

    def as_dict(self) -> dict[str, Any]:
        """JSON: documents and bytes each as in = train + held_out + dropped by rule (+ removed by rule)."""
        return {
            "documents": self._column(0),
            "bytes": {**self._column(1), "removed": {rule: entry[1] for rule, entry in self.removed.items()}},
            "changed": {rule: entry[0] for rule, entry in self.removed.items()},
            "languages": {name: {"documents": n, "bytes": size} for name, (n, size) in self.languages.items()},
            **{name: getattr(self, name) for name in _PLAIN},
            "warnings": [asdict(warning) for warning in self.warnings],
        }

    def _column(self, column: int) -> dict[str, Any]:
        return {
            "in": self.came_in[column],
            "train": self.train[column],
            "held_out": self.held_out[column],
            "dropped": {rule: entry[column] for rule, entry in self.dropped.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The ledger that `as_dict` wrote."""
        documents, num_bytes = values["documents"], values["bytes"]
        return cls(
            came_in=(documents["in"], num_bytes["in"]),
            train=(documents["train"], num_bytes["train"]),
            held_out=(documents["held_out"], num_bytes["held_out"]),
            dropped={rule: (number, num_bytes["dropped"][rule]) for rule, number in documents["dropped"].items()},
            removed={rule: (number, num_bytes["removed"][rule]) for rule, number in values["changed"].items()},
            languages={name: (entry["documents"], entry["bytes"]) for name, entry in values["languages"].items()},
            warnings=[CorpusWarning(**warning) for warning in values["warnings"]],
            **{name: values[name] for name in _PLAIN},
        )
