"""From logits to a token: worked examples by hand, the same as transformers' classes, and the stated distribution."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from osnowa.generate.sampling import Chooser, draw, keep_min_p, keep_top_k, keep_top_p, penalise, warpers
from osnowa.generate.settings import GenerationConfig

OUT = -math.inf
NOTHING = torch.tensor([], dtype=torch.long)


def logits(*probabilities: float) -> Tensor:
    return torch.tensor([probabilities]).log()


def kept(scores: Tensor) -> list[list[int]]:
    return [row.isfinite().nonzero()[:, 0].tolist() for row in scores]


@pytest.mark.parametrize(
    ("k", "expected"), [(1, [1]), (2, [1, 3]), (3, [0, 1, 3]), (4, [0, 1, 2, 3]), (9, [0, 1, 2, 3])]
)
def test_top_k_keeps_the_k_highest(k: int, expected: list[int]) -> None:
    assert kept(keep_top_k(torch.tensor([[1.0, 4.0, 0.5, 2.0]]), k)) == [expected]


def test_top_k_keeps_what_is_equal_to_the_last_of_them() -> None:
    assert kept(keep_top_k(torch.tensor([[1.0, 2.0, 1.0, 0.0]]), 2)) == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("p", "expected"),
    [(0.01, [1]), (0.45, [1]), (0.55, [1, 3]), (0.8, [0, 1, 3]), (0.94, [0, 1, 3]), (0.96, [0, 1, 2, 3])],
)
def test_top_p_keeps_the_fewest_of_the_likeliest_that_make_up_the_share(p: float, expected: list[int]) -> None:
    """0.5 alone, then 0.5 + 0.25, then 0.5 + 0.25 + 0.2, then all."""
    assert kept(keep_top_p(logits(0.2, 0.5, 0.05, 0.25), p)) == [expected]


def test_however_small_the_share_the_likeliest_stays() -> None:
    assert kept(keep_top_p(logits(0.2, 0.5, 0.05, 0.25), 1e-9)) == [[1]]


@pytest.mark.parametrize(
    ("p", "expected"), [(1.0, [1]), (0.51, [1]), (0.49, [1, 3]), (0.3, [0, 1, 3]), (0.05, [0, 1, 2, 3])]
)
def test_min_p_keeps_what_is_a_share_as_likely_as_the_likeliest(p: float, expected: list[int]) -> None:
    """The likeliest has 0.5: thresholds are 0.5, 0.255, 0.245, 0.15 and 0.025."""
    assert kept(keep_min_p(logits(0.2, 0.5, 0.05, 0.25), p)) == [expected]


def test_a_repetition_penalty_divides_above_0_and_multiplies_below() -> None:
    scores = torch.tensor([[3.0, -2.0, 3.0, -2.0]])
    seen = torch.tensor([[True, True, False, False]])
    assert penalise(scores, seen, 2.0).tolist() == [[1.5, -4.0, 3.0, -2.0]]


def test_tokens_of_the_prompt_and_new_ones_count_as_repeated_and_padding_does_not() -> None:
    chooser = Chooser(GenerationConfig(temperature=0, repetition_penalty=2.0), "decoder", NOTHING, [0, 1])
    tokens, real = torch.tensor([[0, 3], [1, 2]]), torch.tensor([[False, True], [True, True]])
    chooser.begin(tokens, real, 4)
    flat = torch.tensor([[4.0, 3.0, 1.0, 7.0], [4.0, 1.0, 1.0, 1.0]])
    assert chooser.allowed(flat).tolist() == [[4.0, 3.0, 1.0, 3.5], [4.0, 0.5, 0.5, 1.0]]
    assert chooser.choose(flat).tolist() == [0, 0]
    assert chooser.allowed(flat).tolist() == [[2.0, 3.0, 1.0, 3.5], [2.0, 0.5, 0.5, 1.0]]
    chooser.keep([1])
    assert chooser.allowed(flat[1:]).tolist() == [[2.0, 0.5, 0.5, 1.0]]


@pytest.mark.parametrize("size", [5, 300, 20_000])
def test_of_tokens_that_are_equally_likely_the_first_is_taken(size: int) -> None:
    logits = torch.randint(0, 3, (4, size), generator=torch.Generator().manual_seed(size)).bfloat16()
    expected = [(row == row.max()).nonzero()[0, 0].item() for row in logits]
    assert Chooser(GenerationConfig(temperature=0), "decoder", NOTHING, range(4)).choose(logits).tolist() == expected


def test_the_logits_that_are_given_stay_as_they_are() -> None:
    given = torch.randn(2, 6)
    before = given.clone()
    config = GenerationConfig(temperature=0.5, top_k=2, repetition_penalty=2.0)
    chooser = Chooser(config, "decoder", torch.tensor([0]), [0, 1])
    chooser.begin(torch.tensor([[1], [2]]), torch.tensor([[True], [True]]), 6)
    chooser.choose(given)
    assert torch.equal(given, before)


@pytest.mark.parametrize(
    ("words", "theirs"),
    [
        ({"temperature": 0.7}, [TemperatureLogitsWarper(0.7)]),
        ({"temperature": 1.0, "top_k": 7}, [TopKLogitsWarper(7)]),
        ({"temperature": 1.0, "top_p": 0.8}, [TopPLogitsWarper(0.8)]),
        ({"temperature": 1.0, "min_p": 0.1}, [MinPLogitsWarper(0.1)]),
        (
            {"temperature": 1.6, "top_k": 20, "top_p": 0.9, "min_p": 0.05},
            [TemperatureLogitsWarper(1.6), TopKLogitsWarper(20), TopPLogitsWarper(0.9), MinPLogitsWarper(0.05)],
        ),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_the_steps_and_their_order_are_those_of_transformers(words: dict[str, float], theirs: list[object]) -> None:
    scores = torch.randn(50, 200, generator=torch.Generator().manual_seed(0)) * 3
    config = GenerationConfig.read("generate", words)
    ours = scores
    for warp in warpers(config, config.heat("decoder")):
        ours = warp(ours)
    assert torch.equal(ours, LogitsProcessorList(theirs)(torch.zeros(50, 1, dtype=torch.long), scores))


def test_the_penalty_is_that_of_transformers() -> None:
    scores = torch.randn(8, 50, generator=torch.Generator().manual_seed(0))
    tokens = torch.randint(0, 50, (8, 12), generator=torch.Generator().manual_seed(1))
    seen = torch.zeros(8, 50, dtype=torch.bool).scatter(1, tokens, True)
    assert torch.equal(penalise(scores, seen, 1.3), RepetitionPenaltyLogitsProcessor(1.3)(tokens, scores))


# Above these a table of 1 to 9 free classes is as unlikely as 1 in 1,000 (quantiles of the chi-square distribution).
RARE = {1: 10.828, 2: 13.816, 3: 16.266, 4: 18.467, 5: 20.515, 6: 22.458, 7: 24.322, 8: 26.124, 9: 27.877}


@pytest.mark.parametrize(
    "words",
    [{"temperature": 1.0}, {"temperature": 0.6}, {"temperature": 2.0, "top_k": 6}, {"temperature": 1.0, "top_p": 0.7}],
    ids=str,
)
def test_tokens_are_drawn_as_often_as_the_distribution_says(words: dict[str, float]) -> None:
    config = GenerationConfig.read("generate", {**words, "seed": 5})
    row = torch.tensor([[0.3, 1.9, -1.2, 0.8, 0.0, 1.1, -0.5, 2.2, -2.0, 0.6]])
    draws = 20_000
    chooser = Chooser(config, "decoder", torch.tensor([4]), [0])
    counts = torch.zeros(10)
    for _ in range(draws):
        counts[chooser.choose(row)] += 1
    expected = chooser.allowed(row)
    for warp in warpers(config, config.heat("decoder")):
        expected = warp(expected)
    expected = expected.softmax(-1)[0] * draws
    possible = expected > 0
    assert counts[~possible].sum() == 0
    assert not possible[4]
    distance = float(((counts - expected).square() / expected)[possible].sum())
    assert distance < RARE[int(possible.sum()) - 1], distance


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    scores = torch.zeros(1, 1000)

    def drawn(seed: int, row: int) -> list[int]:
        chooser = Chooser(GenerationConfig(temperature=1.0, seed=seed), "decoder", NOTHING, [row])
        return [int(chooser.choose(scores)) for _ in range(8)]

    assert drawn(0, 0) == drawn(0, 0)
    assert len({tuple(drawn(seed, row)) for seed in (0, 1, 2**63 - 1) for row in (0, 1)}) == 6


def test_a_token_without_probability_is_never_drawn_even_at_the_ends() -> None:
    scores = torch.tensor([[OUT, 0.0, OUT, 0.0, OUT]])

    class Fixed(torch.Generator):
        pass

    for value in (0.0, 1 - 2.0**-53, 0.5, 0.4999999):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch, "rand", lambda *_, value=value, **__: torch.tensor([value], dtype=torch.float64))
            assert int(draw(scores, [Fixed()])) in (1, 3)


def test_draws_do_not_depend_on_the_library_s_global_state() -> None:
    chooser = Chooser(GenerationConfig(temperature=1.0), "decoder", NOTHING, [0])
    torch.manual_seed(0)
    first = [int(chooser.choose(torch.zeros(1, 100))) for _ in range(4)]
    chooser = Chooser(GenerationConfig(temperature=1.0), "decoder", NOTHING, [0])
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert [int(chooser.choose(torch.zeros(1, 100))) for _ in range(4)] == first
    assert torch.equal(torch.get_rng_state(), state)
