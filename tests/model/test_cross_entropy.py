"""Projection and cross-entropy in one operation: the same loss and gradients as one after the other."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from osnowa.model import cross_entropy
from osnowa.model.attention import softcap
from osnowa.model.cross_entropy import IGNORED, projected_cross_entropy

ASKED, WIDTH, VOCABULARY = 23, 8, 31


def inputs(dtype: torch.dtype, bias: bool) -> tuple[list[Tensor], Tensor]:
    """Leaves that want gradients, and labels."""
    generator = torch.Generator().manual_seed(3)
    shapes = [(ASKED, WIDTH), (VOCABULARY, WIDTH), *([(VOCABULARY,)] if bias else [])]
    leaves = [torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in shapes]
    return leaves, torch.randint(0, VOCABULARY, (ASKED,), generator=generator)


def plain(leaves: list[Tensor], labels: Tensor, smoothing: float, cap: float | None) -> Tensor:
    logits = softcap(F.linear(leaves[0], leaves[1], leaves[2] if len(leaves) > 2 else None), cap)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return F.cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing, ignore_index=IGNORED)


def fused(leaves: list[Tensor], labels: Tensor, smoothing: float, cap: float | None) -> Tensor:
    filled = bool((labels == IGNORED).any())
    bias = leaves[2] if len(leaves) > 2 else None
    return projected_cross_entropy(leaves[0], leaves[1], bias, labels, smoothing=smoothing, cap=cap, filled=filled)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("cap", [None, 1.5])
@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize(("block", "piece"), [(1 << 20, 1 << 20), (7 * VOCABULARY, 3 * VOCABULARY), (1, 1)])
@pytest.mark.parametrize("powers_of_two", [False, True])
def test_loss_and_gradients_are_those_of_one_operation_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
    bias: bool,
    smoothing: float,
    cap: float | None,
    filled: bool,
    block: int,
    piece: int,
    powers_of_two: bool,
) -> None:
    monkeypatch.setattr(cross_entropy, "has_mkls_slower_kernels", lambda: powers_of_two)
    monkeypatch.setattr(cross_entropy, "BLOCK_NUMBERS", block)
    monkeypatch.setattr(cross_entropy, "SLICE_NUMBERS", piece)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    leaves, labels = inputs(torch.float64, bias)
    if filled:
        labels[[0, 4, ASKED - 1]] = IGNORED
    expected, found = plain(leaves, labels, smoothing, cap), fused(leaves, labels, smoothing, cap)
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    for one, other in zip(
        torch.autograd.grad(expected / 7, leaves), torch.autograd.grad(found / 7, leaves), strict=True
    ):
        torch.testing.assert_close(other, one, rtol=1e-11, atol=1e-13)


def test_in_bfloat16_the_sums_are_those_of_float32() -> None:
    leaves, labels = inputs(torch.bfloat16, bias=True)
    expected, found = plain(leaves, labels, 0.0, None), fused(leaves, labels, 0.0, None)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    for one, other in zip(torch.autograd.grad(expected, leaves), torch.autograd.grad(found, leaves), strict=True):
        assert other.dtype == torch.bfloat16
        assert float((other - one).float().norm() / one.float().norm()) < 2**-7


def test_nothing_asked_is_no_loss_and_no_gradient() -> None:
    leaves, labels = inputs(torch.float32, bias=False)
    loss = projected_cross_entropy(leaves[0][:0], leaves[1], None, labels[:0])
    assert loss.item() == 0
    assert not torch.autograd.grad(loss, leaves[1])[0].any()


def test_second_derivatives_are_refused() -> None:
    leaves, labels = inputs(torch.float64, bias=False)
    (first,) = torch.autograd.grad(fused(leaves, labels, 0.0, None), leaves[:1], create_graph=True)
    with pytest.raises(RuntimeError):
        torch.autograd.grad(first.sum(), leaves[0])


def test_a_label_that_is_all_but_impossible_has_its_true_loss_and_gradient() -> None:
    hidden = torch.tensor([[1.0], [0.5], [1.0]], requires_grad=True)
    weight = torch.tensor([[0.0], [200.0], [-150.0]], requires_grad=True)
    labels = torch.tensor([2, 1, 0])
    loss = projected_cross_entropy(hidden, weight, None, labels)
    expected = plain([hidden, weight], labels, 0.0, None)
    assert loss.item() == pytest.approx(550.0)
    for one, other in zip(
        torch.autograd.grad(expected, (hidden, weight)), torch.autograd.grad(loss, (hidden, weight)), strict=True
    ):
        torch.testing.assert_close(other, one)


def test_the_share_of_the_whole_is_not_rounded_before_gradients_are() -> None:
    """One over the number asked is no number of bfloat16."""
    leaves, labels = inputs(torch.bfloat16, bias=True)
    whole = torch.autograd.grad(fused(leaves, labels, 0.0, None), leaves)
    share = torch.autograd.grad(fused(leaves, labels, 0.0, None) / 613, leaves)
    for all_of_it, part in zip(whole, share, strict=True):
        assert torch.equal(part, (all_of_it.double() * float(torch.tensor(1 / 613))).to(torch.bfloat16))


def test_as_many_logits_are_bent_at_once_as_each_threads_cache_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    for slower, numbers in ((False, 1 << 19), (True, 1 << 20)):
        monkeypatch.setattr(cross_entropy, "has_mkls_slower_kernels", lambda slower=slower: slower)
        assert cross_entropy.slice_numbers(2) == numbers
