"""The weights of a model that is only asked: as which numbers they are kept, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from osnowa.generate.int4 import Int4Linear
from osnowa.generate.int8 import Int8Linear
from osnowa.generate.packed import PackedLinear
from osnowa.generate.products import Replacement, replace
from osnowa.model import Transformer
from osnowa.model.block import Block
from osnowa.model.feed_forward import GatedFeedForward
from osnowa.model.joined import AskedLinear
from osnowa.model.linear import Linear

Weights = Literal["float", "bfloat16", "int8", "int4"]
# What stands in for the matrices on a processor.
PRODUCTS: dict[Weights, Callable[[Tensor, Tensor | None], Replacement]] = {
    "bfloat16": PackedLinear.of,
    "int8": Int8Linear.of,
    "int4": Int4Linear.of,
}


def make_ready(model: Transformer, weights: Weights = "float", device: str = "cpu") -> Transformer:
    """The same model, on `device`, with matrices as `weights` says, for who only asks it."""
    assert device == "cpu" or weights in ("float", "bfloat16"), f"{weights} on {device}"
    model.to(device, torch.bfloat16 if weights == "bfloat16" else torch.float32).eval()
    lay_out(model)
    if device == "cpu" and weights in PRODUCTS:
        replace(model, PRODUCTS[weights])
    return model


def lay_out(model: Transformer) -> None:
    """Join matrices that read the same input, and turn float32 matrices that are not deeper than wide.

    A matrix times one vector is as fast as its weights come from memory, and turned ones are read in longer runs. On
    an AVX2 machine 16,384 x 512 took 3.7 ms as it was and 1.9 ms turned, 2,048 x 512 took 0.52 and 0.30, 512 x 2,048
    the other way round 0.27 and 0.46, 512 x 512 took 0.19 and 0.16. In bfloat16 turned matrices were 10 to 20 times
    slower there, so these stay as they are, and so does everything on a GPU. Numbers and size are the same; training
    code wants its matrices contiguous, so this is for models that are only asked.
    """
    weight = model.embedding.token.weight
    if weight.device.type != "cpu":
        return
    turned = weight.dtype == torch.float32
    for module in model.modules():
        if isinstance(module, nn.Linear) and turned and module.out_features >= module.in_features:
            module.weight.data = module.weight.data.t().contiguous().t()
    for module in list(model.modules()):
        for name, layer in list(module.named_children()):
            if type(layer) is Linear:
                setattr(module, name, AskedLinear.of(layer))
    for module in model.modules():
        if isinstance(module, Block):
            module.attention.join(turned=turned)
            if isinstance(module.feed_forward, GatedFeedForward):
                module.feed_forward.join(turned=turned)
