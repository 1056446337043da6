"""One layer: attention and feed-forward, each inside the same Add & Norm."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from osnowa.model.attention import Attention, Remembered
from osnowa.model.cache import LayerCache
from osnowa.model.config import ModelConfig
from osnowa.model.dropout import Dropout
from osnowa.model.feed_forward import build_feed_forward
from osnowa.model.mask import Added, Blocks
from osnowa.model.module import Module
from osnowa.model.norm import build_norm
from osnowa.model.places import Places
from osnowa.model.position import Rotation
from osnowa.model.tap import Tap


class Residual(Module):
    """Add & Norm: norm_after(x + norm_out(f(norm_in(x)))); norms that the placement does not use are the identity."""

    def __init__(self, config: ModelConfig, norm_in: bool = True) -> None:
        super().__init__()
        self.norm_in = build_norm(config, config.norm_placement != "post" and norm_in)
        self.norm_out = build_norm(config, config.norm_placement == "sandwich")
        self.norm_after = build_norm(config, config.norm_placement == "post")
        self.dropout = Dropout(config.dropout)
        self.added = Tap("batch seq d_model")

    def forward(
        self,
        x: Float[Tensor, "*seq d_model"],
        sublayer: Callable[[Tensor], Tensor],
        places: Places | None = None,
    ) -> Float[Tensor, "*place d_model"]:
        """With `places`, `sublayer` gives no others."""
        change = self.norm_out(sublayer(self.norm_in(x)))
        if places is not None:
            x = x.flatten(0, 1).index_select(0, places.flat)
        return self.norm_after(self.added(x + self.dropout(change)))


class Block(Module):
    """Self-attention, cross-attention where there is a memory to look across, and the feed-forward network."""

    def __init__(self, config: ModelConfig, cross: bool = False, norm_in: bool = True) -> None:
        super().__init__()
        self.attention, self.attention_residual = Attention(config), Residual(config, norm_in)
        if cross:
            self.cross_attention, self.cross_residual = Attention(config), Residual(config)
        self.feed_forward, self.feed_forward_residual = build_feed_forward(config), Residual(config)

    def forward(
        self,
        x: Float[Tensor, "batch seq d_model"],
        mask: Float[Tensor, "#batch _ seq key"] | Added | Blocks | None,
        rotate: Rotation,
        memory: Remembered | None = None,
        memory_mask: Float[Tensor, "batch 1 seq memory"] | Blocks | None = None,
        cache: LayerCache | None = None,
        places: Places | None = None,
    ) -> Float[Tensor, "*place d_model"]:
        """`memory`: its keys and values for this layer. `cache`: what self-attention remembers.

        With `places` what comes after the last look at other places is computed for these alone.
        """
        kept = places if memory is None else None
        x = self.attention_residual(x, lambda h: self.attention(h, mask, rotate, cache, kept), kept)
        if memory is not None:
            x = self.cross_residual(
                x, lambda h: self.cross_attention.look_across(h, memory, memory_mask, places), places
            )
        return self.feed_forward_residual(x, self.feed_forward)
