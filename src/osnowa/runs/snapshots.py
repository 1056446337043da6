"""What a snapshot asks of a model on its way: vectors of words of all frequencies, and a few fixed sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from osnowa.data import TokenSplit
from osnowa.explain.pictures import encode, pool
from osnowa.generate import fill
from osnowa.generate.fill import masked_ids
from osnowa.model import Layout, Transformer
from osnowa.model.block import Block
from osnowa.runs.probes import Probe, go_on, sees_whole
from osnowa.runs.recipe import Recipe
from osnowa.tokenizer import Tokenizer
from osnowa.train.learner import Learner
from osnowa.train.snapshots import Asked, Snapshot

MOST_WORDS = 256
MOST_FREQUENT = 128  # of them; the others are spread over the rarer words
MOST_COUNTED = 1 << 24  # tokens of the corpus, from its beginning
MOST_RANKED = 8192  # tokens that are looked at, the most frequent first
LEAST_OFTEN = 5  # a word seen fewer times says little about how words are learned
LARGEST_PICTURE = 32
TOP = 3
LONGEST_SAID = 8  # tokens


class Photographer:
    """Takes snapshots of one run: always the same words and sentences, and nothing of the training is touched."""

    def __init__(self, recipe: Recipe, tokenizer: Tokenizer, split: TokenSplit, probes: Sequence[Probe]) -> None:
        self.recipe, self.tokenizer, self.probes = recipe, tokenizer, tuple(probes)
        self.ids = torch.from_numpy(probe_words(split, tokenizer))

    @torch.inference_mode()
    def take(self, learner: Learner, step: int) -> Snapshot:
        """What the model knows now. Vectors are those of the float32 masters; answers are what it computes with."""
        table = learner.masters.masters["embedding.token.weight"]
        vectors = table[self.ids.to(table.device)].float().cpu()
        training = learner.model.training
        learner.model.eval()
        sentences = self.ask(learner.model)
        learner.model.train(training)
        return Snapshot(step, self.ids, vectors, tuple(sentences))

    def ask(self, model: Transformer) -> Iterator[Asked]:
        """The answers to the fixed sentences, and how the model looks at them."""
        if self.recipe.objective.question == "hidden":
            for probe in self.probes:
                with watched(model) as seen:
                    guesses = fill(model, self.tokenizer, probe.text, TOP).masks[0]
                top = tuple((guess.id, guess.probability) for guess in guesses)
                yield Asked(
                    probe.text, probe.answer, tuple(masked_ids(self.tokenizer, probe.text)), top, None, picture(seen)
                )
            return
        said = go_on(model, self.tokenizer, self.probes, self.recipe, LONGEST_SAID)
        for probe, text in zip(self.probes, said, strict=True):
            with watched(model) as seen:
                read(model, probe.ids, sees_whole(self.recipe))
            yield Asked(probe.text, probe.answer, probe.ids, (), text, picture(seen))


def probe_words(split: TokenSplit, tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Ids of up to 256 tokens that are whole words: the most frequent ones, and others spread over the rarer ranks.

    A word is counted where a token begins it and the next one does not go on with it.
    """
    tokens = np.asarray(split.tokens[:MOST_COUNTED])
    goes_on = tokenizer.continues_word[tokens]
    whole = ~goes_on & ~np.append(goes_on[1:], False)
    counts = np.bincount(tokens[whole], minlength=tokenizer.vocab_size)
    ranked = np.lexsort((np.arange(len(counts)), -counts))[:MOST_RANKED]
    words = [index for index in ranked[counts[ranked] >= LEAST_OFTEN].tolist() if is_word(index, tokenizer)]
    rest = len(words) - MOST_FREQUENT
    if rest <= MOST_WORDS - MOST_FREQUENT:
        return np.array(words[:MOST_WORDS], dtype=np.int64)
    spread = np.geomspace(1, rest, MOST_WORDS - MOST_FREQUENT)
    at = MOST_FREQUENT + np.maximum.accumulate(np.maximum(np.arange(len(spread)), np.rint(spread).astype(int) - 1))
    return np.array([*words[:MOST_FREQUENT], *(words[place] for place in at)], dtype=np.int64)


def is_word(index: int, tokenizer: Tokenizer) -> bool:
    """Letters only, two of them at least."""
    text = "" if index in tokenizer.special_ids else tokenizer.readable(index)
    return len(text) > 1 and text.isalpha()


@contextmanager
def watched(model: Transformer) -> Iterator[list[Tensor]]:
    """The attention weights [head, query, key] of each layer of the first stack, in whatever the model reads meanwhile."""
    seen: list[Tensor] = []
    stack = model.encoder if model.config.encoder_layers else model.decoder

    def keep(_module: object, _inputs: Any, weights: Tensor) -> None:
        seen.append(weights[0])

    blocks = [block for block in stack.blocks if isinstance(block, Block)]
    handles = [block.attention.weights.register_forward_hook(keep) for block in blocks]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def read(model: Transformer, ids: Sequence[int], whole: bool) -> None:
    """Let the first stack read a prompt or a source, only to be watched; `whole`: in both directions."""
    tokens = torch.tensor([list(ids)], device=model.embedding.token.weight.device)
    layout = Layout.plain(tokens)
    if model.config.encoder_layers:
        model.encode(tokens, layout)
    else:
        model.decode(tokens, replace(layout, prefix=torch.ones_like(tokens, dtype=torch.bool)) if whole else layout)


def picture(layers: Sequence[Tensor]) -> Tensor:
    """[layer, head, n, n] bytes: 255 times the root of each weight, the largest of a field where places are pooled."""
    return torch.from_numpy(np.stack([encode(pool(each.float().cpu().numpy(), LARGEST_PICTURE)) for each in layers]))
