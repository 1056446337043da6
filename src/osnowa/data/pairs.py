"""True and random pairs of sentences that nothing but their text tells apart.

Two spans of different documents whose Bs are equally long form a couple. Half of the couples keep their Bs (is next),
half exchange them (is not next). So each token is still shown once, there are as many pairs of one kind as of the
other, a random B never comes from A's own document, and neither lengths nor the choice of documents give the answer
away. What finds no partner stays a true pair and is not asked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from osnowa.data.blocks import Runs
from osnowa.data.order import below, draw
from osnowa.data.samples import IS_NEXT, NOT_ASKED, NOT_NEXT, Samples
from osnowa.data.spans import loose

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
_NEAR = 16  # Bs whose lengths differ by more than budget / 16 are not exchanged
_WINDOWS = (4, 16, 64)  # neighbours by length are tried when the Bs of equal length are used up


def pairs(sentences: I64, spans: Runs, budget: int, seed: int, epoch: int, first: int = 0) -> Samples:
    """Spans of at most `budget` tokens parted into A and B; `first` is the index of their first draw."""
    index = first + np.arange(len(spans))
    b_start = part(sentences, spans, budget, draw(seed, "pairs", epoch, index)[0])
    a_length, b_length = b_start - spans.start, spans.stop - b_start
    document_key = draw(seed, "pair documents", epoch, spans.document)[0]
    ties = draw(seed, "couples", epoch, index)
    one, other = couples(a_length, b_length, budget, spans.document, document_key, ties)

    # Of each two couples with Bs about equally long one exchanges them; which one is chance. An odd one out is not asked.
    coin, tie, _, _ = draw(seed, "exchange", epoch, index[one])
    asked = np.lexsort((tie, b_length[one]))[: len(one) // 2 * 2]
    heads = (coin[asked[::2]] & np.uint64(1)).astype(bool)
    exchanged = np.stack((heads, ~heads), axis=1).ravel()

    label, source = np.full(len(spans), NOT_ASKED), np.arange(len(spans))
    for mine, partner in ((one[asked], other[asked]), (other[asked], one[asked])):
        label[mine] = np.where(exchanged, NOT_NEXT, IS_NEXT)
        source[mine] = np.where(exchanged, partner, mine)
    return Samples(spans.start, a_length, b_start[source], b_length[source], label)


def orders(sentences: I64, spans: Runs, budget: int, seed: int, epoch: int, first: int = 0) -> Samples:
    """Spans parted into A and B, half of them shown in order (is next) and half exchanged (not): Lan et al. 2020, 3.1.

    Spans that can't be parted stay whole and are not asked; of those that can, two neighbours by the length of their
    shorter part get different labels, so that neither lengths nor the choice of spans give the answer away.
    """
    index = first + np.arange(len(spans))
    b_start = part(sentences, spans, budget, draw(seed, "pairs", epoch, index)[0])
    a_length, b_length = b_start - spans.start, spans.stop - b_start
    coin, tie, _, _ = draw(seed, "order", epoch, index)
    parted = np.flatnonzero(b_length)
    shorter = np.minimum(a_length, b_length)[parted]
    asked = parted[np.lexsort((tie[parted], spans.stop[parted] - spans.start[parted], shorter))]
    asked = asked[: len(asked) // 2 * 2]
    heads = (coin[asked[::2]] & np.uint64(1)).astype(bool)
    swapped = asked[np.stack((heads, ~heads), axis=1).ravel()]
    label = np.full(len(spans), NOT_ASKED)
    label[asked] = IS_NEXT
    label[swapped] = NOT_NEXT
    a_start = spans.start.copy()
    a_start[swapped], b_start[swapped] = b_start[swapped], spans.start[swapped]
    a_length[swapped], b_length[swapped] = b_length[swapped], a_length[swapped]
    return Samples(a_start, a_length, b_start, b_length, label)


def part(sentences: I64, spans: Runs, budget: int, number: U64) -> I64:
    """Where B begins in each span: at a sentence, or at the span's end (there is no B).

    A sentence that begins close to an end of the span is chosen only when there is no other. A span that is full but
    lies inside one sentence is parted near its middle.
    """
    low = np.searchsorted(sentences, spans.start, side="right")
    high = np.searchsorted(sentences, spans.stop, side="left")
    margin = max(1, loose(budget))
    inner_low = np.searchsorted(sentences, spans.start + margin, side="left")
    inner_high = np.searchsorted(sentences, spans.stop - margin, side="right")
    inner = inner_low < inner_high
    low, high = np.where(inner, inner_low, low), np.where(inner, inner_high, high)
    chosen = sentences[np.minimum(low + below(number, high - low), len(sentences) - 1)]
    length = spans.stop - spans.start
    halved = spans.start + 1 + length // 4 + below(number, np.maximum(length // 2 - 1, 1))
    unparted = np.where(length > budget // 2, halved, spans.stop)
    return np.where(low < high, chosen, unparted)


def couples(
    a_length: I64, b_length: I64, budget: int, document: I64, document_key: U64, ties: tuple[U64, ...]
) -> tuple[I64, I64]:
    """Spans of different documents whose Bs fit in each other's place: one of each couple, and the other.

    Equal lengths first. Inside a group the spans stand by document (in the random order of `document_key`) and each is
    coupled with the one half the group further on: no matching couples more, even when one document dominates.
    """
    found = [np.zeros((2, 0), dtype=np.int64)]
    left = np.flatnonzero(b_length)
    for window, tie in zip((None, *_WINDOWS), ties, strict=True):
        left = left[np.lexsort((tie[left], b_length[left]))]
        group = b_length[left] if window is None else np.arange(len(left)) // window
        by_document = left[np.lexsort((tie[left], document_key[left], group))]
        begin = np.searchsorted(group, group, side="left")
        half = (np.searchsorted(group, group, side="right") - begin) // 2
        at = np.flatnonzero(np.arange(len(left)) - begin < half)
        one, other = by_document[at], by_document[at + half[at]]
        fits = (
            (document[one] != document[other])
            & (np.abs(b_length[one] - b_length[other]) <= budget // _NEAR)
            & (np.maximum(a_length[one] + b_length[other], a_length[other] + b_length[one]) <= budget)
        )
        found.append(np.stack((one[fits], other[fits])))
        alone = np.ones(len(b_length), dtype=bool)
        alone[found[-1]] = False
        left = left[alone[left]]
    one, other = np.concatenate(found, axis=1)
    return one, other
