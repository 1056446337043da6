"""The tensors of a file in their order: sizes and types first, numbers when their turn comes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from torch import Tensor

from osnowa.exchange.family import parameter_shapes
from osnowa.exchange.gguf.header import NumberType, Plan
from osnowa.exchange.gguf.shape import Shape
from osnowa.model import ModelConfig

# Small matrices that llama.cpp takes as float32, besides all vectors.
_EXACT = ("position_embd.weight", "token_types.weight", "ffn_gate_inp.weight")


def plan_tensors(
    shape: Shape, config: ModelConfig, weights: Mapping[str, Tensor], number_type: NumberType
) -> list[Plan]:
    """Every tensor of the file, in its order; `weights` are those of a model of this config."""
    shapes = parameter_shapes(config)
    given = {name: tuple(each.shape) for name, each in weights.items()}
    assert given == dict(shapes), f"weights of another model: {sorted(given.items() ^ shapes.items())[:5]}"
    plans = []
    for entry in shape.entries(config, shapes):
        parts = [shapes[name] for name in entry.ours]
        size = (sum(part[0] for part in parts), *parts[0][1:])
        if entry.name == "position_embd.weight":
            size = (config.max_positions, config.d_model)
        exact = len(size) == 1 or entry.name.endswith(_EXACT)
        plans.append(Plan(entry.name, size, "f32" if exact else number_type, partial(entry.build, weights, config)))
    computed = {} if shape.computed is None else shape.computed(config)
    return plans + [
        Plan(name, tuple(each.shape), "f32", partial(Tensor.clone, each)) for name, each in computed.items()
    ]
