"""Texts damaged on purpose: what the source becomes, what the target asks, and how long both are.

Every length is a function of the text's length alone, so that rows can be packed before a single token is damaged.
Random choices come from (seed, epoch, place of the text in the store).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from osnowa.data.order import draw

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Chance:
    """Random numbers of one text."""

    seed: int
    epoch: int
    start: int

    def ranks(self, purpose: str, size: int) -> I64:
        """A random order of `size` things."""
        high, low, _, _ = draw(self.seed, purpose, self.epoch, self.start, np.arange(size))
        return np.argsort((high << np.uint64(32)) | low, kind="stable")

    def below(self, purpose: str, bound: int, size: int = 1) -> I64:
        """`size` numbers of 0 .. bound - 1."""
        number = draw(self.seed, purpose, self.epoch, self.start, np.arange(size))[0]
        return ((number * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)

    def composition(self, purpose: str, total: int, parts: int) -> I64:
        """`total` as the sum of `parts` numbers of 1 and more, each composition as likely as any other."""
        cuts = np.sort(self.ranks(purpose, total - 1)[: parts - 1]) + 1
        return np.diff(cuts, prepend=0, append=total)


class Denoiser(ABC):
    """A way to damage a text of n tokens, and to ask for what is lost."""

    @abstractmethod
    def lengths(self, n: I64) -> tuple[I64, I64]:
        """At most so many tokens have source and target, the end of each counted, for texts of n >= 1 tokens."""

    def together(self, n: I64) -> I64:
        """Tokens of source and target together: exact."""
        source, target = self.lengths(n)
        return source + target

    @abstractmethod
    def damage(self, text: I64, end: int, chance: Chance) -> tuple[I64, I64]:
        """Source and target, each with `end` behind it."""


@dataclass(frozen=True)
class Spans(Denoiser):
    """Spans give place to sentinels in the source; the target tells them, each behind its sentinel (Raffel et al. 2020, 3.1.4).

    round(share x n) tokens are hidden, in round(that / mean) spans; text comes first and a span last, as in the
    published code, so that both lengths are exact. `lead` stands before the source (a denoiser's name, or nothing).
    """

    share: float
    mean: float
    sentinels: tuple[int, ...]
    lead: tuple[int, ...] = ()

    def counts(self, n: I64) -> tuple[I64, I64]:
        """Hidden tokens and spans."""
        noise = np.clip(np.rint(n * self.share), 1, np.maximum(1, n - 1)).astype(np.int64)
        spans = np.rint(noise / self.mean).astype(np.int64)
        return noise, np.clip(spans, 1, np.maximum(1, np.minimum(noise, n - noise)))

    def lengths(self, n: I64) -> tuple[I64, I64]:
        noise, spans = self.counts(n)
        return n - noise + spans + 1 + len(self.lead), noise + spans + 1

    def damage(self, text: I64, end: int, chance: Chance) -> tuple[I64, I64]:
        n = len(text)
        noise, spans = (int(each[0]) for each in self.counts(np.array([n])))
        hidden = chance.composition("hidden spans", noise, spans)
        shown = chance.composition("shown spans", n - noise, spans) if n > noise else np.zeros(1, dtype=np.int64)
        sentinels = np.array(self.sentinels[:spans], dtype=np.int64)
        is_hidden = np.repeat(np.tile([False, True], spans), np.stack((shown, hidden), axis=1).ravel())
        source = np.insert(text[~is_hidden], np.cumsum(shown), sentinels)
        target = np.insert(text[is_hidden], np.cumsum(hidden) - hidden, sentinels)
        lead = np.array(self.lead, dtype=np.int64)
        return np.concatenate((lead, source, [end])), np.concatenate((target, [end]))


@dataclass(frozen=True)
class Prefix(Denoiser):
    """The source is how a text begins, the target how it goes on (Raffel et al. 2020, 3.2.3).

    `share` of the text is the target; None: the border is anywhere, with one token at least to go on with.
    """

    share: float | None = None
    lead: tuple[int, ...] = ()

    def lengths(self, n: I64) -> tuple[I64, I64]:
        if self.share is None:  # both together are certain, each may be all but one token
            return n + 1 + len(self.lead), n + 1
        target = np.clip(np.rint(n * self.share), 1, n).astype(np.int64)
        return n - target + 1 + len(self.lead), target + 1

    def together(self, n: I64) -> I64:
        return n + 2 + len(self.lead)

    def damage(self, text: I64, end: int, chance: Chance) -> tuple[I64, I64]:
        n = len(text)
        if self.share is None:
            border = 1 + int(chance.below("prefix", n - 1)[0]) if n > 1 else 0
        else:
            border = n - int(np.clip(np.rint(n * self.share), 1, n))
        lead = np.array(self.lead, dtype=np.int64)
        return np.concatenate((lead, text[:border], [end])), np.concatenate((text[border:], [end]))


@dataclass(frozen=True)
class Infilling(Denoiser):
    """Spans, some of no token at all, each give place to one [MASK]; the target is the whole text (Lewis et al. 2020, 2.2).

    round(share x n) tokens fall into round(that / mean) spans, each token into any span alike: so the lengths of spans
    are binomial, which is the paper's Poisson distribution but for a sum that is exact.
    """

    share: float
    mean: float
    mask: int

    def counts(self, n: I64) -> tuple[I64, I64]:
        """Hidden tokens and spans."""
        noise = np.clip(np.rint(n * self.share), 1, n).astype(np.int64)
        return noise, np.maximum(1, np.rint(noise / self.mean)).astype(np.int64)

    def lengths(self, n: I64) -> tuple[I64, I64]:
        noise, spans = self.counts(n)
        return n - noise + spans + 1, n + 1

    def damage(self, text: I64, end: int, chance: Chance) -> tuple[I64, I64]:
        n = len(text)
        noise, spans = (int(each[0]) for each in self.counts(np.array([n])))
        sizes = np.bincount(chance.below("span of token", spans, noise), minlength=spans)
        slots = np.sort(chance.ranks("span places", n - noise + spans)[:spans])
        source: list[int] = []
        at, span = 0, 0
        for slot in range(n - noise + spans):
            if span < spans and slots[span] == slot:
                source.append(self.mask)
                at, span = at + int(sizes[span]), span + 1
            else:
                source.append(int(text[at]))
                at += 1
        assert at == n, (at, n)
        return np.array([*source, end], dtype=np.int64), np.concatenate((text, [end]))
