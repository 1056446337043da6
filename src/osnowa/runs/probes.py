"""Fixed sentences that are asked again and again while a model trains."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from osnowa.data import TokenSplit
from osnowa.data.samples import SPECIALS
from osnowa.generate import GenerationConfig, generate
from osnowa.model import Transformer
from osnowa.objective import Target
from osnowa.runs.recipe import Recipe
from osnowa.runs.rows import objective_of
from osnowa.tokenizer import Tokenizer
from osnowa.train.evaluation import HELD_OUT_SEED

_WORD = re.compile(r"[^\W\d_]{4,}")
_WORDS = range(7, 18)
LONGEST_ANSWER = 24  # tokens that a model may go on for


@dataclass(frozen=True)
class Probe:
    """A sentence with one hidden word, a beginning, or a source; and what stands in the corpus for it.

    `ids` are those of the prompt or the source, where the model is to go on.
    """

    text: str
    answer: str
    ids: tuple[int, ...] = ()


def choose_probes(recipe: Recipe, split: TokenSplit, tokenizer: Tokenizer, count: int) -> list[Probe]:
    """Held-out sentences of middling length from documents spread over the split, as the objective asks them."""
    room = recipe.data.row_length - SPECIALS["single"]
    if recipe.objective.question == "hidden":
        return _collect(split, count, lambda sentence: _hidden(sentence, tokenizer, room))
    if recipe.objective.question == "next":
        return _collect(split, count, lambda sentence: _begun(sentence, tokenizer, room))
    objective = objective_of(recipe, tokenizer, HELD_OUT_SEED)
    assert isinstance(objective, Target)
    return list(_sources(objective, split, tokenizer, count))


def go_on(
    model: Transformer, tokenizer: Tokenizer, probes: Sequence[Probe], recipe: Recipe, most: int = LONGEST_ANSWER
) -> list[str]:
    """What the model says, always its best guess, for prompts or sources side by side; at most `most` tokens each."""
    if not probes:
        return []
    config = GenerationConfig(max_tokens=most, temperature=0.0)
    found = generate(model, tokenizer, [probe.ids for probe in probes], config, prefix=sees_whole(recipe))
    return [each.text.strip() for each in found]


def sees_whole(recipe: Recipe) -> bool:
    """Whether a decoder learns to see its prompt in both directions."""
    return recipe.objective.question == "target" and recipe.model.topology == "decoder"


def _collect(split: TokenSplit, count: int, make: Callable[[list[int]], Probe | None]) -> list[Probe]:
    """The first sentence of each of some documents that `make` can use."""
    probes: list[Probe] = []
    stride = max(1, split.num_documents // (4 * count))
    for document in range(0, split.num_documents, stride):
        for sentence in range(split.documents[document], split.documents[document + 1]):
            probe = make(split.tokens[split.sentences[sentence] : split.sentences[sentence + 1]].tolist())
            if probe is not None:
                probes.append(probe)
                break
        if len(probes) == count:
            break
    return probes


def _hidden(ids: list[int], tokenizer: Tokenizer, room: int) -> Probe | None:
    if tokenizer.unk in ids or len(ids) > room:
        return None
    return hide_word(tokenizer.decode(ids).strip(), tokenizer)


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


def _begun(ids: list[int], tokenizer: Tokenizer, room: int) -> Probe | None:
    """The first half of a sentence, and how it goes on."""
    text = tokenizer.decode(ids).strip()
    words = text.split(" ")
    if len(words) not in _WORDS or "\n" in text or len(ids) + LONGEST_ANSWER > room:
        return None
    half = len(words) // 2
    prompt = " ".join(words[:half])
    return Probe(prompt, " ".join(words[half:]), (tokenizer.cls, *tokenizer.encode(prompt)))


def _sources(objective: Target, split: TokenSplit, tokenizer: Tokenizer, count: int) -> Iterator[Probe]:
    """Sources and targets of short texts, damaged as in training (the same in every run), or both sides of pairs."""
    stride, found = max(1, split.num_documents // (4 * count)), 0
    for document in range(0, split.num_documents, stride):
        first, last = int(split.documents[document]), int(split.documents[document + 1])
        stop = last if objective.shape == "couple" else first + 1
        start, middle, end = (int(split.sentences[each]) for each in (first, first + 1, stop))
        text = np.asarray(split.tokens[start:end], dtype=np.int64)
        if not 8 <= len(text) <= 40:
            continue
        sides = (np.arange(len(text)) >= middle - start).astype(np.int64)
        source, target = objective.text(text, sides, start)
        ids = (*source.tolist(), *((tokenizer.cls,) if objective.alone else ()))
        yield Probe(tokenizer.decode(source.tolist()), tokenizer.decode(target.tolist()), ids)
        found += 1
        if found == count:
            return


def as_masks(fills: Sequence[Sequence[object]]) -> list[list[dict[str, object]]]:
    """Guesses as plain mappings for the log."""
    return [[dict(vars(guess)) for guess in guesses] for guesses in fills]
