"""How many rows an update has: the same always, or growing to it; and what can't be."""

from __future__ import annotations

import pytest

from osnowa.errors import SettingsError
from osnowa.train.config import TrainingConfig
from small_training import make_trainer


def rows(steps: int, **settings: object) -> list[int]:
    config = TrainingConfig.read("training", {"batch_rows": 16, **settings})
    return [config.rows_at(step, steps) for step in range(1, steps + 1)]


def test_a_batch_grows_on_a_straight_line_and_stays() -> None:
    assert rows(4) == [16, 16, 16, 16]
    assert rows(10, ramp_share=0.6) == [4, 6, 8, 10, 12, 14, 16, 16, 16, 16]
    assert rows(4, ramp_share=0.5, ramp_rows=2) == [2, 9, 16, 16]
    assert rows(1, ramp_share=0.2) == [16]


@pytest.mark.parametrize("settings", [{"ramp_share": 0.5}, {"ramp_share": 1.0, "ramp_rows": 1}, {}])
def test_the_mean_is_that_of_the_steps(settings: dict[str, object]) -> None:
    config = TrainingConfig.read("training", {"batch_rows": 64, **settings})
    found = [config.rows_at(step, 400) for step in range(1, 401)]
    assert sum(found) / 400 == pytest.approx(config.mean_rows, rel=0.01)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"ramp_rows": 4},
            "training.ramp_rows = 4: has no effect with ramp_share = 0; give --training.ramp_share=0.3 too",
        ),
        (
            {"ramp_rows": 16, "ramp_share": 0.5},
            "training.ramp_rows = 16: is not fewer than batch_rows = 16; use at most 15",
        ),
    ],
)
def test_a_ramp_that_is_none_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        TrainingConfig.read("training", settings)
    assert str(caught.value) == message


def test_a_trainer_draws_as_many_rows_and_goes_on_where_it_was() -> None:
    settings = {"steps": 6, "batch_rows": 8, "ramp_share": 0.5, "ramp_rows": 2, "micro_rows": 3}
    trainer = make_trainer(**settings)
    taken = []
    for _ in range(6):
        batches, after = trainer.draw(trainer.state.step + 1, trainer.state.place)
        taken.append(sum(len(batch.tokens) for batch in batches))
        trainer.step()
        assert trainer.state.place == after
        if trainer.state.step == 2:
            saved = trainer.checkpoint()
            trainer = make_trainer(**settings)
            trainer.restore(saved)
    assert taken == [2, 4, 6, 8, 8, 8]
