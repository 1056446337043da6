"""The suggested size is the largest that the text can teach, and what was assumed is said."""

from __future__ import annotations

import pytest

from osnowa.runs.presets import PRESETS
from osnowa.runs.recipe import Recipe
from osnowa.runs.suggestion import MOST_EPOCHS, TOKENS_PER_PARAMETER, in_words, sizes_of, suggest


def suggestion(tokens: int, preset: str = "llama-mini", operations: float = 1e11) -> dict[str, object]:
    return suggest(Recipe.build(preset=preset), 4096, 4 * tokens, tokens, operations)


def test_more_text_suggests_a_larger_size_of_the_same_family() -> None:
    found = [suggestion(tokens)["preset"] for tokens in (100_000, 20_000_000, 60_000_000, 10**9)]
    assert found == ["llama-tiny", "llama-mini", "llama-small", "llama-medium"]


def test_the_size_keeps_both_rules() -> None:
    found = suggestion(60_000_000)
    assert found["limit"] == "rule"
    assert found["tokens"] == TOKENS_PER_PARAMETER * int(str(found["parameters"]))
    assert float(str(found["epochs"])) <= MOST_EPOCHS


def test_a_tiny_text_gets_the_smallest_size_for_a_few_epochs_and_is_told() -> None:
    found = suggestion(50_000)
    assert (found["preset"], found["limit"], found["epochs"]) == ("llama-tiny", "text", MOST_EPOCHS)
    assert found["tokens"] == MOST_EPOCHS * 50_000
    assert "More text would help" in in_words(found)[0]
    assert "More text would help" not in in_words(suggestion(60_000_000))[0]


def test_a_machine_twice_as_fast_takes_half_the_time() -> None:
    slow, fast = (float(str(suggestion(60_000_000, operations=speed)["minutes"])) for speed in (1e11, 2e11))
    assert slow == pytest.approx(2 * fast, rel=0.01)


def test_the_vocabulary_follows_the_text() -> None:
    few, many = (int(str(suggestion(tokens)["vocab_size"])) for tokens in (500_000, 25_000_000))
    assert (few, many) == (4096, 16384)


def test_what_is_assumed_is_said_with_its_sources() -> None:
    found = suggestion(1_000_000)
    told = in_words(found)[-1]
    assert "20 tokens for each parameter (Hoffmann et al. 2022" in told
    assert "Muennighoff et al. 2023" in told
    assert len(list(found["assumed"])) == 3  # type: ignore[call-overload]


@pytest.mark.parametrize("preset", ["encoder-mini", "gpt3-350m", "t5-v1.1-xl", "mixtral-8x7b"])
def test_every_family_has_sizes_for_one_machine(preset: str) -> None:
    sizes = sizes_of(preset)
    assert len(sizes) >= 3
    assert set(sizes) <= set(PRESETS)
    assert sizes[0].endswith("-tiny")
