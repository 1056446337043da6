"""The whole model: embeddings, an encoder and/or a decoder stack of the same blocks, and heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from osnowa.model.ahead import Ahead
from osnowa.model.attention import Remembered, remember
from osnowa.model.block import Block
from osnowa.model.cache import Cache
from osnowa.model.config import ModelConfig
from osnowa.model.dropout import Dropout
from osnowa.model.feed_forward import Experts, balance_loss
from osnowa.model.head import LanguageModelHead, NextSentenceHead
from osnowa.model.mask import Added, Blocks, Layout, additive, blocks, visible
from osnowa.model.module import Module
from osnowa.model.norm import build_norm
from osnowa.model.places import Places
from osnowa.model.position import POSITIONS, Rotation
from osnowa.model.tap import Tap


class Embedding(Module):
    """Token plus segment vectors; the position is added in the stack, where order enters."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.token, self.scale = nn.Embedding(config.vocab_size, config.d_model), config.embedding_scale
        self.segment = nn.Embedding(config.num_segments, config.d_model) if config.num_segments else None

    def forward(
        self, tokens: Int[Tensor, "batch seq"], segments: Int[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq d_model"]:
        x: Tensor = self.token(tokens)
        if self.scale != 1.0:
            x = x * self.scale
        if self.segment is None:
            return x
        return x + self.segment(torch.zeros_like(tokens) if segments is None else segments)


class Stack(Module):
    """The encoder (causal=False) or the decoder (causal=True)."""

    def __init__(self, config: ModelConfig, num_layers: int, causal: bool, cross: bool = False) -> None:
        super().__init__()
        self.causal, self.windows, self.by_blocks = causal, config.windows, False
        self.position = POSITIONS[config.position](config, causal)
        self.embedded = Tap("batch seq d_model")
        self.input_norm = build_norm(config, config.input_norm)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            Block(config, cross, norm_in=config.first_norm or layer > 0) for layer in range(num_layers)
        )
        self.final_norm = build_norm(config, config.norm_placement != "post")

    def forward(
        self,
        x: Float[Tensor, "batch seq d_model"],
        layout: Layout,
        memory: Float[Tensor, "batch memory d_model"] | None = None,
        memory_layout: Layout | None = None,
        cache: Cache | None = None,
        places: Int[Tensor, " place"] | None = None,
    ) -> Float[Tensor, "*place d_model"]:
        """`x` are the tokens after those that `cache` remembers.

        With `places`, flat ones, the result is [place, d_model]: of the last block that nobody else looks at, their
        part alone is computed.
        """
        masks, memory_mask, rotations = self.surroundings(x, layout, memory_layout, cache)
        x = self.dropout(self.input_norm(self.embedded(self.position.embed(x, layout.positions))))
        remembered, last = self.remembered(memory, cache), len(self.blocks) - 1
        asked = None if places is None else Places.among(places, len(x), x.size(1))
        for i, block in enumerate(self.blocks):
            mask, rotate = masks[self.windows[i % len(self.windows)]], rotations[i % len(rotations)]
            own = None if cache is None else cache.layer(i)
            x = block(x, mask, rotate, remembered[i], memory_mask, own, asked if i == last else None)
        return self.final_norm(x)

    def remembered(self, memory: Tensor | None, cache: Cache | None) -> Sequence[Remembered | None]:
        """The memory's keys and values for each layer; a cache keeps them, since they never change."""
        if memory is None:
            return [None] * len(self.blocks)
        if cache is not None and cache.memory:
            return cache.memory
        made = remember(memory, [cast(Block, block).cross_attention for block in self.blocks])
        return made if cache is None else cache.keep(made)

    def surroundings(
        self, x: Tensor, layout: Layout, memory_layout: Layout | None, cache: Cache | None
    ) -> tuple[dict[int | None, Tensor | Added | Blocks | None], Tensor | Blocks | None, list[Rotation]]:
        """The mask of each window, the mask across to the memory, and how layers turn queries and keys."""
        keys = layout if cache is None else cache.extend(layout)
        if cache is not None and cache.planned is not None and x.size(1) == 1:
            if cache.ahead is None:
                cache.ahead = Ahead(cache.planned, self.position, self.windows, x.dtype)
                if memory_layout is not None and not bool(memory_layout.document_ids.all()):
                    cache.memory_mask = additive(visible(layout, memory_layout), x.dtype)
            stop = cache.length
            masks: dict[int | None, Tensor | Added | Blocks | None] = {
                window: cache.ahead.mask(window, stop) for window in cache.ahead.near
            }
            return masks, cache.memory_mask, cache.ahead.rotations(stop - 1)
        rotations = self.position.rotations(layout.positions, x.dtype)
        if self.by_blocks and self.training and cache is None:
            seen: dict[int | None, Tensor | Added | Blocks | None] = {
                w: blocks(layout, keys, self.causal, w) for w in set(self.windows)
            }
            return seen, None if memory_layout is None else blocks(layout, memory_layout), rotations
        if cache is None:  # positions go on by one in a document: where one may look, distances are those of places
            places = torch.arange(x.size(1), device=x.device)[None]
            bias = self.position.bias(places, places)
        else:
            bias = self.position.bias(layout.positions, keys.positions)
        full: dict[int | None, Tensor | Added | Blocks | None] = {
            w: additive(visible(layout, keys, self.causal, w), x.dtype, bias) for w in set(self.windows)
        }
        if cache is None:
            earlier = self.causal and layout.prefix is None
            full = {w: Added(mask, earlier, bias) for w, mask in full.items() if isinstance(mask, Tensor)}
        memory_mask = None if memory_layout is None else additive(visible(layout, memory_layout), x.dtype)
        return full, memory_mask, rotations


class Transformer(Module):
    """Encoder-only, decoder-only or encoder-decoder, by which layer counts the config gives."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config, self.embedding = config, Embedding(config)
        if config.encoder_layers:
            self.encoder = Stack(config, config.encoder_layers, causal=False)
        if config.decoder_layers:
            self.decoder = Stack(config, config.decoder_layers, causal=True, cross=config.encoder_layers > 0)
        self.head = LanguageModelHead(config, self.embedding.token)
        self.next_sentence = NextSentenceHead(config) if config.next_sentence else None

    def encode(
        self,
        tokens: Int[Tensor, "batch seq"],
        layout: Layout,
        segments: Int[Tensor, "batch seq"] | None = None,
        places: Int[Tensor, " place"] | None = None,
    ) -> Float[Tensor, "*place d_model"]:
        """The contextual matrix: one vector for each token, coloured by its row; or those of flat `places` alone."""
        return self.encoder(self.embedding(tokens, segments), layout, places=places)

    def decode(
        self,
        tokens: Int[Tensor, "batch seq"],
        layout: Layout,
        memory: Float[Tensor, "batch memory d_model"] | None = None,
        memory_layout: Layout | None = None,
        cache: Cache | None = None,
        places: Int[Tensor, " place"] | None = None,
    ) -> Float[Tensor, "*place d_model"]:
        """The decoder's hidden vectors, looking across to `memory` where there is an encoder.

        With a `cache` the tokens are those after the ones that it remembers, and it remembers these, too. With flat
        `places` the vectors of these alone.
        """
        return self.decoder(self.embedding(tokens), layout, memory, memory_layout, cache, places)

    def look_by_blocks(self) -> None:
        """In training, attention by torch's flex_attention, which skips what nobody sees; made for compiled steps."""
        for stack in self.children():
            if isinstance(stack, Stack):
                stack.by_blocks = True

    def balance_loss(self, real: Bool[Tensor, "batch seq"]) -> Float[Tensor, ""] | None:
        """How unequally busy the experts were in the last forward; None without experts. `real` is False at padding."""
        if not self.config.num_experts:  # asked in every step: no walk over all modules for nothing
            return None
        experts = [each for each in self.modules() if isinstance(each, Experts)]
        routed = [each.routed for each in experts if each.routed is not None]
        if not routed:
            return None
        counted = real.flatten().to(routed[0].dtype).repeat(len(routed))
        return balance_loss(torch.cat(routed), experts[0].chosen, counted)

    def parameter_count(self) -> int:
        """Numbers that are trained; a tied matrix counts once."""
        return sum(parameter.numel() for parameter in self.parameters())
