"""The learning rate warms up, then does what its schedule says, and is spent at the end."""

from __future__ import annotations

import itertools

import pytest

from osnowa.train.schedules import SCHEDULES, learning_rate_factor


def factors(schedule: str, steps: int = 100, warmup: int = 10, decay_share: float = 0.4) -> list[float]:
    return [
        learning_rate_factor(step, steps=steps, warmup=warmup, schedule=schedule, decay_share=decay_share)  # type: ignore[arg-type]
        for step in range(1, steps + 1)
    ]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_rate_rises_through_the_warm_up_and_is_nearly_spent_at_the_last_step(schedule: str) -> None:
    found = factors(schedule)
    assert found[:10] == pytest.approx([step / 11 for step in range(1, 11)])
    assert found[10] == pytest.approx(1.0)
    assert 0 < found[-1] < 0.03


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_after_the_warm_up_the_rate_never_rises(schedule: str) -> None:
    found = factors(schedule)[10:]
    assert all(later <= earlier for earlier, later in itertools.pairwise(found))


def test_wsd_stays_at_the_top_until_the_decay_share_of_the_whole_run_is_left() -> None:
    found = factors("wsd")
    assert found[10:60] == pytest.approx([1.0] * 50)
    assert found[62] < 1.0


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_runs_have_a_rate_above_zero(schedule: str, steps: int) -> None:
    assert all(0 < each <= 1 for each in factors(schedule, steps=steps, warmup=0))


def test_linear_and_cosine_are_half_way_down_in_the_middle() -> None:
    for schedule in ("linear", "cosine"):
        assert learning_rate_factor(51, steps=100, warmup=0, schedule=schedule, decay_share=1) == pytest.approx(0.5)  # type: ignore[arg-type]
