"""How good the targets are that a model writes for held-out pairs: BLEU and chrF, beside what a copy of the source gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from osnowa.data import TokenSplit
from osnowa.generate import GenerationConfig, generate
from osnowa.model import Transformer
from osnowa.objective import Target
from osnowa.tokenizer import Tokenizer

MOST_PAIRS = 200  # a beam-free translation of 200 short sentences takes a small model half a minute on two cores
_ROOM = 1.5  # of the truth's tokens: a target that is longer is not going to end
_SPARE = 16


@dataclass(frozen=True)
class Scores:
    """Corpus scores in percent (sacrebleu's defaults), and those of the source itself taken for the target."""

    bleu: float
    chrf: float
    copied_bleu: float
    copied_chrf: float
    num_pairs: int
    signature: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "bleu": round(self.bleu, 2),
            "chrf": round(self.chrf, 2),
            "copied_bleu": round(self.copied_bleu, 2),
            "copied_chrf": round(self.copied_chrf, 2),
            "scored_pairs": self.num_pairs,
            "bleu_signature": self.signature,
        }


def score_pairs(
    model: Transformer, tokenizer: Tokenizer, objective: Target, split: TokenSplit, *, batch: int = 16
) -> Scores | None:
    """Scores on up to MOST_PAIRS held-out pairs spread over the split; None when it holds none.

    BLEU: Papineni et al. 2002; chrF: Popović 2015; both as Post 2018 (sacrebleu) counts them.
    """
    import sacrebleu

    pairs = list(held_out_pairs(objective, split))
    if not pairs:
        return None
    pairs.sort(key=lambda pair: len(pair[0]))  # so that a batch has little padding
    said: list[str] = []
    training = model.training
    model.eval()
    for first in range(0, len(pairs), batch):
        some = pairs[first : first + batch]
        longest = int(max(len(target) for _, target in some) * _ROOM) + _SPARE
        config = GenerationConfig(max_tokens=longest, temperature=0.0)
        prompts = [[*source, *((tokenizer.cls,) if objective.alone else ())] for source, _ in some]
        said += [each.text.strip() for each in generate(model, tokenizer, prompts, config, prefix=objective.alone)]
    model.train(training)
    truths = [tokenizer.decode(target[:-1]).strip() for _, target in pairs]
    sources = [tokenizer.decode(source[:-1]).strip() for source, _ in pairs]
    bleu, chrf = sacrebleu.BLEU(), sacrebleu.CHRF()
    found = bleu.corpus_score(said, [truths])
    return Scores(
        found.score,
        chrf.corpus_score(said, [truths]).score,
        bleu.corpus_score(sources, [truths]).score,
        chrf.corpus_score(sources, [truths]).score,
        len(pairs),
        str(bleu.get_signature()),
    )


def held_out_pairs(objective: Target, split: TokenSplit) -> list[tuple[list[int], list[int]]]:
    """Ids of sources and targets, the end behind each; every k-th pair, so that there are at most MOST_PAIRS."""
    stride = -(-split.num_documents // MOST_PAIRS) or 1
    found = []
    for document in range(0, split.num_documents, stride):
        first = int(split.documents[document])
        start, middle, stop = (int(split.sentences[first + each]) for each in range(3))
        ids = np.asarray(split.tokens[start:stop], dtype=np.int64)
        sides = (np.arange(len(ids)) >= middle - start).astype(np.int64)
        source, target = objective.text(ids, sides, start)
        if max(len(source), len(target)) <= objective.row_length:
            found.append((source.tolist(), target.tolist()))
    return found
