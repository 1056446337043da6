"""Mini-batches drawn many at a time are, number by number, those drawn one at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from osnowa.data import Place, RowSequence, TokenSplit
from osnowa.model import ModelConfig
from osnowa.objective import Batch, Objective, ObjectiveConfig, build_objective
from osnowa.runs.work import placeholder
from osnowa.train import drawing
from osnowa.train.drawing import Batches
from small_training import split

LENGTH = 48
KINDS = {
    "masked-next-sentence": "encoder",
    "masked": "encoder",
    "sentence-order": "encoder",
    "next-token": "decoder",
    "prefix-lm": "decoder",
    "span-corruption": "encoder-decoder",
    "ul2": "encoder-decoder",
    "translation": "encoder-decoder",
}


def couples() -> TokenSplit:
    """Documents of two sentences."""
    made = split()
    return TokenSplit(made.tokens, made.sentences, np.arange(0, len(made.sentences), 2), made.num_bytes)


def made(name: str) -> tuple[Objective, RowSequence]:
    topology = KINDS[name]
    layers = {f"{side}_layers": 2 for side in topology.split("-")}
    model = ModelConfig.read("model", {"vocab_size": 300, "d_model": 16, "d_ff": 32, "num_heads": 2, **layers})
    config = ObjectiveConfig.read("objective", {"name": name})
    objective = build_objective(config, placeholder(model, config), seed=0, topology=topology, row_length=LENGTH)
    text = couples() if name == "translation" else split()
    return objective, RowSequence(text, objective.shape, LENGTH, 0, cls=1, sep=2, pad=0, room=objective.room)


def tensors(batch: Batch) -> list[Tensor]:
    found: list[Tensor] = []
    batch.map(lambda tensor: found.append(tensor) or tensor)
    return found


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("at_once", [1, 7 * LENGTH, 1 << 15])
def test_what_is_asked_does_not_depend_on_how_much_is_drawn_at_once(
    monkeypatch: pytest.MonkeyPatch, name: str, at_once: int
) -> None:
    monkeypatch.setattr(drawing, "PLACES_AT_ONCE", at_once)
    objective, rows = made(name)
    batches, place, told = Batches(objective, rows), Place(), 0
    for num_rows in np.random.default_rng(1).integers(1, 6, size=40).tolist():
        taken, after = rows.take(place, num_rows)
        expected, (found, then) = objective.batch(taken), batches.take(place, num_rows)
        assert after == then
        for one, other in zip(tensors(expected), tensors(found), strict=True):
            assert torch.equal(one, other)
        told, place = told + found.num_asked, after
    assert place.epoch > 0
    assert told > 0


def counted() -> tuple[Batches, RowSequence, list[int]]:
    """Masked batches, their rows, and a list of how many rows are drawn each time."""
    objective, rows = made("masked")
    drawn: list[int] = []
    draw = objective.batch
    objective.batch = lambda taken: drawn.append(len(taken.numbers)) or draw(taken)  # type: ignore[method-assign]
    return Batches(objective, rows), rows, drawn


def test_rows_are_drawn_once_until_somebody_asks_for_others() -> None:
    batches, rows, drawn = counted()
    place = Place()
    left = len(rows.plan(0))
    for _ in range(left // 4 - 2):
        _, place = batches.take(place, 4)
    assert drawn == [left // 4 * 4]
    again, _ = batches.take(Place(), 4)  # a rollback
    assert len(drawn) == 2
    assert torch.equal(again.tokens, batches.objective.batch(rows.take(Place(), 4)[0]).tokens)


def test_batches_of_unequal_parts_are_cut_from_what_was_drawn() -> None:
    batches, rows, drawn = counted()
    place = Place()
    for size in (4, 4, 3) * 2:
        _, place = batches.take(place, size)
    assert len(rows.plan(0)) > 24
    assert len(drawn) == 1
