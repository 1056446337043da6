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
from osnowa.objective.texts import Texts, write

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
_LAST = np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True)
class Chances:
    """Random numbers of several texts: each text's own, whatever stands beside it. Arrays are as wide as the widest."""

    seed: int
    epochs: I64  # [texts]
    starts: I64  # [texts] where each begins in the store

    def _draw(self, purpose: str, width: int) -> tuple[U64, ...]:
        return draw(self.seed, purpose, self.epochs[:, None], self.starts[:, None], np.arange(width))

    def chosen(self, purpose: str, sizes: I64, counts: I64) -> I64:
        """counts[i] of sizes[i] things, in rising order, each choice as likely; behind them sizes[i]."""
        width = int(counts.max(initial=0))
        high, low, _, _ = self._draw(purpose, int(sizes.max(initial=0)))
        keys = (high << np.uint64(32)) | low
        keys[np.arange(keys.shape[1]) >= sizes[:, None]] = _LAST
        order = np.argsort(keys, axis=1, kind="stable")[:, :width]
        return np.sort(np.where(np.arange(order.shape[1]) < counts[:, None], order, sizes[:, None]), axis=1)

    def below(self, purpose: str, bounds: I64, width: int = 1) -> I64:
        """`width` numbers of 0 .. bounds[i] - 1 for each text."""
        number = self._draw(purpose, width)[0]
        return ((number * bounds[:, None].astype(np.uint64)) >> np.uint64(32)).astype(np.int64)

    def composition(self, purpose: str, totals: I64, parts: I64) -> I64:
        """totals[i] as the sum of parts[i] numbers of 1 and more, each as likely as any other; behind them zeros."""
        cuts = self.chosen(purpose, np.maximum(totals - 1, 0), parts - 1) + 1
        edges = np.minimum(cuts, totals[:, None])  # behind the last cut nothing is left
        return np.diff(edges, axis=1, prepend=0, append=totals[:, None])


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
    def damage(self, texts: Texts, end: int, chances: Chances) -> tuple[Texts, Texts]:
        """Sources and targets, each with `end` behind it."""


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

    def damage(self, texts: Texts, end: int, chances: Chances) -> tuple[Texts, Texts]:
        n = texts.lengths
        noise, spans = self.counts(n)
        hidden = chances.composition("hidden spans", noise, spans)
        shown = chances.composition("shown spans", n - noise, spans)
        kept, gone = _part(texts, shown, hidden)
        source, target = (Texts(np.full(int(each.sum()), end), each) for each in self.lengths(n))
        begins = source.begins
        source.tokens[begins[:, None] + np.arange(len(self.lead))] = self.lead
        write(kept, shown, begins + len(self.lead), self.sentinels, spans, source.tokens, before=False)
        write(gone, hidden, target.begins, self.sentinels, spans, target.tokens, before=True)
        return source, target


def _part(texts: Texts, shown: I64, hidden: I64) -> tuple[Texts, Texts]:
    """What is shown and what is hidden where they take turns, in runs [texts, most] of so many tokens."""
    runs = np.stack((shown, hidden), axis=2).ravel()
    is_hidden = np.repeat(np.tile([False, True], hidden.size), runs)
    return Texts(texts.tokens[~is_hidden], shown.sum(1)), Texts(texts.tokens[is_hidden], hidden.sum(1))


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

    def damage(self, texts: Texts, end: int, chances: Chances) -> tuple[Texts, Texts]:
        n = texts.lengths
        if self.share is None:
            border = np.where(n > 1, 1 + chances.below("prefix", n - 1)[:, 0], 0)
        else:
            border = n - np.clip(np.rint(n * self.share), 1, n).astype(np.int64)
        begins, stops = _part(texts, border[:, None], (n - border)[:, None])
        return begins.framed(self.lead, end), stops.framed((), end)


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

    def damage(self, texts: Texts, end: int, chances: Chances) -> tuple[Texts, Texts]:
        n, column = texts.lengths, np.arange
        noise, spans = self.counts(n)
        most, places = int(spans.max(initial=0)), n - noise + spans
        fallen = chances.below("span of token", spans, int(noise.max(initial=0))) + most * column(len(n))[:, None]
        real = column(fallen.shape[1]) < noise[:, None]
        sizes = np.bincount(fallen[real], minlength=most * len(n)).reshape(len(n), most)
        slots = chances.chosen("span places", places, spans)
        seen = np.maximum.accumulate(slots - column(most), axis=1)  # tokens that are shown before each mask
        shown = np.diff(seen, axis=1, prepend=0, append=(n - noise)[:, None])
        kept, _ = _part(texts, shown, np.pad(sizes, ((0, 0), (0, 1))))
        source = Texts(np.full(int(places.sum()) + len(n), end), places + 1)
        write(kept, shown, source.begins, (self.mask,) * (most + 1), spans, source.tokens, before=False)
        return source, texts.framed((), end)
