"""Damaged texts: worked examples, exact lengths, and nothing lost between source and target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osnowa.objective.denoise import Chances, Denoiser, Infilling, Prefix, Spans
from osnowa.objective.texts import Texts

END, MASK = 2, 3
SENTINELS = tuple(range(900, 1000))
DENOISERS: dict[str, Denoiser] = {
    "spans": Spans(0.15, 3.0, SENTINELS),
    "extreme": Spans(0.5, 3.0, SENTINELS, (7,)),
    "long spans": Spans(0.5, 64.0, SENTINELS),
    "prefix": Prefix(),
    "quarter": Prefix(0.25, (8,)),
    "infilling": Infilling(0.3, 3.0, MASK),
}


class Fixed(Chances):
    """Chances of one text whose choices the test makes."""

    def __init__(self, **choices: list[int]) -> None:
        super().__init__(0, np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64))
        object.__setattr__(self, "choices", {name.replace("_", " "): np.array(each) for name, each in choices.items()})

    def composition(self, purpose: str, totals: np.ndarray, parts: np.ndarray) -> np.ndarray:
        found = self.choices[purpose]
        assert (found.sum(), len(found)) == (totals[0], parts[0])
        return found[None]

    def below(self, purpose: str, bounds: np.ndarray, width: int = 1) -> np.ndarray:
        found = self.choices[purpose]
        assert len(found) == width
        assert found.max() < bounds[0]
        return found[None]

    def chosen(self, purpose: str, sizes: np.ndarray, counts: np.ndarray) -> np.ndarray:
        found = self.choices[purpose]
        assert len(found) == counts[0]
        assert found.max() < sizes[0]
        return found[None]


def chances_of(starts: list[int], epoch: int = 0, seed: int = 0) -> Chances:
    return Chances(seed, np.full(len(starts), epoch), np.array(starts))


def many_damaged(denoiser: Denoiser, texts: list[np.ndarray], chances: Chances) -> list[tuple[list[int], list[int]]]:
    given = Texts(np.concatenate(texts), np.array([len(text) for text in texts]))
    source, target = denoiser.damage(given, END, chances)
    return [(one.tolist(), other.tolist()) for one, other in zip(source.each(), target.each(), strict=True)]


def damaged(denoiser: Denoiser, text: list[int] | np.ndarray, chances: Chances) -> tuple[list[int], list[int]]:
    (found,) = many_damaged(denoiser, [np.asarray(text)], chances)
    return found


def test_the_sentence_of_the_paper() -> None:
    """Raffel et al. 2020, figure 2: Thank you <X> me to your party <Y> week. -> <X> for inviting <Y> last <Z>."""
    text = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]  # Thank you for inviting me to your party last week
    # the published code puts a span last, so "week" is hidden here instead of "last"
    source, target = damaged(Spans(0.3, 1.5, SENTINELS), text, Fixed(hidden_spans=[2, 1], shown_spans=[2, 5]))
    assert source == [10, 11, 900, 14, 15, 16, 17, 18, 901, END]
    assert target == [900, 12, 13, 901, 19, END]


def test_lengths_are_those_of_the_paper_for_rows_of_512() -> None:
    """568 tokens become 512 and 114 (the published code's `random_spans_helper`)."""
    source, target = DENOISERS["spans"].lengths(np.array([567, 568, 569]))
    assert source.tolist() == [511, 512, 513]
    assert target.tolist() == [114, 114, 114]


def test_a_prefix_and_how_it_goes_on() -> None:
    assert damaged(Prefix(), [10, 11, 12, 13], Fixed(prefix=[1])) == ([10, 11, END], [12, 13, END])
    assert damaged(Prefix(), [10], chances_of([0])) == ([END], [10, END])
    assert damaged(Prefix(0.25, (8,)), list(range(10, 18)), chances_of([0])) == (
        [8, 10, 11, 12, 13, 14, 15, END],
        [16, 17, END],
    )


def test_spans_give_place_to_one_mask_each_and_a_span_of_nothing_to_one_more() -> None:
    text = list(range(10, 20))
    # 3 of 10 tokens in 2 spans: all three in the first, none in the second; of 9 places the 2nd and the 5th are masks
    chance = Fixed(span_of_token=[0, 0, 0], span_places=[1, 4])
    source, target = damaged(Infilling(0.3, 1.5, MASK), text, chance)
    assert source == [10, MASK, 14, 15, MASK, 16, 17, 18, 19, END]
    assert target == [*text, END]


@pytest.mark.parametrize("denoiser", DENOISERS.values(), ids=DENOISERS.keys())
@settings(deadline=None)
@given(n=st.integers(1, 590), start=st.integers(0, 10**9), epoch=st.integers(0, 3))
def test_lengths_are_as_told_and_nothing_is_lost(denoiser: Denoiser, n: int, start: int, epoch: int) -> None:
    text = np.arange(10_000, 10_000 + n)
    source, target = damaged(denoiser, text, chances_of([start], epoch, 1))
    most = [int(each[0]) for each in denoiser.lengths(np.array([n]))]
    assert len(source) <= most[0]
    assert len(target) <= most[1]
    assert len(source) + len(target) == int(denoiser.together(np.array([n]))[0])
    if not isinstance(denoiser, Prefix) or denoiser.share is not None:
        assert [len(source), len(target)] == most
    assert source[-1] == target[-1] == END
    if isinstance(denoiser, Infilling):
        assert target[:-1] == text.tolist()
        assert set(source[:-1]) - {MASK} <= set(text.tolist())
    else:
        assert sorted(each for each in (*source, *target) if each >= 10_000) == text.tolist(), "each token once"
    assert damaged(denoiser, text, chances_of([start], epoch, 1)) == (source, target)


@pytest.mark.parametrize("denoiser", DENOISERS.values(), ids=DENOISERS.keys())
@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 90), min_size=1, max_size=6))
def test_what_becomes_of_a_text_does_not_depend_on_those_beside_it(denoiser: Denoiser, sizes: list[int]) -> None:
    texts = [np.arange(10_000, 10_000 + size) for size in sizes]
    starts = [1000 * number for number in range(len(texts))]
    alone = [damaged(denoiser, text, chances_of([start])) for text, start in zip(texts, starts, strict=True)]
    assert many_damaged(denoiser, texts, chances_of(starts)) == alone


