"""Settings of generation: ranges on both sides, and none without an effect."""

from __future__ import annotations

import math

import pytest

from osnowa.errors import SettingsError
from osnowa.generate.settings import GenerationConfig

WRONG = {
    "max_tokens": [-1, 0, 10**9, 1.5, True, "5", None],
    "temperature": [-0.1, 1e9, math.nan, math.inf, True, "hot", 0.001],
    "top_k": [-1, 0, 10**9, 2.5, True],
    "top_p": [-0.1, 0, 1.01, math.nan, math.inf, True],
    "min_p": [-0.1, 0, 1.01, math.nan, True],
    "repetition_penalty": [0, -1, 1e9, math.nan, math.inf, True, None],
    "stop": [("",), ("x" * 1001,), (1,), ("a",) * 65, 5],
    "beams": [0, -1, 257, 1.5, True],
    "length_penalty": [math.nan, math.inf, -math.inf, 6, -6, True],
    "seed": [-1, 2**63, 1.5, True],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_value_out_of_its_range_is_refused_by_name(name: str, value: object) -> None:
    beside = {"beams": 2} if name == "length_penalty" else {}
    with pytest.raises(SettingsError, match=name) as caught:
        GenerationConfig.read("generate", {name: value, **beside})
    assert len(caught.value.parts) == 1
    assert caught.value.what


@pytest.mark.parametrize(
    "values",
    [
        {"max_tokens": 1}, {"max_tokens": 1_048_576}, {"temperature": 0}, {"temperature": 0.01}, {"temperature": 100},
        {"top_k": 1}, {"top_p": 1e-9}, {"top_p": 1.0}, {"min_p": 1.0}, {"repetition_penalty": 0.5},
        {"stop": "one"}, {"stop": ["a", "b"]}, {"beams": 256}, {"beams": 2, "length_penalty": -5},
        {"seed": 2**63 - 1}, {"top_k": None}, {"temperature": None},
    ],
    ids=str,
)  # fmt: skip
def test_the_ends_of_each_range_are_taken(values: dict[str, object]) -> None:
    GenerationConfig.read("generate", values)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"temperature": 0, "top_k": 5}, "top_k = 5: has no effect with temperature = 0"),
        ({"temperature": 0, "top_p": 0.5}, "top_p = 0.5: has no effect with temperature = 0"),
        ({"beams": 4, "min_p": 0.5}, "min_p = 0.5: has no effect with beams"),
        ({"beams": 4, "temperature": 0.7}, "temperature = 0.7: 4 beams draw nothing"),
        ({"length_penalty": 2.0}, "length_penalty = 2: has no effect with beams = 1"),
        ({"max_token": 4}, "did you mean generate.max_tokens?"),
    ],
)
def test_a_setting_without_an_effect_is_refused(values: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        GenerationConfig.read("generate", values)
    assert says in str(caught.value)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        GenerationConfig.read("generate", {"max_tokens": 0, "seed": -1, "top_p": 2})
    assert len(caught.value.parts) == 3


def test_the_temperature_follows_from_the_topology_when_none_is_given() -> None:
    assert GenerationConfig().heat("decoder") == 0.8
    assert GenerationConfig().heat("encoder-decoder") == 0
    assert GenerationConfig(beams=2).heat("decoder") == 0
    assert GenerationConfig(temperature=0).heat("decoder") == 0
    assert GenerationConfig(temperature=1.5).heat("encoder-decoder") == 1.5
