"""Pairs of sentences: labels that are never wrong, nothing lost in the exchange, and no way to guess from lengths."""

from __future__ import annotations

import numpy as np
import pytest
from example_splits import corpora, document_of, realistic, shown_places, split_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from osnowa.data import IS_NEXT, NOT_ASKED, NOT_NEXT, TokenSplit, make_plan
from osnowa.data.plan import Samples
from osnowa.data.spans import loose

# One-sentence documents, very long sentences, two documents, one that dominates, one document alone.
SPECIAL_CASES = {
    "one-sentence documents": split_of([[20]] * 50),
    "one-sentence documents longer than a row": split_of([[200], [300], [500]] * 5),
    "two documents": split_of([[9, 12, 8, 10, 30, 8]] * 2),
    "two documents of other sentences": split_of([[5] * 40, [60] * 4]),
    "one document dominates": split_of([[8, 9, 11] * 300, *[[12, 13, 10]] * 20]),
    "one document": split_of([[8, 9, 11] * 50]),
    "one token": split_of([[1]]),
    "nothing": split_of([]),
}


def check_pairs(split: TokenSplit, samples: Samples) -> None:
    """The promises of every pair in every corpus."""
    has_b = samples.b_length > 0
    a_document = document_of(split, samples.a_start)
    b_document = document_of(split, samples.b_start)
    follows = (samples.b_start == samples.a_start + samples.a_length) & (a_document == b_document)
    assert (samples.a_length > 0).all()
    assert (samples.label[~has_b] == NOT_ASKED).all()
    assert follows[samples.label == IS_NEXT].all()
    assert (a_document != b_document)[samples.label == NOT_NEXT].all()
    assert follows[has_b & (samples.label == NOT_ASKED)].all()
    assert (samples.label == IS_NEXT).sum() == (samples.label == NOT_NEXT).sum()
    for start, length in ((samples.a_start, samples.a_length), (samples.b_start[has_b], samples.b_length[has_b])):
        assert np.array_equal(document_of(split, start), document_of(split, start + length - 1))


@settings(max_examples=150, deadline=None)
@given(split=corpora, row_length=st.integers(8, 160), epoch=st.integers(0, 5))
def test_labels_are_never_wrong_and_nothing_is_lost_or_shown_twice(
    split: TokenSplit, row_length: int, epoch: int
) -> None:
    plan = make_plan(split, "pair", row_length, 1, epoch)
    check_pairs(split, plan.samples)
    assert np.array_equal(shown_places(plan), np.arange(split.num_tokens))
    assert (plan.samples.length <= row_length).all()


@pytest.mark.parametrize("name", SPECIAL_CASES)
@pytest.mark.parametrize("row_length", [8, 64, 128])
def test_odd_corpora_give_right_labels_too(name: str, row_length: int) -> None:
    split = SPECIAL_CASES[name]
    for epoch in range(3):
        plan = make_plan(split, "pair", row_length, 1, epoch)
        check_pairs(split, plan.samples)
        assert np.array_equal(shown_places(plan), np.arange(split.num_tokens))


def test_a_corpus_of_one_document_asks_nothing() -> None:
    samples = make_plan(SPECIAL_CASES["one document"], "pair", 64, 1, 0).samples
    assert (samples.label == NOT_ASKED).all()
    assert (samples.b_length > 0).any()


def test_nearly_every_pair_of_a_realistic_corpus_is_asked() -> None:
    for row_length in (64, 128, 256):
        samples = make_plan(realistic(), "pair", row_length, 1, 0).samples
        could = (samples.b_length > 0).sum()
        assert (samples.label != NOT_ASKED).sum() > 0.93 * could
        assert could > 0.85 * len(samples)


def test_when_one_document_dominates_every_other_document_finds_a_partner() -> None:
    split = split_of([[10] * 4000, *[[10] * 10] * 100])
    samples = make_plan(split, "pair", 64, 1, 0).samples
    small = (document_of(split, samples.a_start) > 0) & (samples.b_length > 0)
    asked = samples.label != NOT_ASKED
    assert asked[small].mean() > 0.9
    from_large = document_of(split, samples.a_start[asked]) == 0
    assert 0.35 < from_large.mean() < 0.65  # and which document A comes from does not tell the answer
    not_next = samples.label[asked] == NOT_NEXT
    assert abs(not_next[from_large].mean() - 0.5) < 0.08


