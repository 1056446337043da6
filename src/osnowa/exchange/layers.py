"""Settings that differ from layer to layer: written out for each, and as the shortest list that repeats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from osnowa.exchange.keys import Keys
from osnowa.model import ModelConfig

T = TypeVar("T")
FULL, SLIDING = "full_attention", "sliding_attention"
_MOST_LAYERS = 1024


def by_layer(values: Sequence[T], config: ModelConfig) -> list[T]:
    """What layer i has of a setting that repeats."""
    return [values[layer % len(values)] for layer in range(max(config.encoder_layers, config.decoder_layers))]


def shortest(values: Sequence[T]) -> tuple[T, ...]:
    """The shortest beginning that, repeated, gives all `values`."""
    for length in range(1, len(values)):
        if all(value == values[place % length] for place, value in enumerate(values)):
            return tuple(values[:length])
    return tuple(values)


def one_window(config: ModelConfig) -> int | None:
    """The window of the layers that have one, the first if there are several; None: no layer has."""
    return next((each for each in by_layer(config.windows, config) if each is not None), None)


def layer_kinds(config: ModelConfig) -> list[str]:
    """`layer_types`: which layers have a window."""
    return [FULL if each is None else SLIDING for each in by_layer(config.windows, config)]


def read_kinds(keys: Keys, num_layers: int, every: int) -> list[str]:
    """`layer_types`, or layers every - 1, 2 every - 1 ... without a window and the others with one."""
    kinds = keys.words("layer_types", (FULL, SLIDING))
    if kinds is not None and len(kinds) != num_layers:
        keys.errors.append(f"layer_types has {len(kinds)} entries for {num_layers} layers")
    if kinds is None and 0 < num_layers <= _MOST_LAYERS:  # another number is an error of its own
        kinds = [SLIDING if (layer + 1) % max(every, 1) else FULL for layer in range(num_layers)]
    return kinds or []
