"""Fixed sentences that are asked again and again while a model trains."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from osnowa.data import TokenSplit
from osnowa.tokenizer import Tokenizer

_WORD = re.compile(r"[^\W\d_]{4,}")
_WORDS = range(7, 18)


@dataclass(frozen=True)
class Probe:
    """A sentence with one hidden word, and the word."""

    text: str
    answer: str


def choose_probes(split: TokenSplit, tokenizer: Tokenizer, count: int, most_tokens: int) -> list[Probe]:
    """Held-out sentences of middling length, one whole-token word hidden in each, from documents spread over the split."""
    probes: list[Probe] = []
    stride = max(1, split.num_documents // (4 * count))
    for document in range(0, split.num_documents, stride):
        for sentence in range(split.documents[document], split.documents[document + 1]):
            ids = split.tokens[split.sentences[sentence] : split.sentences[sentence + 1]].tolist()
            probe = hide_word(tokenizer.decode(ids).strip(), tokenizer)
            if probe is not None and tokenizer.unk not in ids and len(ids) + 2 <= most_tokens:
                probes.append(probe)
                break
        if len(probes) == count:
            break
    return probes


def hide_word(sentence: str, tokenizer: Tokenizer) -> Probe | None:
    """Hide the middlemost word that is one token; None when the sentence has none or is too short or long."""
    mask, words = tokenizer.token(tokenizer.mask), list(_WORD.finditer(sentence))
    if len(sentence.split()) not in _WORDS or mask in sentence or "\n" in sentence:
        return None
    middle = len(sentence) / 2
    for word in sorted(words, key=lambda w: abs(w.start() - middle)):
        if len(tokenizer.encode(word.group())) == 1:
            return Probe(sentence[: word.start()] + mask + sentence[word.end() :], word.group())
    return None


def as_masks(fills: Sequence[Sequence[object]]) -> list[list[dict[str, object]]]:
    """Guesses as plain mappings for the log."""
    return [[dict(vars(guess)) for guess in guesses] for guesses in fills]
