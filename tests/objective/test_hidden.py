"""What an encoder learns: the masked and the next-sentence loss, their sums over micro-batches, and that both can be learned."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from example_rows import MASK, SPECIAL_IDS, VOCAB_SIZE, rows_of, take, uneven_rows
from torch import Tensor

from osnowa.data import NOT_ASKED, Rows
from osnowa.data.plan import Shape
from osnowa.model import ModelConfig, Transformer, initialise
from osnowa.objective import Batch, HiddenTokens, ObjectiveConfig, Vocabulary

NAMES = {"masked": "single", "masked-next-sentence": "pair"}


def objective(vocab_size: int = VOCAB_SIZE, **changes: object) -> HiddenTokens:
    vocabulary = Vocabulary(vocab_size, 0, 1, 2, MASK, SPECIAL_IDS, np.arange(vocab_size) % 3 == 0)
    return HiddenTokens(ObjectiveConfig.read("objective", changes), vocabulary, seed=1)


def tiny_model(dtype: torch.dtype = torch.float64, vocab_size: int = VOCAB_SIZE, **changes: object) -> Transformer:
    values = {
        "vocab_size": vocab_size,
        "d_model": 32,
        "d_ff": 64,
        "num_heads": 2,
        "encoder_layers": 2,
        "max_positions": 128,
        "norm_placement": "pre",
        "num_segments": 2,
        "input_norm": True,
        "head_transform": True,
        "head_bias": True,
        "next_sentence": True,
    }
    model = Transformer(ModelConfig.read("model", {**values, **changes}))
    initialise(model, 0)
    return model.to(dtype)


def test_a_batch_says_what_is_shown_what_is_hidden_and_what_stood_there() -> None:
    rows = take(40)
    batch = objective().batch(rows)
    shown, truth = batch.tokens.numpy().ravel(), rows.tokens.ravel()
    hidden = np.zeros(truth.shape, dtype=bool)
    hidden[batch.selected.numpy()] = True
    assert hidden.sum() == len(batch.labels) > 300
    assert np.array_equal(batch.labels.numpy(), truth[hidden])
    assert np.array_equal(shown[~hidden], truth[~hidden])
    assert 0.7 < (shown[hidden] == MASK).mean() < 0.9
    assert np.array_equal(batch.segments.numpy(), rows.segments)
    assert np.array_equal(batch.layout.positions.numpy(), rows.positions)
    assert np.array_equal(batch.layout.document_ids.numpy(), rows.document_ids)
    assert np.array_equal(batch.first.numpy(), rows.first)
    assert np.array_equal(batch.is_next.numpy(), rows.is_next)
    assert batch.to(torch.device("cpu")).labels.tolist() == batch.labels.tolist()


def test_the_share_and_whole_words_of_the_settings_are_kept() -> None:
    rows = take(40)
    ordinary = int((~rows.special).sum())
    for share in (0.15, 0.4):
        assert len(objective(mask_share=share).batch(rows).labels) / ordinary == pytest.approx(share, abs=0.01)
    words, tokens = (objective(whole_words=whole).batch(rows).selected.tolist() for whole in (True, False))
    continues = objective().vocabulary.continues_word[rows.tokens.ravel()]
    inside = [place for place in range(rows.tokens.size) if continues[place] and not rows.special.ravel()[place - 1]]
    for selected, torn in ((set(words), False), (set(tokens), True)):
        assert any((place in selected) != (place - 1 in selected) for place in inside) == torn


def test_random_tokens_are_ordinary_ones_of_the_tokenizer_not_of_a_padded_vocabulary() -> None:
    batch = objective(vocab_size=150, mask_share=0.9).batch(take(300, vocab_size=150))
    assert batch.tokens.max() == 149
    assert set(objective().ordinary.tolist()) == set(range(VOCAB_SIZE)) - SPECIAL_IDS


def full_head_loss(model: Transformer, batch: Batch) -> Tensor:
    """The loss as it is written in most places: all logits, labels -100 where nothing is asked."""
    labels = torch.full((batch.tokens.numel(),), -100)
    labels[batch.selected] = batch.labels
    logits = model.head(model.encode(batch.tokens, batch.layout, batch.segments))
    return F.cross_entropy(logits.flatten(0, 1), labels, reduction="sum", ignore_index=-100)


def gradients(model: Transformer, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_the_masked_only_head_gives_the_loss_and_the_gradient_of_the_full_head() -> None:
    model, batch = tiny_model(), objective(name="masked").batch(take(12, shape="single"))
    ours, full = objective().outcome(model, batch).token_loss, full_head_loss(model, batch)
    assert ours.item() == pytest.approx(full.item(), rel=1e-12)
    one, other = gradients(model, ours), gradients(model, full)
    assert set(one) == set(other)
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-9, atol=1e-12)


def total_loss(model: Transformer, batches: list[Batch]) -> list[Tensor]:
    """The parts of the whole batch's loss, as a training step adds them up."""
    outcomes = [objective().outcome(model, batch) for batch in batches]
    num_asked, num_pairs = sum(o.num_asked for o in outcomes), max(1, sum(o.num_pairs for o in outcomes))
    return [o.token_loss / num_asked + o.next_sentence_loss / num_pairs for o in outcomes]


