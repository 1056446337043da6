"""How well a vocabulary fits each language: tokens per word, characters per token, unknown, words kept whole."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from osnowa.tokenizer.tokenizer import Tokenizer

_WORD = re.compile(r"[^\W_]+")
_BATCH = 1000


@dataclass(frozen=True)
class Row:
    """Figures of one language. Words are runs of letters and digits; the shares are of tokens and of running words."""

    texts: int
    characters: int
    words: int
    tokens: int
    tokens_per_word: float
    characters_per_token: float
    unknown_share: float
    whole_words_share: float


@dataclass(frozen=True)
class Fertility:
    """One `Row` per language, and "all" for them together."""

    rows: dict[str, Row]

    def as_dict(self) -> dict[str, Any]:
        return {language: dataclasses.asdict(row) for language, row in self.rows.items()}


@dataclass
class _Counts:
    texts: int = 0
    characters: int = 0
    tokens: int = 0
    unknown: int = 0
    words: Counter[str] = dataclasses.field(default_factory=Counter)


def fertility(tokenizer: Tokenizer, texts: Iterable[tuple[str, str]]) -> Fertility:
    """Measure `tokenizer` on (language, text) pairs; the caller bounds them (each distinct word is kept in memory)."""
    counts: dict[str, _Counts] = {}
    waiting: list[tuple[str, str]] = []
    for pair in texts:
        waiting.append(pair)
        if len(waiting) == _BATCH:
            _add(tokenizer, waiting, counts)
            waiting = []
    _add(tokenizer, waiting, counts)
    if len(counts) > 1:
        total = _Counts()
        for found in counts.values():
            total.texts += found.texts
            total.characters += found.characters
            total.tokens += found.tokens
            total.unknown += found.unknown
            total.words += found.words
        counts["all"] = total
    return Fertility({language: _row(tokenizer, counts[language]) for language in sorted(counts)})


def _add(tokenizer: Tokenizer, pairs: list[tuple[str, str]], counts: dict[str, _Counts]) -> None:
    unknown = tokenizer.specials.get("unk", -1)
    for (language, text), ids in zip(pairs, tokenizer.encode_batch([text for _, text in pairs]), strict=True):
        found = counts.setdefault(language, _Counts())
        found.texts += 1
        found.characters += len(text)
        found.tokens += len(ids)
        found.unknown += ids.count(unknown)
        found.words.update(_WORD.findall(text))


def _row(tokenizer: Tokenizer, found: _Counts) -> Row:
    distinct = list(found.words)
    # With the space before it, as a word stands in a text.
    encoded = tokenizer.encode_batch([f" {word}" for word in distinct])
    unknown = tokenizer.specials.get("unk", -1)
    whole = sum(
        found.words[word] for word, ids in zip(distinct, encoded, strict=True) if len(ids) == 1 and ids[0] != unknown
    )
    words = found.words.total()
    return Row(
        texts=found.texts,
        characters=found.characters,
        words=words,
        tokens=found.tokens,
        tokens_per_word=round(found.tokens / max(1, words), 4),
        characters_per_token=round(found.characters / max(1, found.tokens), 4),
        unknown_share=round(found.unknown / max(1, found.tokens), 6),
        whole_words_share=round(whole / max(1, words), 4),
    )