def test_a_random_b_is_exactly_as_long_as_the_true_one_nearly_always() -> None:
    samples = make_plan(realistic(), "pair", 128, 1, 0).samples
    starts = {
        int(start): int(length)
        for start, length in zip(samples.b_start.tolist(), samples.b_length.tolist(), strict=True)
    }
    random = np.flatnonzero(samples.label == NOT_NEXT)
    true_start = samples.a_start[random] + samples.a_length[random]
    true_length = np.array([starts[int(start)] for start in true_start])
    difference = np.abs(true_length - samples.b_length[random])
    assert (difference == 0).mean() > 0.9


def test_a_random_b_is_about_as_long_as_the_true_one_in_small_corpora_too() -> None:
    split = realistic(5000)
    samples = joined(split, range(300), 128)
    asked = {label: samples.b_length[samples.label == label].astype(float) for label in (IS_NEXT, NOT_NEXT)}
    assert len(asked[IS_NEXT]) > 3000
    assert abs(asked[IS_NEXT].mean() - asked[NOT_NEXT].mean()) < 2  # 4 standard deviations
    for epoch in range(20):
        epoch_samples = make_plan(split, "pair", 128, 1, epoch).samples
        length = dict(zip(epoch_samples.b_start.tolist(), epoch_samples.b_length.tolist(), strict=True))
        for sample in np.flatnonzero(epoch_samples.label == NOT_NEXT):
            true_b = int(epoch_samples.a_start[sample] + epoch_samples.a_length[sample])
            assert abs(length[true_b] - int(epoch_samples.b_length[sample])) <= 125 // 16


def guess_from_lengths(train: Samples, test: Samples) -> float:
    """How often the more frequent label among the pairs of like lengths is right on other pairs."""

    def cell(samples: Samples, asked: NDArray[np.bool_]) -> NDArray[np.int64]:
        a, b = samples.a_length[asked], samples.b_length[asked]
        return np.asarray((a // 8) * 10_000 + (a + b) * 16 + b % 16)

    learn, ask = (samples.label != NOT_ASKED for samples in (train, test))
    sums = np.zeros(10_000 * 100)
    np.add.at(sums, cell(train, learn), np.where(train.label[learn] == NOT_NEXT, 1, -1))
    verdict = np.where(sums[cell(test, ask)] > 0, NOT_NEXT, IS_NEXT)
    return float((verdict == test.label[ask]).mean())


def joined(split: TokenSplit, epochs: range, row_length: int) -> Samples:
    parts = [make_plan(split, "pair", row_length, 1, epoch).samples for epoch in epochs]
    names = ("a_start", "a_length", "b_start", "b_length", "label")
    return Samples(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@pytest.mark.parametrize(("tokens", "epochs"), [(300_000, 12), (20_000, 80)])
def test_lengths_do_not_give_the_answer_away(tokens: int, epochs: int) -> None:
    split = realistic(tokens)
    train, test = joined(split, range(epochs), 128), joined(split, range(epochs, 2 * epochs), 128)
    asked = int((test.label != NOT_ASKED).sum())
    assert asked > 9000
    assert abs(guess_from_lengths(train, test) - 0.5) < 0.02  # 4 standard deviations of chance


def test_b_begins_with_a_sentence_and_not_close_to_an_end_where_that_is_possible() -> None:
    split, budget = realistic(), 125
    samples = make_plan(split, "pair", 128, 1, 0).samples
    has_b = samples.b_length > 0
    begins_sentence = np.isin(samples.b_start[has_b], split.sentences)
    assert begins_sentence.mean() > 0.97
    close = np.minimum(samples.a_length, samples.b_length)[has_b & (samples.label == NOT_ASKED)] < loose(budget)
    assert close.mean() < 0.2
    asked = samples.label != NOT_ASKED
    assert (np.minimum(samples.a_length, samples.b_length)[asked] < loose(budget)).mean() < 0.05


def test_a_full_span_inside_one_sentence_is_parted_near_its_middle() -> None:
    samples = make_plan(split_of([[1000]] * 40), "pair", 64, 1, 0).samples
    full = samples.a_length + samples.b_length > 61 // 2
    assert (samples.b_length[full] > 0).all()
    share = samples.a_length[full] / (samples.a_length + samples.b_length)[full]
    assert share.min() > 0.2
    assert share.max() < 0.8
    assert (samples.label != NOT_ASKED).mean() > 0.5