@pytest.mark.parametrize("sizes", [[1] * 12, [5, 7], [1, 1, 4, 6]])
def test_micro_batches_weighted_by_tokens_give_the_gradient_of_the_whole_batch(sizes: list[int]) -> None:
    model, whole = tiny_model(), objective().batch(uneven_rows(0, 12))
    borders = np.cumsum([0, *sizes]).tolist()
    parts = [objective().batch(uneven_rows(*border)) for border in pairwise(borders)]
    assert len({len(part.labels) / len(part.tokens) for part in parts}) > 1  # they ask unequally much
    assert len({len(part.first) / len(part.tokens) for part in parts}) > 1
    expected = gradients(model, total_loss(model, [whole])[0])
    model.zero_grad()
    for loss in total_loss(model, parts):
        loss.backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-9, atol=1e-13)


def test_the_next_sentence_loss_is_over_the_asked_pairs_alone() -> None:
    model, rows = tiny_model(), take(30)
    batch = objective().batch(rows)
    starts = np.flatnonzero(rows.tokens.ravel() == 1)
    assert 0 < len(batch.first) < len(starts)  # spans alone and unasked pairs begin with [CLS], too
    outcome = objective().outcome(model, batch, count_right=True)
    hidden = model.encode(batch.tokens, batch.layout, batch.segments).flatten(0, 1)
    assert model.next_sentence is not None
    losses = [
        F.cross_entropy(model.next_sentence(hidden[place][None]), label[None])
        for place, label in zip(batch.first, batch.is_next, strict=True)
    ]
    assert outcome.next_sentence_loss.item() == pytest.approx(sum(loss.item() for loss in losses), rel=1e-12)
    assert outcome.num_pairs == len(losses)
    verdicts = model.next_sentence(hidden[batch.first]).argmax(-1)
    assert outcome.pairs_right == int((verdicts == batch.is_next).sum())
    guesses = model.head(hidden[batch.selected]).argmax(-1)
    assert outcome.right == int((guesses == batch.labels).sum())
    assert objective().outcome(model, batch).right == 0  # counted only when asked


def test_no_pair_and_no_head_mean_no_next_sentence_loss() -> None:
    single, pair = objective(name="masked").batch(take(8, shape="single")), objective().batch(take(8))
    for model, batch in ((tiny_model(), single), (tiny_model(next_sentence=False), pair)):
        outcome = objective().outcome(model, batch, count_right=True)
        assert outcome.next_sentence_loss.item() == 0
        assert (outcome.num_pairs, outcome.pairs_right) == (0, 0)
        gradient = gradients(model, outcome.token_loss + outcome.next_sentence_loss)
        assert not any(name.startswith("next_sentence") for name in gradient)


def test_a_row_of_padding_alone_adds_nothing_and_nothing_is_no_nan() -> None:
    row, padding = [1, 9, 8, 7, 2, 0], [0] * 6
    special = [1, 0, 0, 0, 1, 1]
    model = tiny_model()
    alone = objective().outcome(model, objective().batch(rows_of([row], [special], [0])))
    with_padding = objective().outcome(model, objective().batch(rows_of([row, padding], [special, [1] * 6], [0, 1])))
    assert alone.token_loss.item() == pytest.approx(with_padding.token_loss.item(), rel=1e-12)
    assert alone.num_asked == with_padding.num_asked == 1
    nothing = objective().outcome(model, objective().batch(rows_of([padding], [[1] * 6], [0])), count_right=True)
    assert (nothing.token_loss.item(), nothing.num_asked, nothing.right) == (0, 0, 0)


def test_losses_of_half_precision_models_are_summed_in_float32() -> None:
    batch = objective().batch(take(60))
    exact = objective().outcome(tiny_model(torch.float64), batch)
    half = objective().outcome(tiny_model(torch.bfloat16), batch)
    assert half.token_loss.dtype == half.next_sentence_loss.dtype == torch.float32
    assert exact.token_loss.dtype == torch.float64
    assert half.token_loss.item() == pytest.approx(exact.token_loss.item(), rel=1e-3)


def learn(model: Transformer, batch: Batch, task: HiddenTokens, steps: int) -> tuple[float, float]:
    """Mean losses on one batch, after some steps or as soon as both are near zero."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0)
    masked = next_sentence = float("inf")
    for _ in range(steps):
        outcome = task.outcome(model, batch)
        means = outcome.token_loss / outcome.num_asked, outcome.next_sentence_loss / max(1, outcome.num_pairs)
        masked, next_sentence = (float(mean.detach()) for mean in means)
        if max(masked, next_sentence) < 0.05:
            break
        optimiser.zero_grad()
        sum(means).backward()
        optimiser.step()
    return masked, next_sentence


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("placement", ["pre", "post"])
def test_each_objective_drives_the_loss_on_one_batch_to_about_zero(name: str, placement: str) -> None:
    task = objective(name=name)
    shape: Shape = task.shape
    assert shape == NAMES[name]
    batch = task.batch(take(8, shape=shape, row_length=32))
    model = tiny_model(torch.float32, norm_placement=placement)
    masked, next_sentence = learn(model, batch, task, 150)
    assert masked < 0.05
    assert next_sentence < 0.05
    assert len(batch.first) >= (6 if name == "masked-next-sentence" else 0)


def test_unasked_pairs_have_no_label() -> None:
    rows: Rows = take(200)
    assert NOT_ASKED not in rows.is_next.tolist()
    assert set(rows.is_next.tolist()) == {0, 1}
