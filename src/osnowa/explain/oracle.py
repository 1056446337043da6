"""The whole computation once more, in float64 NumPy from weights and config alone: a second opinion on every tensor.

Nothing of the model's code, of PyTorch or of the steps is used here; the two agree only where both are right.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osnowa.explain.oracle_order import Around, Named, Numbers

Made = Generator[tuple[str, Numbers], None, Numbers]
"""Tensors by name as they are computed, and at the end what the next part reads."""
HIDDEN = float(np.finfo(np.float32).min)
STACKS = {"enc": "encoder", "dec": "decoder"}


@dataclass(frozen=True)
class Input:
    """What one stack reads: ids, kinds of segment, and how many tokens at the beginning everyone may look at."""

    ids: Sequence[int]
    segments: Sequence[int]
    prefix: int = 0


class Oracle:
    """`config` are a model's settings by name, `weights` its parameters by name (without "w."), of any float type.

    `follow`: where it has the tensor behind an Add & Norm, the computation goes on from that one instead of its own.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        weights: Mapping[str, NDArray[Any]],
        follow: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        self.c, self.weights, self.follow = config, weights, follow or {}
        self.width: int = config["d_head"] or config["d_model"] // config["num_heads"]
        self.groups: int = config["num_kv_heads"] or config["num_heads"]
        self.hidden: dict[str, Numbers] = {}

    def tensors(self, inputs: Mapping[str, Input], asked: Sequence[int], *, head: bool, pair: bool) -> Named:
        """Every tensor by name, in an order in which it could be computed; heads for the `asked` places alone."""
        for side, given in inputs.items():
            yield from self.stack(side, given)
        if head:
            side = "dec" if "dec" in inputs else "enc"
            yield from self.vocabulary("next" if side == "dec" else "mlm", self.hidden[side][list(asked)])
        if pair and self.c["next_sentence"]:
            yield from self.verdict(self.hidden["enc"][0])

    def w(self, name: str) -> Numbers:
        return np.asarray(self.weights[name], dtype=np.float64)

    def matrix(self, x: Numbers, name: str) -> Numbers:
        found = np.einsum("...k,ok->...o", x, self.w(f"{name}.weight"), optimize=True)
        bias = f"{name}.bias"
        return found + self.w(bias) if bias in self.weights else found

    def normed(self, x: Numbers, name: str) -> Numbers:
        gain = self.w(f"{name}.weight")
        if self.c["norm"] == "rmsnorm":
            size = np.sqrt((x * x).sum(-1, keepdims=True) / x.shape[-1] + self.c["norm_eps"])
            return x / size * (gain + 1 if self.c["norm_offset"] else gain)
        centred = x - x.sum(-1, keepdims=True) / x.shape[-1]
        found = centred / np.sqrt((centred**2).sum(-1, keepdims=True) / x.shape[-1] + self.c["norm_eps"]) * gain
        bias = f"{name}.bias"
        return found + self.w(bias) if bias in self.weights else found

    def bent(self, x: Numbers) -> Numbers:
        """The non-linearity of the feed-forward network and of the head."""
        kind = self.c["activation"]
        if kind == "relu":
            return np.where(x > 0, x, 0.0)
        if kind == "silu":
            return x / (1 + np.exp(-np.clip(x, -700, None)))
        if kind == "gelu_tanh":
            return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x * x * x)))
        share = np.fromiter(map(math.erfc, (-x / math.sqrt(2)).ravel()), dtype=np.float64, count=x.size)
        return x * share.reshape(x.shape) / 2

    # --- input ----------------------------------------------------------------------------------------------------

    def stack(self, side: str, given: Input) -> Named:
        """All layers of the encoder or the decoder; its result is kept in `hidden`."""
        c, stack = self.c, STACKS[side]
        x = yield from self.embed(side, stack, given)
        table = self.w(f"{stack}.position.table.weight") if c["position"] == "relative" else None
        around = Around(c, self.width, side, given.ids, given.prefix, table)
        yield from around.tensors()
        for layer in range(c[f"{stack}_layers"]):
            prefix = f"{stack}.blocks.{layer}"
            pre = c["norm_placement"] != "post"
            first = pre and (c["first_norm"] or layer > 0)
            x = yield from self.attention(f"{side}.{layer}.attn", prefix, x, around, layer, first)
            if side == "dec" and "enc" in self.hidden:
                x = yield from self.attention(f"{side}.{layer}.cross", prefix, x, None, layer, pre)
            x = yield from self.feed_forward(f"{side}.{layer}.ffn", prefix, x, pre)
        if c["norm_placement"] != "post":
            x = self.normed(x, f"{stack}.final_norm")
        self.hidden[side] = x
        yield f"{side}.hidden", x

    def embed(self, side: str, stack: str, given: Input) -> Made:
        c, length = self.c, len(given.ids)
        x = np.stack([np.asarray(self.weights["embedding.token.weight"][i], dtype=np.float64) for i in given.ids])
        yield f"{side}.token", x
        if c["embedding_scale"] != 1.0:
            x = x * c["embedding_scale"]
            yield f"{side}.scaled", x
        if c["num_segments"]:
            segment = self.w("embedding.segment.weight")[list(given.segments)]
            yield f"{side}.segment", segment
            x = x + segment
        place = None
        if c["position"] == "learned":
            first = c["position_offset"]
            place = self.w(f"{stack}.position.table.weight")[first : first + length]
        elif c["position"] == "sinusoidal":
            half = c["d_model"] // 2
            angle = np.outer(np.arange(length), 10_000.0 ** (-np.arange(half) / half))
            place = np.hstack((np.sin(angle), np.cos(angle)))
        if place is not None:
            yield f"{side}.position", place
            x = x + place
        yield f"{side}.sum", x
        if c["input_norm"]:
            x = self.normed(x, f"{stack}.input_norm")
            yield f"{side}.input", x
        return x

    # --- layers ---------------------------------------------------------------------------------------------------

    def attention(self, at: str, prefix: str, x: Numbers, around: Around | None, layer: int, norm_in: bool) -> Made:
        """Self-attention, or across to the encoder where nothing is around (`around` is None)."""
        c = self.c
        own = f"{prefix}.attention" if around is not None else f"{prefix}.cross_attention"
        residual = f"{prefix}.attention_residual" if around is not None else f"{prefix}.cross_residual"
        inside = x
        if norm_in:
            inside = self.normed(x, f"{residual}.norm_in")
            yield f"{at}.in", inside
        memory = inside if around is not None else self.hidden["enc"]
        parts = {}
        for letter, name, source in (("q", "query", inside), ("k", "key", memory), ("v", "value", memory)):
            flat = self.matrix(source, f"{own}.{name}")
            part = np.stack(np.split(flat, flat.shape[1] // self.width, axis=1))
            yield f"{at}.{letter}", part
            if c["qk_norm"] and letter != "v":
                part = self.normed(part, f"{own}.{name}_norm")
                yield f"{at}.{letter}_norm", part
            if around is not None and c["position"] == "rotary" and letter != "v":
                part = around.turned(part, layer)
                yield f"{at}.{letter}_turned", part
            parts[letter] = part
        repeat = c["num_heads"] // self.groups
        keys, values = np.repeat(parts["k"], repeat, axis=0), np.repeat(parts["v"], repeat, axis=0)
        scores = np.einsum("hic,hjc->hij", parts["q"], keys, optimize=True)
        yield f"{at}.dots", scores
        scores = scores * (c["attention_scale"] or 1 / math.sqrt(self.width))
        yield f"{at}.scaled", scores
        if c["attention_softcap"]:
            scores = np.tanh(scores / c["attention_softcap"]) * c["attention_softcap"]
            yield f"{at}.capped", scores
        if around is not None:
            if around.bias is not None:
                scores = scores + around.bias
                yield f"{at}.biased", scores
            seen = around.seen(layer)
            if not seen.all():
                scores = np.where(seen[None], scores, HIDDEN)
                yield f"{at}.masked", scores
        power = np.exp(scores - scores.max(-1, keepdims=True))
        weights = power / power.sum(-1, keepdims=True)
        yield f"{at}.weights", weights
        context = np.einsum("hij,hjc->hic", weights, values, optimize=True)
        yield f"{at}.context", context
        joined = np.hstack(list(context))
        yield f"{at}.joined", joined
        change = self.matrix(joined, f"{own}.output")
        yield f"{at}.out", change
        return (yield from self.add_and_norm(at, residual, x, change))

    def feed_forward(self, at: str, prefix: str, x: Numbers, norm_in: bool) -> Made:
        c, own, residual = self.c, f"{prefix}.feed_forward", f"{prefix}.feed_forward_residual"
        inside = x
        if norm_in:
            inside = self.normed(x, f"{residual}.norm_in")
            yield f"{at}.in", inside
        if c["num_experts"]:
            change = yield from self.experts(at, own, inside)
        elif c["feed_forward"] == "glu":
            gate, up = self.matrix(inside, f"{own}.gate"), self.matrix(inside, f"{own}.up")
            yield f"{at}.gate", gate
            yield f"{at}.up", up
            act = self.bent(gate)
            yield f"{at}.act", act
            yield f"{at}.gated", act * up
            change = self.matrix(act * up, f"{own}.down")
        else:
            up = self.matrix(inside, f"{own}.up")
            yield f"{at}.up", up
            act = self.bent(up)
            yield f"{at}.act", act
            change = self.matrix(act, f"{own}.down")
        yield f"{at}.down", change
        return (yield from self.add_and_norm(at, residual, x, change))

    def experts(self, at: str, own: str, inside: Numbers) -> Made:
        """Each token through its best few networks, weighted by the router's probabilities among these."""
        logits = self.matrix(inside, f"{own}.router")
        yield f"{at}.router", logits
        routed = np.exp(logits - logits.max(-1, keepdims=True))
        routed /= routed.sum(-1, keepdims=True)
        yield f"{at}.routed", routed
        gate, up, down = (self.w(f"{own}.{name}") for name in ("gate", "up", "down"))
        change = np.zeros_like(inside)
        for token, shares in enumerate(routed):
            best = np.argsort(-shares, kind="stable")[: self.c["experts_per_token"]]
            for expert in best:
                within = self.bent(gate[expert] @ inside[token]) * (up[expert] @ inside[token])
                change[token] += shares[expert] / shares[best].sum() * (down[expert] @ within)
        return change

    def add_and_norm(self, at: str, residual: str, x: Numbers, change: Numbers) -> Made:
        placement = self.c["norm_placement"]
        if placement == "sandwich":
            change = self.normed(change, f"{residual}.norm_out")
            yield f"{at}.out_norm", change
        total, last = x + change, f"{at}.sum"
        yield last, total
        if placement == "post":
            total, last = self.normed(total, f"{residual}.norm_after"), f"{at}.after"
            yield last, total
        return np.asarray(self.follow.get(last, total), dtype=np.float64)

    # --- heads ----------------------------------------------------------------------------------------------------

    def vocabulary(self, at: str, x: Numbers) -> Named:
        c = self.c
        if c["head_transform"]:
            x = self.matrix(x, "head.transform.dense")
            yield f"{at}.dense", x
            x = self.bent(x)
            yield f"{at}.act", x
            x = self.normed(x, "head.transform.norm")
            yield f"{at}.norm", x
        if c["logit_scale"] != 1.0:
            x = x * c["logit_scale"]
            yield f"{at}.scaled", x
        table = "embedding.token.weight" if c["tie_embeddings"] else "head.projection.weight"
        logits = x @ self.w(table).T
        if c["head_bias"]:
            logits = logits + self.w("head.projection.bias")
        if c["logit_softcap"]:
            yield f"{at}.raw", logits
            logits = c["logit_softcap"] * np.tanh(logits / c["logit_softcap"])
        yield f"{at}.logits", logits
        power = np.exp(logits - logits.max(-1, keepdims=True))
        yield f"{at}.p", power / power.sum(-1, keepdims=True)

    def verdict(self, first: Numbers) -> Named:
        yield "nsp.first", first
        pooler = self.matrix(first, "next_sentence.pooler")
        yield "nsp.pooler", pooler
        yield "nsp.pooled", np.tanh(pooler)
        logits = self.matrix(np.tanh(pooler), "next_sentence.verdict")
        yield "nsp.logits", logits
        power = np.exp(logits - logits.max())
        yield "nsp.p", power / power.sum()
