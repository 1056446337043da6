"""Rotary positions as config.json tells them: base, factor and stretch, in the keys of transformers 5 and of 4."""

from __future__ import annotations

from typing import Any, NamedTuple

from osnowa.exchange.family import Values
from osnowa.exchange.keys import Keys
from osnowa.exchange.layers import by_layer
from osnowa.model import ModelConfig

Stretch = tuple[float, float, float, float]
_KINDS = {"default": "default", "linear": "linear", "llama3": "llama3"}


class Rotation(NamedTuple):
    """How positions turn queries and keys in some layers."""

    base: float
    factor: float = 1.0
    stretch: Stretch | None = None


def rotation_of(config: ModelConfig, layer: int = 0) -> Rotation:
    """That of one layer."""
    bases, factors = config.rotary_bases, config.rotary_factors
    return Rotation(bases[layer % len(bases)], factors[layer % len(factors)], config.rotary_stretch)


def rotation_misfits(config: ModelConfig) -> list[str]:
    """What keeps a model from having one rotation for all layers, in words."""
    wrong = []
    if len(set(by_layer(config.rotary_bases, config))) > 1:
        wrong.append(f"one rotary base instead of {config.rotary_bases}")
    if len(set(by_layer(config.rotary_factors, config))) > 1:
        wrong.append(f"one rotary factor instead of {config.rotary_factors}")
    if config.rotary_stretch is not None:
        if set(config.rotary_factors) != {1.0}:
            wrong.append("rotary_factors = (1.0,) with rotary_stretch")
        if config.rotary_stretch[3] != int(config.rotary_stretch[3]):
            wrong.append("a whole number as the length in rotary_stretch")
    return wrong


def write_rotation(rotation: Rotation) -> Values:
    """rope_parameters of transformers 5."""
    kind: dict[str, Any] = {"rope_type": "default"}
    if rotation.factor != 1.0:
        kind = {"rope_type": "linear", "factor": rotation.factor}
    if rotation.stretch is not None:
        factor, low, high, length = rotation.stretch
        kind = {"rope_type": "llama3", "factor": factor, "low_freq_factor": low, "high_freq_factor": high}
        kind["original_max_position_embeddings"] = int(length)
    return {**kind, "rope_theta": rotation.base}


def write_rope(rotation: Rotation) -> Values:
    """Both spellings, for a model with one rotation."""
    return {"rope_parameters": write_rotation(rotation), **write_old_rope(rotation)}


def write_old_rope(rotation: Rotation) -> Values:
    """rope_theta and rope_scaling of transformers 4."""
    scaling = {key: value for key, value in write_rotation(rotation).items() if key != "rope_theta"}
    return {"rope_theta": rotation.base, "rope_scaling": None if scaling["rope_type"] == "default" else scaling}


def read_rope(keys: Keys, base: float) -> Values:
    """Our settings from either spelling; `base`: what the class has where nothing is said."""
    rotation = read_rotation(keys, keys.inner("rope_parameters"), base)
    return {
        "rotary_bases": (rotation.base,),
        "rotary_factors": (rotation.factor,),
        "rotary_stretch": rotation.stretch,
    }


def read_rotation(keys: Keys, rope: Keys, base: float, base_key: str = "rope_theta", scaled: bool = True) -> Rotation:
    """A rotation from `rope`, from the older `base_key` and, where `scaled`, from rope_scaling; they must agree."""
    keys.must_be("partial_rotary_factor", None, 1.0, 1)
    old = keys.number(base_key, base)
    rotation = _read(rope, old, keys)
    if base_key in keys.values and rotation.base != old:
        keys.errors.append(f"{base_key} = {old}, but rope_parameters says {rotation.base}")
    if not scaled:
        return rotation
    scaling = keys.inner("rope_scaling")
    if not scaling.values:
        return rotation
    older = _read(scaling, rotation.base, keys)
    if rope.values and older != rotation:
        keys.errors.append("rope_scaling is not what rope_parameters says")
    return older


def _read(rope: Keys, base: float, keys: Keys) -> Rotation:
    kind = rope.choice("rope_type", _KINDS, rope.choice("type", _KINDS, "default"))
    rope.must_be("partial_rotary_factor", None, 1.0, 1)
    base = rope.number("rope_theta", base)
    if kind == "default":
        return Rotation(base)
    factor = rope.number("factor")
    if kind == "linear":
        return Rotation(base, factor)
    low, high = rope.number("low_freq_factor"), rope.number("high_freq_factor")
    longest = keys.whole_or_none("max_position_embeddings", 1)
    return Rotation(base, 1.0, (factor, low, high, rope.number("original_max_position_embeddings", longest)))