@settings(deadline=None)
@given(n=st.integers(2, 400), start=st.integers(0, 10**9))
def test_target_and_source_put_together_are_the_text(n: int, start: int) -> None:
    text = np.arange(10_000, 10_000 + n)
    source, target = damaged(Spans(0.3, 3.0, SENTINELS), text, chances_of([start]))
    found: list[int] = []
    hidden: dict[int, list[int]] = {}
    for token in target[:-1]:
        if token < 10_000:
            hidden[last := token] = []
        else:
            hidden[last].append(token)
    for token in source[:-1]:
        found += hidden[token] if token < 10_000 else [token]
    assert found == text.tolist()
    assert list(hidden) == list(SENTINELS[: len(hidden)]), "in their order"


def test_every_place_is_hidden_as_often_as_its_share_says() -> None:
    n, times = 40, 600
    for denoiser in (Spans(0.15, 3.0, SENTINELS), Infilling(0.3, 3.0, MASK)):
        share = denoiser.share
        seen = np.zeros(n)
        texts = [np.arange(10_000, 10_000 + n)] * times
        for source, _ in many_damaged(denoiser, texts, chances_of(list(range(times)))):
            seen[[token - 10_000 for token in source if token >= 10_000]] += 1
        hidden = 1 - seen / times
        assert abs(hidden.mean() - share) < 0.01
        inner = hidden[8:-8]
        assert inner.min() > share / 3, "no place is spared"
        assert inner.max() < 3 * share


@pytest.mark.parametrize("purpose", ["composition", "below"])
def test_a_text_is_damaged_anew_in_every_epoch(purpose: str) -> None:
    def choices(epoch: int) -> list[list[int]]:
        chances = chances_of(list(range(8)), epoch)
        if purpose == "below":
            return chances.below("prefix", np.full(8, 1000), 4).tolist()
        return chances.composition("hidden spans", np.full(8, 40), np.full(8, 5)).tolist()

    assert choices(0) == choices(0)
    assert all(first != second for first, second in zip(choices(0), choices(1), strict=True))
