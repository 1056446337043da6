"""Damaged texts: worked examples, exact lengths, and nothing lost between source and target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osnowa.objective.denoise import Chance, Denoiser, Infilling, Prefix, Spans

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


class Fixed(Chance):
    """Chance whose choices the test makes."""

    def __init__(self, **choices: list[int]) -> None:
        super().__init__(0, 0, 0)
        object.__setattr__(self, "choices", {name.replace("_", " "): np.array(each) for name, each in choices.items()})

    def composition(self, purpose: str, total: int, parts: int) -> np.ndarray:
        found = self.choices[purpose]
        assert (found.sum(), len(found)) == (total, parts)
        return found

    def below(self, purpose: str, bound: int, size: int = 1) -> np.ndarray:
        found = self.choices[purpose]
        assert len(found) == size
        assert found.max() < bound
        return found

    def ranks(self, purpose: str, size: int) -> np.ndarray:
        return self.choices[purpose]


def damaged(denoiser: Denoiser, text: list[int], chance: Chance) -> tuple[list[int], list[int]]:
    source, target = denoiser.damage(np.array(text), END, chance)
    return source.tolist(), target.tolist()


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
    assert damaged(Prefix(), [10], Chance(0, 0, 0)) == ([END], [10, END])
    assert damaged(Prefix(0.25, (8,)), list(range(10, 18)), Chance(0, 0, 0)) == (
        [8, 10, 11, 12, 13, 14, 15, END],
        [16, 17, END],
    )


def test_spans_give_place_to_one_mask_each_and_a_span_of_nothing_to_one_more() -> None:
    text = list(range(10, 20))
    # 3 of 10 tokens in 2 spans: all three in the first, none in the second; of 9 places the 2nd and the 5th are masks
    chance = Fixed(span_of_token=[0, 0, 0], span_places=[4, 1])
    source, target = damaged(Infilling(0.3, 1.5, MASK), text, chance)
    assert source == [10, MASK, 14, 15, MASK, 16, 17, 18, 19, END]
    assert target == [*text, END]


@pytest.mark.parametrize("denoiser", DENOISERS.values(), ids=DENOISERS.keys())
@given(n=st.integers(1, 590), start=st.integers(0, 10**9), epoch=st.integers(0, 3))
def test_lengths_are_as_told_and_nothing_is_lost(denoiser: Denoiser, n: int, start: int, epoch: int) -> None:
    text = np.arange(10_000, 10_000 + n)
    source, target = denoiser.damage(text, END, Chance(1, epoch, start))
    most = [int(each[0]) for each in denoiser.lengths(np.array([n]))]
    assert len(source) <= most[0]
    assert len(target) <= most[1]
    assert len(source) + len(target) == int(denoiser.together(np.array([n]))[0])
    if not isinstance(denoiser, Prefix) or denoiser.share is not None:
        assert [len(source), len(target)] == most
    assert source[-1] == target[-1] == END
    if isinstance(denoiser, Infilling):
        assert target[:-1].tolist() == text.tolist()
        assert set(source[:-1].tolist()) - {MASK} <= set(text.tolist())
    else:
        assert sorted(each for each in (*source, *target) if each >= 10_000) == text.tolist(), "each token once"
    again = denoiser.damage(text, END, Chance(1, epoch, start))
    assert again[0].tolist() == source.tolist()


@given(n=st.integers(2, 400), start=st.integers(0, 10**9))
def test_target_and_source_put_together_are_the_text(n: int, start: int) -> None:
    text = np.arange(10_000, 10_000 + n)
    source, target = Spans(0.3, 3.0, SENTINELS).damage(text, END, Chance(0, 0, start))
    found: list[int] = []
    hidden: dict[int, list[int]] = {}
    for token in target[:-1].tolist():
        if token < 10_000:
            hidden[last := token] = []
        else:
            hidden[last].append(token)
    for token in source[:-1].tolist():
        found += hidden[token] if token < 10_000 else [token]
    assert found == text.tolist()
    assert list(hidden) == list(SENTINELS[: len(hidden)]), "in their order"


def test_every_place_is_hidden_as_often_as_its_share_says() -> None:
    n, times = 40, 600
    for denoiser in (Spans(0.15, 3.0, SENTINELS), Infilling(0.3, 3.0, MASK)):
        share = denoiser.share
        seen = np.zeros(n)
        for start in range(times):
            source, _ = denoiser.damage(np.arange(10_000, 10_000 + n), END, Chance(0, 0, start))
            seen[[token - 10_000 for token in source.tolist() if token >= 10_000]] += 1
        hidden = 1 - seen / times
        assert abs(hidden.mean() - share) < 0.01
        inner = hidden[8:-8]
        assert inner.min() > share / 3, "no place is spared"
        assert inner.max() < 3 * share


@pytest.mark.parametrize("purpose", ["composition", "below"])
def test_a_text_is_damaged_anew_in_every_epoch(purpose: str) -> None:
    def choices(epoch: int) -> list[list[int]]:
        chances = [Chance(0, epoch, start) for start in range(8)]
        if purpose == "below":
            return [chance.below("prefix", 1000, 4).tolist() for chance in chances]
        return [chance.composition("hidden spans", 40, 5).tolist() for chance in chances]

    assert choices(0) == choices(0)
    assert all(first != second for first, second in zip(choices(0), choices(1), strict=True))
