"""What each layer is like, as llama.cpp asks for it, and what it can't have: windows, rotations, scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from osnowa.exchange.gguf.shape import Check
from osnowa.model import ModelConfig

T = TypeVar("T")


def by_layer(values: Sequence[T], config: ModelConfig) -> list[T]:
    """What each layer has of a setting that repeats."""
    return [values[layer % len(values)] for layer in range(config.encoder_layers or config.decoder_layers)]


def window(config: ModelConfig) -> int:
    """The narrowest window of all layers; where there is none, the longest row, which is the same."""
    return min([each for each in by_layer(config.windows, config) if each is not None], default=config.max_positions)


def narrow_layers(config: ModelConfig) -> list[bool]:
    """Which layers have a window that is narrower than the longest row, and so has an effect."""
    return [each is not None and each < config.max_positions for each in by_layer(config.windows, config)]


def open_layer_every(config: ModelConfig, first: bool) -> int | None:
    """n where exactly the layers 0, n, 2n ... (or, unless `first`, n - 1, 2n - 1 ...) have no window; none: no such n."""
    windows = by_layer(config.windows, config)
    for n in range(1, len(windows) + 2):
        place = 0 if first else n - 1
        if all((each is None) == (layer % n == place) for layer, each in enumerate(windows)):
            return n
    return None


def rotations(config: ModelConfig) -> tuple[set[tuple[float, float]], set[tuple[float, float]]]:
    """(base, factor) of the layers with a window, and of those without."""
    layers = zip(
        by_layer(config.windows, config),
        by_layer(config.rotary_bases, config),
        by_layer(config.rotary_factors, config),
        strict=True,
    )
    kinds: tuple[set[tuple[float, float]], set[tuple[float, float]]] = (set(), set())
    for width, base, factor in layers:
        kinds[width is None].add((base, factor))
    return kinds


# --- what can't be ----------------------------------------------------------------------------------------------


def no_window(config: ModelConfig) -> list[str]:
    """llama.cpp ignores the windows of some architectures."""
    if not any(narrow_layers(config)):
        return []
    return [
        f"no windows, or none narrower than max_positions (llama.cpp ignores them here) instead of {window(config)}"
    ]


def one_window(config: ModelConfig) -> list[str]:
    widths = sorted({each for each in by_layer(config.windows, config) if each is not None})
    return [] if len(widths) == 1 else [f"one width of window instead of {widths or 'none'}"]


def one_rotation(config: ModelConfig) -> list[str]:
    near, far = rotations(config)
    return [] if len(near | far) == 1 else ["the same rotary base and factor in all layers"]


def rotation_of_each_kind(config: ModelConfig) -> list[str]:
    """Only layers without a window may have a factor."""
    near, far = rotations(config)
    wrong = len(near) > 1 or len(far) > 1 or any(factor != 1 for _, factor in near)
    return ["one rotary base for layers with a window, one base and factor for the others"] if wrong else []


def no_factor(config: ModelConfig) -> list[str]:
    factors = set(by_layer(config.rotary_factors, config))
    return [] if factors == {1.0} else [f"rotary_factors = [1] instead of {list(config.rotary_factors)}"]


def whole_width(config: ModelConfig) -> list[str]:
    """All heads have keys and values of their own, and side by side they are as wide as the stream."""
    wrong = []
    if config.kv_heads != config.num_heads:
        wrong.append(f"num_kv_heads = {config.num_heads} instead of {config.kv_heads}")
    if config.head_width * config.num_heads != config.d_model:
        wrong.append(f"d_head = d_model / num_heads instead of {config.head_width}")
    return wrong


def usual_scale(config: ModelConfig, width: float | None = None) -> list[str]:
    """Scores are multiplied by 1 / sqrt(width), of a head unless given."""
    wanted = (width or config.head_width) ** -0.5
    given = config.attention_scale or config.head_width**-0.5
    return [] if math.isclose(given, wanted, rel_tol=1e-6) else [f"attention_scale = {wanted:g} instead of {given:g}"]


def scale_by_depth(deepest: int) -> Check:
    """llama.cpp knows the size whose scale follows from d_model / num_heads by its number of layers."""

    def check(config: ModelConfig) -> list[str]:
        largest = config.decoder_layers == deepest
        return usual_scale(config, config.d_model // config.num_heads if largest else None)

    return check


def root_scaled_embedding(config: ModelConfig) -> list[str]:
    wanted = config.d_model**0.5
    if math.isclose(config.embedding_scale, wanted, rel_tol=1e-6):
        return []
    return [f"embedding_scale = {wanted:g}, the root of d_model, instead of {config.embedding_scale:g}"]
