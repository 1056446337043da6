"""Multi-head attention: queries look at keys and take a weighted sum of values."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from osnowa.model.cache import LayerCache
from osnowa.model.config import ModelConfig
from osnowa.model.dropout import Dropout
from osnowa.model.heads import heads_of, split_heads
from osnowa.model.joined import Joined
from osnowa.model.linear import Linear
from osnowa.model.mask import Added, Blocks, plain
from osnowa.model.module import Module
from osnowa.model.norm import build_norm
from osnowa.model.places import Places
from osnowa.model.position import Rotation
from osnowa.model.tap import Tap
from osnowa.model.weighted_sum import weighted_sum

# Longest row for which step-by-step products beat the fused kernel in training on a CPU: forward and backward in bf16
# take 11.9 ms against 50.0 at 128 tokens and 56 against 132 at 1,024 (2 Zen 5 cores).
LONGEST_STEPWISE = 1024
# Keys and values of an encoder's vectors.
Remembered = tuple[Float[Tensor, "batch kv_head memory d_head"], Float[Tensor, "batch kv_head memory d_head"]]


class Attention(Module):
    """Attention of x over itself, or across to a memory (Vaswani et al. 2017, section 3.2).

    `query`, `key`, `value` are the matrices Wq, Wk, Wv of all heads side by side, `output` is W0.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.head_width
        self.query = Linear(config.d_model, config.num_heads * width, bias=config.attention_bias)
        self.key = Linear(config.d_model, config.kv_heads * width, bias=config.attention_bias)
        self.value = Linear(config.d_model, config.kv_heads * width, bias=config.attention_bias)
        self.output = Linear(config.num_heads * width, config.d_model, bias=config.attention_bias)
        self.query_norm = build_norm(config, config.qk_norm, width)
        self.key_norm = build_norm(config, config.qk_norm, width)
        self.normed = config.qk_norm
        self.d_head, self.cap = width, config.attention_softcap
        self.dropout = Dropout(config.dropout if config.attention_dropout is None else config.attention_dropout)
        self.scale = width**-0.5 if config.attention_scale is None else config.attention_scale
        self.scores, self.weights = Tap("batch head query key"), Tap("batch head query key")
        self.context = Tap("batch head query d_head")
        self.joined: Joined | None = None

    def forward(
        self,
        x: Float[Tensor, "batch query d_model"],
        mask: Float[Tensor, "#batch _ query key"] | Added | Blocks | None,
        rotate: Rotation,
        cache: LayerCache | None = None,
        places: Places | None = None,
    ) -> Float[Tensor, "*query d_model"]:
        """Self-attention. `cache` holds the keys and values of earlier tokens; those of x are added to it.

        With `places` the result is of these queries alone: [place, d_model].
        """
        queries = None if places is None or cache is not None or self.shown else places.queries
        if queries is not None and not isinstance(mask, Blocks):
            q = self.query_norm(split_heads(self.query(queries.of(x)), self.d_head))
            k, v = heads_of(x, (self.key, self.value), self.d_head)
            every = plain(mask)
            seen = None if every is None else queries.along(every)
            return self.look(rotate.along(queries)(q), rotate(self.key_norm(k)), v, seen, queries.slots)
        q, k, v = self.project(x, rotate)
        if cache is not None:
            k, v = cache.append(k, v)
        return self.look(q, k, v, mask, None if places is None else places.flat)

    @property
    def shown(self) -> bool:
        """Whether somebody looks at the queries or at what comes of them, and so expects all."""
        return any(each.watched for each in (self.query, self.scores, self.weights, self.context))

    def project(self, x: Float[Tensor, "batch query d_model"], rotate: Rotation) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values "batch head seq d_head", the first two normalised and turned.

        One product gives all three where they are joined; then queries and keys that no norm parts are turned together.
        """
        if self.joined is None or self.joined.watched:
            q, k, v = heads_of(x, (self.query, self.key, self.value), self.d_head)
            return rotate(self.query_norm(q)), rotate(self.key_norm(k)), v
        heads = split_heads(self.joined(x), self.d_head)
        sizes = [size // self.d_head for size in self.joined.sizes]
        if self.normed:
            q, k, v = torch.split_with_sizes(heads, sizes, dim=1)
            return rotate(self.query_norm(q)), rotate(self.key_norm(k)), v
        asking, v = torch.split_with_sizes(heads, [sizes[0] + sizes[1], sizes[2]], dim=1)
        q, k = torch.split_with_sizes(rotate(asking), sizes[:2], dim=1)
        return q, k, v

    def join(self, *, turned: bool) -> None:
        """For a model that is only asked: one product gives queries, keys and values."""
        self.joined = Joined((self.query, self.key, self.value), turned=turned)

    def look_across(
        self,
        x: Float[Tensor, "batch query d_model"],
        memory: Remembered,
        mask: Float[Tensor, "batch 1 query memory"] | Blocks | None,
        places: Places | None = None,
    ) -> Float[Tensor, "*query d_model"]:
        """Cross-attention to what `remember` made of the memory; without order."""
        k, v = memory
        q = self.query_norm(split_heads(self.query(x), self.d_head))
        return self.look(q, k, v, mask, None if places is None else places.flat)

    def look(
        self,
        q: Float[Tensor, "batch head query d_head"],
        k: Float[Tensor, "batch kv_head key d_head"],
        v: Float[Tensor, "batch kv_head key d_head"],
        mask: Float[Tensor, "#batch _ query key"] | Added | Blocks | None,
        chosen: Int[Tensor, " place"] | None = None,
    ) -> Float[Tensor, "*query d_model"]:
        """The weighted sums of all heads side by side, through W0; computed as exactly as the keys were kept.

        Those of all queries, or of the `chosen` ones of all rows: [place, d_model].
        """
        dtype = q.dtype
        if isinstance(mask, Blocks):
            context = self.by_blocks(q, k, v, mask)
        else:
            known = Added(mask) if isinstance(mask, Tensor) else mask
            added = plain(known)
            if k.dtype != dtype:
                q, added = q.to(k.dtype), None if added is None else added.to(k.dtype)
            if not self.stepwise(q):
                context = self.fused(q, k, v, added)
            elif known is not None and self.at_once(q, k, known):
                context = weighted_sum(q, k, v, known, self.scale)
            else:
                context = self.attend(q, k, v, added)
        side_by_side = self.context(context).transpose(1, 2).flatten(2)
        if chosen is not None:
            side_by_side = side_by_side.flatten(0, 1).index_select(0, chosen)
        return self.output(side_by_side.to(dtype))

    def fused(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Float[Tensor, "batch head query d_head"]:
        """The same by the library's one kernel."""
        return F.scaled_dot_product_attention(
            q,
            k,
            v,
            mask,
            self.dropout.share if self.training else 0.0,
            scale=self.scale,
            enable_gqa=q.size(1) != k.size(1),
        )

    def by_blocks(self, q: Tensor, k: Tensor, v: Tensor, mask: Blocks) -> Float[Tensor, "batch head query d_head"]:
        """The same by flex_attention for a BlockMask; no dropout."""
        from torch.nn.attention.flex_attention import flex_attention

        cap = self.cap
        bend = None if cap is None else lambda score, *_: softcap(score, cap)
        found: Tensor = flex_attention(
            q,
            k,
            v,
            bend,
            mask.mask,
            self.scale,
            enable_gqa=q.size(1) != k.size(1),
            # not the kernel for decoding, which fewer than 128 queries would get and some numbers of heads break
            kernel_options={"FORCE_USE_FLEX_ATTENTION": True},
        )
        return found

    def stepwise(self, q: Float[Tensor, "batch head query d_head"]) -> bool:
        """Each step on its own: when somebody looks, where scores are capped, and on a CPU where it is faster.

        It is not for a single query without gradients: 47 us over 64 keys, fused 20.
        """
        if self.scores.watched or self.weights.watched or self.cap is not None:
            return True
        single = q.size(2) == 1 and not torch.is_grad_enabled()
        return q.device.type == "cpu" and q.size(2) <= LONGEST_STEPWISE and not single

    def at_once(self, q: Tensor, k: Tensor, mask: Added) -> bool:
        """Whether the steps may be one operation: in training, where nothing is looked at, bent, left out or shared."""
        return (
            torch.is_grad_enabled()
            and not torch.compiler.is_compiling()
            and not (self.scores.watched or self.weights.watched)
            and self.cap is None
            and not (self.training and self.dropout.share)
            and (mask.bias is not None or not mask.mask.requires_grad)
            and mask.mask.dtype == q.dtype
            and q.size(1) == k.size(1)
        )

    def attend(
        self,
        q: Float[Tensor, "batch head query d_head"],
        k: Float[Tensor, "batch kv_head key d_head"],
        v: Float[Tensor, "batch kv_head key d_head"],
        mask: Float[Tensor, "#batch _ query key"] | None,
    ) -> Float[Tensor, "batch head query d_head"]:
        """softmax(q k^T x scale + mask) v, one named tensor at a time."""
        sharing = (*k.shape[:2], -1)  # heads that share keys one below the other: keys and values are not copied
        scores = (q if self.scale == 1.0 else q * self.scale).reshape(*sharing, self.d_head) @ k.transpose(-2, -1)
        scores = softcap(scores.view(*q.shape[:3], -1), self.cap)
        scores = self.scores(scores if mask is None else scores + mask)
        weights = self.dropout(self.weights(scores.softmax(-1)))
        return (weights.reshape(*sharing, k.size(2)) @ v).view(q.shape)


def remember(memory: Float[Tensor, "batch memory d_model"], layers: Sequence[Attention]) -> list[Remembered]:
    """The memory's keys and values for the cross-attention of each of `layers`; in training one product for all of them.

    (A step of t5-mini is 2 to 3 % shorter so, on two cores with AMX.)
    """
    parts = [part for each in layers for part in (each.key, each.value)]
    made = heads_of(memory, parts, layers[0].d_head)
    return [(each.key_norm(k), v) for each, k, v in zip(layers, made[::2], made[1::2], strict=True)]


def softcap(x: Tensor, cap: float | None) -> Tensor:
    """cap x tanh(x / cap) (Gemma 2, section 2); x itself without a cap."""
    return x if cap is None else cap * torch.tanh(x / cap)
