"""Encoder-decoders shrunk to a size that tests can afford, pairs of rows for them, and their whole forward."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from osnowa.model import Layout, ModelConfig, Transformer
from osnowa.model.cache import Cache
from osnowa.runs.presets import PRESETS, resolve
from small_models import IDS, LENGTH, VOCABULARY

ENCODER_DECODERS = [
    name
    for name in PRESETS
    if resolve(name).sections["model"].get("decoder_layers", 0)
    and resolve(name).sections["model"].get("encoder_layers", 0)
]
SOURCE, TARGET = LENGTH - 3, LENGTH - 7


class Pairs(NamedTuple):
    """Sources and targets with padding behind all but the first; `real` is False there."""

    source: Tensor
    source_real: Tensor
    target: Tensor
    target_real: Tensor
    labels: Tensor


def shrink_pairs(preset: str, **changes: object) -> ModelConfig:
    """The preset's architecture with small numbers in the place of large ones; the two stacks differ in depth."""
    published = resolve(preset).sections["model"]
    heads = min(published["num_heads"], 4)
    width = 8 * heads
    small: dict[str, object] = {
        "vocab_size": VOCABULARY,
        "max_positions": LENGTH,
        "encoder_layers": 2,
        "decoder_layers": 3,
        "num_heads": heads,
        "d_model": width,
        "d_ff": 20 * heads,
    }
    if "d_head" in published:
        small["d_head"] = 6
    for scale, power in (("embedding_scale", 0.5), ("logit_scale", -0.5)):
        if published.get(scale, 1.0) != 1.0:
            assert published[scale] == published["d_model"] ** power
            small[scale] = width**power
    return ModelConfig.read("model", {**published, **small, **changes})


def random_pairs(config: ModelConfig, rows: int = 3, seed: int = 1) -> Pairs:
    """Each row but the first ends in padding, in the source and in the target; labels are -100 there."""
    generator = torch.Generator().manual_seed(seed)

    def make(length: int, shorter: int) -> tuple[Tensor, Tensor]:
        tokens = torch.randint(5, config.vocab_size, (rows, length), generator=generator)
        real = torch.arange(length)[None] < torch.tensor([length - shorter * row for row in range(rows)])[:, None]
        return tokens * real, real

    source, source_real = make(SOURCE, 4)
    target, target_real = make(TARGET, 3)
    target[:, 0] = IDS.bos
    labels = torch.cat((target[:, 1:], torch.full((rows, 1), IDS.eos)), 1)
    return Pairs(source, source_real, target, target_real, labels.masked_fill(~target_real, -100))


def forward_pairs(model: Transformer, pairs: Pairs) -> tuple[Tensor, Tensor, Tensor]:
    """The memory, the decoder's hidden vectors and the logits."""
    layout = Layout.plain(pairs.source, pairs.source_real)
    memory = model.encode(pairs.source, layout)
    hidden = model.decode(pairs.target, Layout.plain(pairs.target, pairs.target_real), memory, layout)
    return memory, hidden, model.head(hidden)


def decode_step_by_step(model: Transformer, pairs: Pairs) -> Tensor:
    """The decoder's hidden vectors, one token at a time with what was computed before remembered."""
    layout = Layout.plain(pairs.source, pairs.source_real)
    memory = model.encode(pairs.source, layout)
    whole, cache = Layout.plain(pairs.target, pairs.target_real), Cache(pairs.target.size(1))
    steps = []
    for at in range(pairs.target.size(1)):
        here = slice(at, at + 1)
        now = Layout(whole.positions[:, here], whole.document_ids[:, here])
        steps.append(model.decode(pairs.target[:, here], now, memory, layout, cache))
    return torch.cat(steps, 1)
