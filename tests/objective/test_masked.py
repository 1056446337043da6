"""Dynamic masking: exact counts, 80/10/10, whole words, the same masks however the rows are batched."""

from __future__ import annotations

import numpy as np
import pytest
from example_rows import MASK, SPECIAL_IDS, VOCAB_SIZE, rows_of, sequence, take
from numpy.typing import NDArray

from osnowa.data import Place, Rows
from osnowa.errors import SettingsError
from osnowa.objective.masked import MaskingConfig, choose, replace, smallest

ORDINARY = np.setdiff1d(np.arange(VOCAB_SIZE), sorted(SPECIAL_IDS))
CONTINUES = np.arange(VOCAB_SIZE) % 3 == 0  # a third of the vocabulary goes on with the word before it
CONTINUES[:5] = False
PLAIN, WORDS = MaskingConfig(), MaskingConfig(whole_words=True)


def mask(
    rows: Rows, config: MaskingConfig = PLAIN, seed: int = 1
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """What is hidden, what is shown instead, and whose numbers decide."""
    hidden, leader = choose(rows, config, seed, CONTINUES)
    return hidden, replace(rows, np.flatnonzero(hidden), leader, config, seed, mask=MASK, ordinary=ORDINARY), leader


@pytest.mark.parametrize("share", [0.05, 0.15, 0.3, 0.9])
def test_each_row_hides_exactly_its_share_of_ordinary_tokens(share: float) -> None:
    rows = take(300)
    hidden, _, _ = mask(rows, MaskingConfig(share=share))
    ordinary = (~rows.special).sum(axis=1)
    assert np.array_equal(hidden.sum(axis=1), np.maximum(1, np.rint(ordinary * share)))


@pytest.mark.parametrize("most", [2, 5, 2**32])
def test_of_places_with_the_same_number_the_first_is_hidden(most: int) -> None:
    random = np.random.default_rng(0)
    keys = (2**32 - random.integers(1, most, (200, 17), endpoint=True)).astype(np.uint32)  # up to the largest one
    never = random.random(keys.shape) < np.linspace(0, 1, 200)[:, None]
    ordinary = (~never).sum(axis=1)
    wanted = np.minimum(ordinary, random.integers(1, 17, 200))
    assert (ordinary == 0).any()
    expected = np.zeros(keys.shape, dtype=bool)
    for row, (numbers, count) in enumerate(zip(keys, wanted, strict=True)):
        allowed = [(number, place) for place, number in enumerate(numbers.tolist()) if not never[row, place]]
        expected[row, [place for _, place in sorted(allowed)[:count]]] = True
    assert np.array_equal(smallest(keys.copy(), never, wanted), expected)


@pytest.mark.parametrize("config", [PLAIN, WORDS, MaskingConfig(share=0.9), MaskingConfig(share=0.9, whole_words=True)])
def test_special_tokens_and_padding_are_never_hidden_or_changed(config: MaskingConfig) -> None:
    for shape in ("pair", "single"):
        rows = take(200, shape=shape)
        assert (rows.document_ids == 0).any()
        hidden, shown, _ = mask(rows, config)
        assert not (hidden & rows.special).any()
        assert np.array_equal(shown[rows.special], rows.tokens[rows.special])


@pytest.mark.parametrize("config", [PLAIN, WORDS])
def test_what_is_not_hidden_is_shown_as_it_is_and_the_truth_is_kept(config: MaskingConfig) -> None:
    rows = take(200)
    before = rows.tokens.copy()
    hidden, shown, _ = mask(rows, config)
    assert np.array_equal(shown[~hidden], rows.tokens[~hidden])
    assert (shown[hidden] != rows.tokens[hidden]).mean() > 0.85
    assert np.array_equal(rows.tokens, before)


@pytest.mark.parametrize("config", [PLAIN, WORDS, MaskingConfig(share=0.001)])
def test_every_row_with_a_token_hides_one_and_padding_alone_nothing(config: MaskingConfig) -> None:
    rows = rows_of(
        [[1, 9, 2, 0, 0, 0], [1, 7, 8, 2, 1, 2], [0, 0, 0, 0, 0, 0], [1, 2, 1, 12, 11, 2]],
        [[1, 0, 1, 1, 1, 1], [1, 0, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 1]],
        [0, 1, 2, 3],
    )
    counts = mask(rows, config)[0].sum(axis=1)
    assert counts.tolist() == [1, 1, 0, 1]


def test_a_row_of_one_long_word_hides_it_whole() -> None:
    row, special = [1, 7, 9, 12, 15, 18, 2], [1, 0, 0, 0, 0, 0, 1]
    hidden = mask(rows_of([row] * 20, [special] * 20, list(range(20))), WORDS)[0]
    assert (hidden == ~np.array(special, dtype=bool)).all()


def far_from(count: int, share: float, total: int) -> float:
    """How far a count is from its share, in standard deviations."""
    return float(abs(count - share * total) / np.sqrt(total * share * (1 - share)))


def test_of_the_hidden_80_percent_are_masked_10_random_10_unchanged() -> None:
    rows = take(1000, num_tokens=100_000)
    hidden, shown, _ = mask(rows, MaskingConfig(share=0.9))
    total = int(hidden.sum())
    assert total > 50_000
    now, then = shown[hidden], rows.tokens[hidden]
    masked, unchanged = int((now == MASK).sum()), int((now == then).sum())
    same_by_chance = 0.1 / len(ORDINARY)  # a random token can be the one that stood there
    assert far_from(masked, 0.8, total) < 4
    assert far_from(unchanged, 0.1 + same_by_chance, total) < 4
    assert far_from(total - masked - unchanged, 0.1 - same_by_chance, total) < 4


@pytest.mark.parametrize(("mask_share", "random_share"), [(1, 0), (0, 1), (0, 0), (0.5, 0.5)])
def test_the_shares_of_replacements_are_settings(mask_share: float, random_share: float) -> None:
    rows = take(300)
    hidden, shown, _ = mask(rows, MaskingConfig(share=0.5, mask_share=mask_share, random_share=random_share))
    total = int(hidden.sum())
    masked, same = (shown[hidden] == MASK).mean(), (shown[hidden] == rows.tokens[hidden]).mean()
    assert masked == pytest.approx(mask_share, abs=4 * 0.5 / np.sqrt(total))
    assert same == pytest.approx(1 - mask_share - random_share, abs=0.02)


def test_random_tokens_are_never_special_and_cover_the_vocabulary_evenly() -> None:
    rows = take(600)
    hidden, shown, _ = mask(rows, MaskingConfig(share=0.9, mask_share=0, random_share=1))
    counts = np.bincount(shown[hidden], minlength=VOCAB_SIZE)
    expected = hidden.sum() / len(ORDINARY)
    assert counts[:5].sum() == 0
    assert counts[ORDINARY].min() > 0
    statistic = float(((counts[ORDINARY] - expected) ** 2 / expected).sum())
    assert abs(statistic - len(ORDINARY) + 1) < 5 * np.sqrt(2 * len(ORDINARY))


def test_every_place_of_a_row_is_hidden_equally_often() -> None:
    one = rows_of([[1, *range(5, 67), 2]] * 4000, [[1, *[0] * 62, 1]] * 4000, list(range(4000)))
    counts = mask(one)[0].sum(axis=0)[1:-1]
    expected = 4000 * 9 / 62  # rint(0.15 x 62) = 9 in each row
    assert counts.sum() == 4000 * 9
    assert abs(counts - expected).max() < 5 * np.sqrt(expected)


@pytest.mark.parametrize("config", [PLAIN, WORDS])
def test_masks_do_not_depend_on_how_rows_are_batched(config: MaskingConfig) -> None:
    rows = sequence(4000)
    size = rows.accounting().rows
    whole, _ = rows.take(Place(), 2 * size)  # two epochs
    hidden, shown, _ = mask(whole, config)
    place, seen = Place(), 0
    for count in (1, 5, size, 2, size - 8):
        part, place = rows.take(place, count)
        alone = mask(part, config)
        assert np.array_equal(alone[0], hidden[seen : seen + count])
        assert np.array_equal(alone[1], shown[seen : seen + count])
        seen += count
    assert seen == 2 * size
    mixed = rows.rows(0, np.array([4, 0, 4]))
    assert np.array_equal(mask(mixed, config)[1], shown[[4, 0, 4]])


@pytest.mark.parametrize("config", [PLAIN, WORDS])
def test_epochs_seeds_and_rows_hide_differently(config: MaskingConfig) -> None:
    tokens, special = [[1, *range(5, 67), 2]] * 200, [[1, *[0] * 62, 1]] * 200
    numbers = list(range(200))
    first = mask(rows_of(tokens, special, numbers), config)[0]
    others = {
        "epoch": mask(rows_of(tokens, special, numbers, epoch=1), config)[0],
        "seed": mask(rows_of(tokens, special, numbers), config, seed=2)[0],
        "row": mask(rows_of(tokens, special, [number + 1 for number in numbers]), config)[0],
        "block": mask(rows_of(tokens, special, [number + (1 << 32) for number in numbers]), config)[0],
    }
    assert np.array_equal(first, mask(rows_of(tokens, special, numbers), config)[0])
    for name, other in others.items():
        both = (first & other).sum() / first.sum()
        assert both == pytest.approx(0.15, abs=0.05), name


def words_of(rows: Rows) -> NDArray[np.int64]:
    """[rows, row_length] a number for each word, -1 for special tokens; written plainly, token by token."""
    words = np.full(rows.tokens.shape, -1)
    number = -1
    for r in range(len(words)):
        for c in range(words.shape[1]):
            if rows.special[r, c]:
                continue
            if rows.special[r, c - 1] or not CONTINUES[rows.tokens[r, c]]:
                number += 1
            words[r, c] = number
    return words


def test_whole_words_are_hidden_with_all_their_pieces_or_not_at_all() -> None:
    rows = take(400)
    words = words_of(rows)
    hidden, shown, leader = mask(rows, WORDS)
    sizes = np.bincount(words[words >= 0])
    hidden_pieces = np.bincount(words[hidden], minlength=len(sizes))
    assert sizes.max() > 3
    assert set(np.unique(hidden_pieces / sizes)) == {0.0, 1.0}
    flat = np.arange(len(rows.tokens))[:, None] * rows.tokens.shape[1] + leader
    leaders = np.unique(np.stack((words[hidden], flat[hidden])), axis=1)
    assert len(np.unique(leaders[0])) == leaders.shape[1]  # one leader a word
    masked = np.bincount(words[hidden & (shown == MASK)], minlength=len(sizes))
    assert set(np.unique((masked / sizes)[hidden_pieces > 0])) == {0.0, 1.0}  # [MASK] for all pieces or for none


def test_whole_words_keep_80_10_10_over_words() -> None:
    rows = take(600)
    words = words_of(rows)
    hidden, shown, _ = mask(rows, MaskingConfig(share=0.5, whole_words=True))
    sizes, pieces = np.bincount(words[words >= 0]), np.bincount(words[hidden])
    chosen = np.flatnonzero(pieces)
    masked = np.bincount(words[hidden & (shown == MASK)], minlength=len(sizes))[chosen] > 0
    changed = np.bincount(words[hidden & (shown != rows.tokens)], minlength=len(sizes))[chosen] > 0
    assert far_from(int(masked.sum()), 0.8, len(chosen)) < 4
    assert far_from(int((changed & ~masked).sum()), 0.1, len(chosen)) < 4
    assert far_from(int((~changed).sum()), 0.1, len(chosen)) < 4
    random = hidden & (shown != MASK) & (shown != rows.tokens)
    assert len(np.unique(shown[random])) > 150  # each piece has a random token of its own


@pytest.mark.parametrize("share", [0.15, 0.3])
def test_whole_words_hide_the_asked_share_of_long_words_and_of_short_ones(share: float) -> None:
    rows = take(700, num_tokens=200_000, row_length=128)
    words = words_of(rows)
    hidden, _, _ = mask(rows, MaskingConfig(share=share, whole_words=True))
    ordinary = ~rows.special
    assert hidden.sum() / ordinary.sum() == pytest.approx(share, rel=0.02)
    size = np.bincount(words[ordinary])[words[ordinary]]
    for long in (size == 1, size >= 3):
        assert hidden[ordinary][long].mean() == pytest.approx(share, rel=0.06)
    each = hidden.sum(axis=1) - np.rint(ordinary.sum(axis=1) * share)
    assert abs(each).max() <= size.max()


def test_a_word_that_goes_on_from_another_span_is_a_word_of_its_own() -> None:
    assert CONTINUES[[9, 12, 15]].all()
    rows = rows_of([[1, 9, 12, 2, 15, 7, 2, 0]], [[1, 0, 0, 1, 0, 0, 1, 1]], [0])
    _, leader = choose(rows, WORDS, 1, CONTINUES)
    assert leader[0, [1, 2, 4, 5]].tolist() == [1, 1, 4, 5]


def test_shares_that_are_more_than_everything_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"random_share = 0\.3: and mask_share = 0\.8 are more than 1 together"):
        MaskingConfig.read("masking", {"mask_share": 0.8, "random_share": 0.3})
    MaskingConfig.read("masking", {"mask_share": 0.7, "random_share": 0.3})
