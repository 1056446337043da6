"""An embedding under several names, and what a folder says twice: one of them is enough, and two must agree."""

from __future__ import annotations

import pytest
import torch

from foreign_folder import ForeignPairs, refusal, same_as
from osnowa.exchange import read_folder
from osnowa.exchange.families import FAMILIES

SHARED = {"bart": "model.shared.weight", "t5": "shared.weight", "marian": "model.shared.weight"}


@pytest.mark.parametrize("kind", SHARED)
def test_second_copies_of_the_embedding_are_fine_when_equal(kind: str, request: pytest.FixtureRequest) -> None:
    folder: ForeignPairs = request.getfixturevalue(kind)
    names = FAMILIES[kind].second_names({"tie_embeddings": True})
    assert len(names) == 3
    folder.change_weights(lambda w: w.update({name: w[SHARED[kind]].clone() for name in names}))
    assert same_as(read_folder(folder.path), folder)
    assert read_folder(folder.path).notes == ()


@pytest.mark.parametrize("kind", SHARED)
@pytest.mark.parametrize("place", ["encoder.embed_tokens", "decoder.embed_tokens", "lm_head"])
def test_the_embedding_is_found_under_any_of_its_names_and_a_copy_that_differs_is_refused(
    kind: str, place: str, request: pytest.FixtureRequest
) -> None:
    folder: ForeignPairs = request.getfixturevalue(kind)
    (name,) = [each for each in FAMILIES[kind].second_names({"tie_embeddings": True}) if place in each]
    folder.change_weights(lambda w: w.update({name: w.pop(SHARED[kind])}))
    assert same_as(read_folder(folder.path), folder)
    folder.change_weights(lambda w: w.update({SHARED[kind]: w[name] + 1}))
    assert f"{name} is not equal to {SHARED[kind]}; osnowa ties these two" in refusal(folder.path)


def test_a_projection_of_its_own_needs_no_equal_embedding_but_the_other_names_do(gated: ForeignPairs) -> None:
    assert same_as(read_folder(gated.path), gated)
    gated.change_weights(lambda w: w.update({"decoder.embed_tokens.weight": w["lm_head.weight"].clone()}))
    assert "decoder.embed_tokens.weight is not equal to shared.weight" in refusal(gated.path)


def test_what_the_newer_library_says_of_its_own_projection_is_understood(gated: ForeignPairs) -> None:
    gated.set_keys(tie_word_embeddings=True, scale_decoder_outputs=False)
    assert same_as(read_folder(gated.path), gated)
    gated.set_keys(scale_decoder_outputs=...)
    assert "lm_head.weight is not equal to shared.weight" in refusal(gated.path)


def test_tables_that_follow_from_the_settings_are_not_read(marian: ForeignPairs, t5: ForeignPairs) -> None:
    marian.change_weights(lambda w: w.update({"model.encoder.embed_positions.weight": torch.zeros(24, 32)}))
    assert same_as(read_folder(marian.path), marian)
    unused = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    t5.change_weights(lambda w: w.update({unused: torch.zeros(32, 4)}))
    assert same_as(read_folder(t5.path), t5)
