"""Operations and parameters are those that can be counted by hand, for each topology."""

from __future__ import annotations

import pytest
import torch

from osnowa.model import ModelConfig, Transformer
from osnowa.objective import ObjectiveConfig
from osnowa.runs.preset_table import family_of, members, preset_rows
from osnowa.runs.presets import FAMILIES, PRESETS, resolve
from osnowa.runs.work import count_parameters, flops_per_token, row_shape

D, F, H, V, S = 8, 16, 2, 50, 16  # width, feed-forward, heads, vocabulary, row
ATTENTION, MLP = 4 * D * D, 2 * D * F


def config(**changes: object) -> ModelConfig:
    return ModelConfig.read("model", {"vocab_size": V, "d_model": D, "d_ff": F, "num_heads": H, **changes})


def objective(name: str, **changes: object) -> ObjectiveConfig:
    return ObjectiveConfig.read("objective", {"name": name, **changes})


def test_an_encoder_pays_for_the_head_and_what_follows_its_last_look_at_hidden_places_only() -> None:
    found = flops_per_token(config(encoder_layers=3), objective("masked", mask_share=0.25), S)
    unasked = 6 * 0.75 * (2 * D * D + MLP)  # queries, W0, feed-forward
    looks = 12 * D * (2 * S + 0.25 * S)
    assert found == round(6 * 3 * (ATTENTION + MLP) - unasked + looks + 6 * 0.25 * D * V)
    found = flops_per_token(config(encoder_layers=3), objective("masked", mask_share=0.75), S)
    unasked = 6 * 0.25 * (D * D + MLP)  # more than half are asked: all queries are made
    assert found == round(6 * 3 * (ATTENTION + MLP) - unasked + 12 * 3 * D * S + 6 * 0.75 * D * V)


def test_a_decoder_pays_for_the_head_everywhere_and_for_half_of_the_attention() -> None:
    found = flops_per_token(config(decoder_layers=3), objective("next-token"), S)
    assert found == 6 * 3 * (ATTENTION + MLP) + 6 * 3 * D * S + 6 * D * V


def test_a_decoder_that_tells_hidden_spans_makes_its_last_queries_for_the_target_only() -> None:
    model, task = config(decoder_layers=3, vocab_size=200), objective("span-corruption")
    shape = row_shape(model, task, S)
    assert 2 * shape.asked <= S
    asked = shape.asked / S
    unasked = 6 * (1 - asked) * (2 * D * D + MLP)
    looks = 12 * D * (2 + asked) * S / 2
    found = flops_per_token(model, task, S)
    assert found == round(6 * 3 * (ATTENTION + MLP) - unasked + looks + 6 * asked * D * 200)


def test_published_sizes_cost_what_others_count_for_them() -> None:
    rows = {row["name"]: row for row in preset_rows(["bert-base", "gpt2-124m"])}
    # what others count, and compute, of the last block: queries, W0, feed-forward, and the queries' looks
    unasked = 0.85 * (6 * (2 * 768 * 768 + 2 * 768 * 3072) + 12 * 768 * 128)
    assert round((rows["bert-base"]["flops_per_token"] + unasked) / 1e6) == 545
    assert round(rows["gpt2-124m"]["flops_per_token"] / 1e6) == 798


def test_a_window_makes_attention_cheaper_and_only_where_it_is() -> None:
    full = flops_per_token(config(decoder_layers=2), objective("next-token"), S)
    half = flops_per_token(config(decoder_layers=2, windows=[None, 4]), objective("next-token"), S)
    assert full - half == pytest.approx(12 * D * (S / 2 - (4 - 4 * 4 / (2 * S))), abs=1)


def test_an_encoder_decoder_pays_for_sources_and_targets() -> None:
    model = config(encoder_layers=2, decoder_layers=3)
    shape = row_shape(model, objective("translation"), S)
    assert (shape.encoder, shape.decoder, shape.asked) == (S, S, S)
    weights = S * 2 * (ATTENTION + MLP) + S * 3 * (ATTENTION + MLP) + 3 * (S * ATTENTION / 2 + S * ATTENTION / 2)
    looks = D * (2 * S * S + 3 * S * S / 2 + 3 * S * S)
    assert flops_per_token(model, objective("translation"), S) == round((6 * (weights + S * D * V) + 12 * looks) / 32)


def test_a_row_of_hidden_spans_is_as_long_as_its_source_and_its_target() -> None:
    model = config(encoder_layers=1, decoder_layers=1, vocab_size=200)
    shape = row_shape(model, objective("span-corruption"), 512)
    assert (shape.encoder, shape.decoder, shape.decoder_places) == (512, 114, 114)  # Raffel et al. 2020
    alone = row_shape(config(decoder_layers=1, vocab_size=200), objective("span-corruption"), 512)
    assert (alone.encoder, alone.decoder) == (0, 512)
    assert 0.1 < alone.asked / 512 < 0.25


def test_of_experts_only_the_chosen_ones_work() -> None:
    def model(experts: int, chosen: int) -> ModelConfig:
        return config(decoder_layers=1, feed_forward="glu", num_experts=experts, experts_per_token=chosen)

    two, three = (flops_per_token(model(4, chosen), objective("next-token"), S) for chosen in (2, 3))
    assert three - two == 6 * 3 * D * F
    more = flops_per_token(model(8, 2), objective("next-token"), S)
    assert more - two == 6 * 4 * D, "the router alone"


@pytest.mark.parametrize(
    "preset", ["bert-tiny", "encoder-mini", "gpt3-mini", "mixtral-tiny", "gemma3-mini", "t5-tiny", "bart-mini"]
)
def test_parameters_counted_by_layers_are_those_of_the_whole_model(preset: str) -> None:
    model = ModelConfig.read("model", resolve(preset).sections["model"])
    with torch.device("meta"):
        assert count_parameters(model) == Transformer(model).parameter_count()


def test_every_preset_is_in_the_table_of_its_family() -> None:
    listed = [name for family in FAMILIES for name in members(family)]
    assert sorted(listed) == sorted(PRESETS)
    assert {family_of(name) for name in PRESETS} == set(FAMILIES)


def test_a_family_s_name_shows_all_of_its_sizes_with_their_class() -> None:
    rows = preset_rows(["gpt3", "t5-small"])
    assert [row["name"] for row in rows] == [*members("gpt3"), "t5-small"]
    assert all(row["own_format"] for row in rows[:-1])
    assert (rows[-1]["class"], rows[-1]["own_format"]) == ("T5ForConditionalGeneration", False)
