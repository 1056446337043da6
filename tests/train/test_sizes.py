"""Batches of few sizes ask and teach the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from osnowa.data import Place
from osnowa.model.cross_entropy import IGNORED
from osnowa.objective import Batch, ObjectiveConfig
from osnowa.train.loop import Trainer
from osnowa.train.sizes import MULTIPLE, fill, round_up
from small_training import make_trainer


def first_batch(trainer: Trainer) -> Batch:
    """The first micro-batch, at the size that it has by itself."""
    batch, _ = trainer.drawn.take(Place(), trainer.micro_rows)
    return batch


def check_equal(trainer: Trainer, batch: Batch, filled: Batch) -> None:
    """The same counts, losses and gradients."""
    assert (filled.num_asked, filled.num_pairs, filled.num_tokens) == (
        len(batch.labels),
        len(batch.first),
        batch.num_tokens,
    )
    assert (filled.labels == IGNORED).sum() == len(filled.labels) - len(batch.labels)
    trainer.model.double()
    one, other = (trainer.objective.outcome(trainer.model, each) for each in (batch, filled))
    assert other.token_loss.item() == pytest.approx(one.token_loss.item(), rel=1e-12)
    assert other.next_sentence_loss.item() == pytest.approx(one.next_sentence_loss.item(), rel=1e-12)
    gradients = [
        torch.autograd.grad(each.token_loss + each.next_sentence_loss, list(trainer.model.parameters()))
        for each in (one, other)
    ]
    for left, right in zip(*gradients, strict=True):
        torch.testing.assert_close(right, left, rtol=1e-9, atol=1e-12)


def test_a_batch_is_filled_with_rows_and_answers_that_do_not_count() -> None:
    trainer = make_trainer()
    batch = first_batch(trainer)
    filled = fill(batch, 24, trainer.objective.config)
    assert filled.tokens.shape == (6, 32), "a quarter of the most rows"
    assert len(filled.labels) == len(filled.selected) == 6 * round(0.3 * 32)
    assert len(filled.first) == len(filled.is_next) == 6
    check_equal(trainer, batch, filled)


def asking(number: int) -> Batch:
    """Four rows of 32 places that ask so much."""
    batch = first_batch(make_trainer())
    return replace(batch, labels=torch.zeros(number, dtype=torch.long), selected=torch.zeros(number, dtype=torch.long))


@pytest.mark.parametrize(("asked", "expected"), [(1, 16), (16, 16), (17, 32), (127, 128), (128, 128)])
def test_where_any_number_is_asked_the_size_is_a_few_eighths_of_the_places(asked: int, expected: int) -> None:
    assert len(fill(asking(asked), 4, ObjectiveConfig(name="next-token")).labels) == expected


def test_whole_words_hide_any_number_and_fill_eighths_of_their_share() -> None:
    config = ObjectiveConfig(mask_share=0.3, whole_words=True)
    assert [len(fill(asking(number), 4, config).labels) for number in (3, 39, 41)] == [5, 40, 45]


@pytest.mark.parametrize(("rows", "expected"), [(1, 2), (2, 2), (3, 4), (7, 8), (8, 8)])
def test_rows_are_filled_up_to_quarters(rows: int, expected: int) -> None:
    trainer = make_trainer(batch_rows=rows, micro_rows=rows)
    assert len(fill(first_batch(trainer), 8, trainer.objective.config).tokens) == expected


def test_on_a_processor_answers_are_filled_up_to_a_multiple_and_rows_are_not() -> None:
    trainer = make_trainer()
    batch = first_batch(trainer)
    filled = round_up(batch)
    assert len(batch.labels) % MULTIPLE > 0, "it would not be seen here"
    assert len(batch.first)
    assert len(filled.labels) == -(-len(batch.labels) // MULTIPLE) * MULTIPLE
    assert len(filled.first) == MULTIPLE
    assert torch.equal(filled.tokens, batch.tokens)
    check_equal(trainer, batch, filled)


@pytest.mark.parametrize("number", [0, MULTIPLE])
def test_a_multiple_stays_as_it_is(number: int) -> None:
    assert len(round_up(asking(number)).labels) == number


def test_batches_of_a_training_on_a_processor_have_few_sizes() -> None:
    trainer, place, own, seen = make_trainer(batch_rows=7, micro_rows=3), Place(), set[int](), set[int]()
    for step in range(1, 20):
        own.add(len(trainer.drawn.take(place, 3)[0].labels))
        batches, place = trainer.draw(step, place)
        seen.update(number for each in batches for number in (len(each.labels), len(each.first)))
    assert len(own) > 1
    assert all(number % MULTIPLE == 0 for number in seen)
