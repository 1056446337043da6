"""The named rules that drop a whole document, in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osnowa.corpus.config import CorpusConfig
from osnowa.corpus.language import UNKNOWN
from osnowa.corpus.shingles import Shingles

_LONG = 80  # characters without a blank: no word is longer
_ENOUGH = 20  # sequences, before their repetition means anything


_RULED = 4  # signs that rule lines and tables count a fourth


def _byte_classes() -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Which first bytes of UTF-8 characters are letters, and how much each that can be seen counts."""
    letters = np.zeros(256, bool)
    letters[[*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1)]] = True
    letters[0xC3:0xEF] = True  # from "À" on; 0xC2 is Latin-1's signs, 0xEF mostly wide marks, 0xF0 mostly emoji
    letters[0xE2] = False  # general punctuation, arrows, boxes
    weights = np.zeros(256)
    weights[0x21:0x7F] = weights[0xC2:0xF5] = 1
    weights[list(b"-=_*+|#~.")] = 1 / _RULED
    return letters, weights


_LETTERS, _WEIGHTS = _byte_classes()


@dataclass(frozen=True)
class Facts:
    """What the rules look at: the cleaned text and what was computed from it once."""

    text: str
    data: bytes
    shingles: Shingles
    language: str


def too_short(facts: Facts, config: CorpusConfig) -> bool:
    return len(facts.text) < config.shortest


def replacement_characters(facts: Facts, config: CorpusConfig) -> bool:
    return facts.text.count("\ufffd") > config.max_replacement_share * len(facts.text)


def mostly_symbols(facts: Facts, config: CorpusConfig) -> bool:
    counts = np.bincount(np.frombuffer(facts.data, np.uint8), minlength=256)
    return bool(counts[_LETTERS].sum() < config.min_letter_share * (counts @ _WEIGHTS))


def unbroken_runs(facts: Facts, config: CorpusConfig) -> bool:
    long = sum(len(run) for run in facts.text.split() if len(run) >= _LONG and _is_noise(run))
    return long > config.max_unbroken_share * len(facts.text)


def _is_noise(run: str) -> bool:
    """No address, not in a script that writes no blanks (three bytes a character), and no ruled line."""
    return "://" not in run and len(run.encode()) <= 2 * len(run) and 2 * sum(map(str.isalnum, run)) > len(run)


def repetition(facts: Facts, config: CorpusConfig) -> bool:
    total = len(facts.shingles)
    return total >= _ENOUGH and 1 - len(np.unique(facts.shingles)) / total > config.max_repeated_share


def language(facts: Facts, config: CorpusConfig) -> bool:
    return bool(config.languages) and facts.language not in (*config.languages, UNKNOWN)


RULES: dict[str, Callable[[Facts, CorpusConfig], bool]] = {
    "too_short": too_short,
    "replacement_characters": replacement_characters,
    "mostly_symbols": mostly_symbols,
    "unbroken_runs": unbroken_runs,
    "repetition": repetition,
    "language": language,
}


def failed_rule(facts: Facts, config: CorpusConfig) -> str | None:
    """The first rule by which the document is dropped, or none."""
    for rule, fails in RULES.items():
        if rule not in config.rules_off and fails(facts, config):
            return rule
    return None
