"""Attention by blocks, as a GPU trains: hidden vectors and gradients are those of the masks that everything else uses."""

from __future__ import annotations

import pytest
import torch

from compiled_cases import packed
from osnowa.model.mask import Added, blocks, visible
from small_models import LENGTH, random_model, random_rows, shrink
from unchecked import unchecked


@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("window", [None, 3])
def test_blocks_and_masks_follow_one_rule(prefix: bool, causal: bool, window: int | None) -> None:
    layout = packed(prefix)
    made = blocks(layout, layout, causal, window).mask
    row, q, k = torch.meshgrid(torch.arange(2), torch.arange(LENGTH), torch.arange(LENGTH), indexing="ij")
    found = made.mask_mod(row, torch.zeros_like(row), q, k)
    assert torch.equal(found, visible(layout, layout, causal, window)[:, 0])


def test_every_family_without_trained_biases_says_and_learns_the_same_by_blocks() -> None:
    found = unchecked("blocks")
    assert {"llama-tiny", "gemma2-tiny", "gpt3-tiny", "modernbert-tiny", "bert-tiny", "bart-tiny"} <= found.keys()
    for preset, shares in found.items():
        assert len(shares) > 10, preset
        worst = max(shares, key=lambda name: shares[name])
        assert shares[worst] < 1e-5, (preset, worst)  # some of its sums are float32's


def test_held_out_text_is_still_asked_by_masks() -> None:
    model = random_model(shrink("llama-tiny"), dtype=torch.float32).eval()
    tokens, _, _ = random_rows(model.config, rows=2)
    model.look_by_blocks()
    masks = model.decoder.surroundings(model.embedding(tokens), packed(), None, None)[0]
    assert all(isinstance(mask, Added) for mask in masks.values())
