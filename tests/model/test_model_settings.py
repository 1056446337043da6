"""Architectures that can't be are refused, with sizes that can."""

from __future__ import annotations

from typing import Any

import pytest

from osnowa.errors import SettingsError
from osnowa.model import ModelConfig

SMALL: dict[str, Any] = {"vocab_size": 32, "d_model": 12, "d_ff": 16, "num_heads": 3, "encoder_layers": 1}


def refusal(**changes: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        ModelConfig.read("model", {**SMALL, **changes})
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"num_heads": 5},
            "model.num_heads = 5: does not divide model.d_model = 12; use 1, 2, 3, 4, 6, 12",
        ),
        (
            {"encoder_layers": 0},
            "model.encoder_layers = 0: a model needs layers; give encoder_layers or decoder_layers",
        ),
        (
            {"position": "rotary", "d_head": 5},
            "model.d_head = 5: is odd, and rotary positions turn pairs; use an even width",
        ),
        (
            {"position": "rotary", "num_heads": 4},
            "model.d_head = 3: is odd, and rotary positions turn pairs; use an even width",
        ),
        (
            {"num_kv_heads": 2},
            "model.num_kv_heads = 2: does not divide model.num_heads = 3; use 1, 3",
        ),
        ({"windows": (0,)}, "model.windows = [0]: a window sees at least 1 token; use none for no window"),
        ({"windows": ()}, "model.windows = []: a window sees at least 1 token; use none for no window"),
        ({"rotary_bases": (1.0,)}, "model.rotary_bases = [1.0]: a base is a number above 1; use 10000"),
        (
            {"first_norm": False},
            "model.first_norm = false: needs norm_placement = pre and input_norm = true; leave it true",
        ),
        (
            {"rotary_stretch": (8.0, 4.0, 4.0, 8192.0)},
            "model.rotary_stretch = [8.0, 4.0, 4.0, 8192.0]: needs a factor and a length above 0, and a low bound from 0 "
            "below the high one; use 8, 1, 4, 8192",
        ),
        (
            {"position": "relative", "relative_furthest": 16},
            "model.relative_furthest = 16: is not beyond the 16 distances that have a kind of their own; use at least 17",
        ),
        ({"nrom": "rmsnorm"}, "model.nrom: no such setting; did you mean model.norm?"),
    ],
)
def test_one_line_says_what_is_wrong_and_what_would_be_right(changes: dict[str, Any], message: str) -> None:
    assert refusal(**changes) == message


def test_all_errors_come_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        ModelConfig.read("model", {**SMALL, "num_heads": 5, "num_kv_heads": 2, "windows": (0,), "rotary_bases": (0.5,)})
    assert [part.where for part in caught.value.parts] == [
        "model.num_heads = 5",
        "model.num_kv_heads = 2",
        "model.windows = [0]",
        "model.rotary_bases = [0.5]",
    ]


def test_what_is_not_given_is_derived() -> None:
    config = ModelConfig.read("model", SMALL)
    assert (config.head_width, config.kv_heads, config.topology) == (4, 3, "encoder")
    assert config.changed(d_head=6, num_kv_heads=1).head_width == 6
    assert config.changed(num_kv_heads=1).kv_heads == 1
    assert config.changed(decoder_layers=1).topology == "encoder-decoder"
    assert config.changed(encoder_layers=0, decoder_layers=1).topology == "decoder"


def test_a_window_can_be_given_as_the_word_none() -> None:
    assert ModelConfig.read("model", {**SMALL, "windows": ["none", 4]}).windows == (None, 4)
