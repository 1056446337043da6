"""From logits to the next token: forbidden and repeated tokens, temperature, top-k, top-p, min-p, and the draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from osnowa.data.order import key_of
from osnowa.generate.settings import GenerationConfig, Topology

NEVER = float("-inf")
Scores = Float[Tensor, "row vocab"]
Warper = Callable[[Scores], Scores]


def penalise(scores: Scores, seen: Bool[Tensor, "row vocab"], penalty: float) -> Scores:
    """Logits of tokens that were there: divided by `penalty` above 0, multiplied below (Keskar et al. 2019, 4.1)."""
    return torch.where(seen, torch.where(scores < 0, scores * penalty, scores / penalty), scores)


def keep_top_k(scores: Scores, k: int) -> Scores:
    """Only the `k` highest, and those equal to the last of them (Fan et al. 2018, section 5.4)."""
    return scores.masked_fill(scores < scores.topk(min(k, scores.size(-1))).values[:, -1:], NEVER)


def keep_top_p(scores: Scores, p: float) -> Scores:
    """The fewest of the likeliest whose probabilities reach `p`, one at least (Holtzman et al. 2020, section 3.1)."""
    ascending, order = scores.sort()
    dropped = ascending.softmax(-1).cumsum(-1) <= 1 - p
    dropped[:, -1] = False
    return scores.masked_fill(dropped.scatter(1, order, dropped), NEVER)


def keep_min_p(scores: Scores, p: float) -> Scores:
    """Those at least `p` times as likely as the likeliest (Nguyen et al. 2024, section 3)."""
    probabilities = scores.softmax(-1)
    return scores.masked_fill(probabilities < p * probabilities.amax(-1, keepdim=True), NEVER)


def warpers(config: GenerationConfig, heat: float) -> list[Warper]:
    """What shapes the distribution, in this order: temperature, top-k, top-p, min-p."""
    found: list[Warper] = []
    if heat != 1.0:
        found.append(lambda scores: scores / heat)
    if (k := config.top_k) is not None:
        found.append(lambda scores: keep_top_k(scores, k))
    if (top_p := config.top_p) is not None and top_p < 1:
        found.append(lambda scores: keep_top_p(scores, top_p))
    if (min_p := config.min_p) is not None:
        found.append(lambda scores: keep_min_p(scores, min_p))
    return found


def draw(scores: Scores, generators: Sequence[torch.Generator]) -> Int[Tensor, " row"]:
    """A token for each row, as likely as its softmax says; each row draws one number from its own generator."""
    share = scores.softmax(-1).double().cumsum(-1)
    chance = torch.stack([torch.rand(1, generator=each, dtype=torch.float64) for each in generators]).to(share.device)
    total = share[:, -1:]
    # Rounding must not lift the place to the total: behind the last likely token stand only impossible ones.
    place = torch.minimum(chance * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(share, place, right=True)[:, 0]


class Chooser:
    """The next token of each row: the likeliest, or drawn.

    A row's draws depend on (config.seed, row) and its own logits alone, not on the rows beside it.
    """

    def __init__(
        self, config: GenerationConfig, topology: Topology, never: Int[Tensor, " token"], rows: Sequence[int]
    ) -> None:
        heat = config.heat(topology)
        self.never, self.penalty = never, config.repetition_penalty
        self.warpers = warpers(config, heat) if heat else None
        keys = [key_of(config.seed, f"generate/{row}") for row in rows]
        self.generators = [torch.Generator().manual_seed((high << 32) | low) for high, low in keys]
        self.seen: Tensor | None = None

    def begin(self, tokens: Int[Tensor, "row seq"], real: Bool[Tensor, "row seq"], vocabulary: int) -> None:
        """The prompts, whose tokens count as repeated, too."""
        if self.penalty != 1.0:
            seen = torch.zeros(len(tokens), vocabulary + 1, dtype=torch.bool, device=tokens.device)
            self.seen = seen.scatter(1, tokens.masked_fill(~real, vocabulary), True)[:, :-1].contiguous()

    def allowed(self, logits: Scores) -> Scores:
        """Logits in float32 without the forbidden tokens, repeated ones made less likely."""
        scores = logits.to(torch.float32, copy=True)
        if self.seen is not None:
            scores = penalise(scores, self.seen, self.penalty)
        return scores.index_fill_(1, self.never, NEVER) if len(self.never) else scores

    def choose(self, logits: Scores) -> Int[Tensor, " row"]:
        """The next token of each row."""
        scores = self.allowed(logits)
        if self.warpers is None:
            tokens = scores.max(-1).indices  # argmax takes three times as long
        else:
            for warp in self.warpers:
                scores = warp(scores)
            tokens = draw(scores, self.generators)
        if self.seen is not None:
            self.seen.scatter_(1, tokens[:, None], True)
        return tokens

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone."""
        self.generators = [self.generators[row] for row in rows]
        if self.seen is not None:
            self.seen = self.seen[list(rows)]
