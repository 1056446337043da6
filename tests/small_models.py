"""Every preset shrunk to a size that tests can afford, and weights that leave no part of a model without effect."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

import texts
from osnowa import files
from osnowa.exchange import write_folder
from osnowa.exchange.families import choose_family
from osnowa.exchange.family import SpecialIds, parameter_shapes
from osnowa.model import Layout, ModelConfig, Transformer
from osnowa.runs.presets import resolve
from osnowa.tokenizer import Tokenizer, TokenizerConfig, train

VOCABULARY, LENGTH = 97, 24
IDS = SpecialIds(pad=0, cls=1, sep=2)


def shrink(preset: str, **changes: object) -> ModelConfig:
    """The preset's architecture with small numbers in the place of large ones; what follows from a size follows."""
    published = ModelConfig.read("model", resolve(preset).sections["model"])
    layers, heads = max(3, len(published.windows)), min(published.num_heads, 4)
    d_model: int = 8 * heads
    plain = published.head_width * published.num_heads == published.d_model
    small: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "max_positions": LENGTH,
        "encoder_layers": min(published.encoder_layers, layers),
        "decoder_layers": min(published.decoder_layers, layers),
        "num_heads": heads,
        "num_kv_heads": published.num_kv_heads and max(1, heads * published.num_kv_heads // published.num_heads),
        "d_model": d_model,
        "d_head": published.d_head and (8 if plain else 12),
        "d_ff": 4 * d_model if published.d_ff == 4 * published.d_model else 20 * heads,
        "windows": tuple(each and min(each, 5) for each in published.windows),
        "num_experts": min(published.num_experts, 4),
    }
    if published.rotary_stretch is not None:
        small["rotary_stretch"] = (*published.rotary_stretch[:3], 16.0)
    if published.attention_scale == published.head_width**-0.5:
        small["attention_scale"] = (8 if plain else 12) ** -0.5
    for name in ("embedding_scale", "logit_scale"):
        power = {published.d_model**0.5: 0.5, published.d_model**-0.5: -0.5}.get(getattr(published, name))
        small |= {} if power is None else {name: d_model**power}
    return published.changed(**small | changes)


@torch.no_grad()
def random_model(config: ModelConfig, seed: int = 0, dtype: torch.dtype = torch.float64) -> Transformer:
    """Random weights everywhere, also in biases and norms: a part that is left out or mixed up shows."""
    model = Transformer(config).to(dtype).eval()
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        numbers = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.3
        parameter.copy_(numbers + 1 if "norm" in name and name.endswith("weight") else numbers)
    return model


def random_rows(
    config: ModelConfig, rows: int = 3, length: int = LENGTH, seed: int = 1
) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, segments and which places are real; each row but the first ends in padding."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(5, config.vocab_size, (rows, length), generator=generator)
    real = torch.arange(length)[None] < torch.tensor([length - 5 * row for row in range(rows)])[:, None]
    segments = (torch.arange(length) >= length // 3).long().expand(rows, length) * real
    return tokens * real, segments, real


def forward(model: Transformer, tokens: Tensor, layout: Layout, segments: Tensor | None = None) -> tuple[Tensor, ...]:
    """Hidden vectors, logits and, where there is the head, next-sentence logits of a whole batch.

    An encoder-decoder reads `tokens` and decodes `target_of(tokens)`, laid out alike; the hidden vectors are the decoder's.
    """
    topology = model.config.topology
    kinds = model.config.num_segments
    segments = None if segments is None or kinds == 0 else segments.clamp(max=kinds - 1)
    if topology == "decoder":
        hidden = model.decode(tokens, layout)
    elif topology == "encoder":
        hidden = model.encode(tokens, layout, segments)
    else:
        memory = model.encode(tokens, layout, segments)
        hidden = model.decode(target_of(model.config, tokens), layout, memory, layout)
    logits = model.head(hidden)
    return (hidden, logits) if model.next_sentence is None else (hidden, logits, model.next_sentence(hidden[:, 0]))


def learned(found: Sequence[Tensor], leaves: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Gradients of a sum in which each number counts for something else."""
    total = sum((each * torch.arange(1, each.numel() + 1).view_as(each).sin()).sum() for each in found)
    assert isinstance(total, Tensor)
    return torch.autograd.grad(total, leaves)


def target_of(config: ModelConfig, tokens: Tensor) -> Tensor:
    """What `forward` decodes after reading `tokens`: each the next entry of the vocabulary, so that parts go with parts."""
    return (tokens + 1) % config.vocab_size


def as_theirs(config: ModelConfig, tensors: dict[str, Tensor], names: Collection[str] = ()) -> dict[str, Tensor]:
    """Our tensors (weights or gradients) under the names that Hugging Face has for them, without the extra file.

    `names` are those of their own model, where these are not those of its files.
    """
    family = choose_family(config)
    present = {family.rename(name): name for name in names}
    entries = family.entries(config, parameter_shapes(config), present.keys())
    return {
        present.get(entry.theirs, entry.theirs): entry.pack(tensors)
        for entry in entries
        if entry.file != family.extra_file
    }


@functools.cache
def small_tokenizer(kind: Literal["wordpiece", "bpe", "unigram"] = "wordpiece") -> Tokenizer:
    """A tokenizer of the tests' own text."""
    return train(texts.documents(), TokenizerConfig(kind=kind, vocab_size=400))


def publish_model(
    folder: Path, model: Transformer, tokenizer: Tokenizer | None = None, card: str = "A card.\n"
) -> Path:
    """`model` as a published folder."""
    weights = {name: each.detach() for name, each in model.named_parameters()}
    with files.publish(folder, {"kind": "model"}) as work:
        write_folder(work, model.config, weights, tokenizer or small_tokenizer(), card=card)
    return folder


def distinct(names: Iterable[str], small: Callable[..., ModelConfig]) -> dict[str, ModelConfig]:
    """The presets as `small` makes them, without those that are another one then, but for epsilon and dropout."""
    found: dict[ModelConfig, str] = {}
    for name in names:
        found.setdefault(small(name, norm_eps=1e-5, dropout=0.0, feed_forward_dropout=0.0, balance_weight=0.0), name)
    return {name: config for config, name in found.items()}
