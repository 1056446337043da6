"""Traces of small random models as a page reads them, computed by NumPy alone: tensors, steps, and the file around them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

ASSETS = Path(__file__).resolve().parents[1] / "src/osnowa/explain/assets"
LOWEST = np.float32(-3.4028235e38)
Numbers = np.ndarray[Any, Any]


def gelu(x: Numbers) -> Numbers:
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


ELEMENTWISE = {
    "gelu": gelu,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
}


def softmax(x: Numbers) -> Numbers:
    raised = np.exp(x - x.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


class Record:
    """Named float32 tensors and the steps that made them; each method computes one step and returns its result's name."""

    def __init__(self, seed: int = 0) -> None:
        self.random, self.part = np.random.default_rng(seed), ""
        self.tensors: dict[str, Numbers] = {}
        self.axes: dict[str, list[str]] = {}
        self.steps: list[dict[str, Any]] = []

    def given(self, name: str, value: Numbers, axes: str) -> str:
        """A tensor that no step made."""
        if name not in self.tensors:
            self.tensors[name] = value.astype(np.uint8 if value.dtype == bool else np.float32)
            self.axes[name] = axes.split()
        return name

    def weight(self, name: str, *shape: int, spread: float = 1.0, around: float = 0.0) -> str:
        size = spread / math.sqrt(shape[-1]) if len(shape) == 2 else 0.1 * spread
        return self.given(f"w.{name}", self.random.normal(around, size, shape), "out in" if len(shape) == 2 else "out")

    def step(self, op: str, out: str, inputs: list[str], value: Numbers, axes: str, **attrs: Any) -> str:
        self.given(out, value, axes)
        self.steps.append({"op": op, "out": out, "in": inputs, "attrs": attrs, "part": self.part})
        return out

    def __getitem__(self, name: str) -> Numbers:
        return self.tensors[name].astype(np.float64)

    def lookup(self, out: str, table: str, rows: list[int]) -> str:
        return self.step("lookup", out, [table], self[table][rows], "seq d_model", rows=rows)

    def add(self, out: str, *inputs: str, axes: str = "seq d_model") -> str:
        return self.step("add", out, list(inputs), sum((self[name] for name in inputs), np.float64(0)), axes)

    def linear(self, out: str, x: str, weight: str, size: int, heads: int | None = None, *, bias: bool = True) -> str:
        given = [x, self.weight(f"{weight}.weight", size, self[x].shape[-1])]
        given += [self.weight(f"{weight}.bias", size)] if bias else []
        value = self[x] @ self[given[1]].T + (self[given[2]] if bias else 0)
        if heads:
            value = value.reshape(len(value), heads, -1).transpose(1, 0, 2)
        return self.step("linear", out, given, value, "head seq d_head" if heads else "seq out", heads=heads)

    def norm(self, out: str, x: str, weight: str, kind: str) -> str:
        v, w = self[x], self.weight(f"{weight}.weight", self[x].shape[-1], around=1.0)
        if kind == "rmsnorm":
            value = v / np.sqrt((v**2).mean(-1, keepdims=True) + 1e-5) * self[w]
            return self.step(kind, out, [x, w], value, "seq d_model", eps=1e-5, offset=False)
        b = self.weight(f"{weight}.bias", v.shape[-1])
        value = (v - v.mean(-1, keepdims=True)) / np.sqrt(v.var(-1, keepdims=True) + 1e-5) * self[w] + self[b]
        return self.step(kind, out, [x, w, b], value, "seq d_model", eps=1e-5)

    def apply(self, op: str, out: str, x: str, axes: str = "seq out") -> str:
        return self.step(op, out, [x], ELEMENTWISE[op](self[x]), axes)

    def rotate(self, out: str, x: str, cos: str, sin: str) -> str:
        v = self[x]
        value = v * self[cos] + np.roll(v, -(v.shape[-1] // 2), -1) * self[sin]
        return self.step("rotate", out, [x, cos, sin], value, "head seq d_head")

    def attention(self, at: str, x: str, memory: str, weight: str, style: dict[str, Any], visible: str | None) -> str:
        """From the vectors of `x` and `memory` through W0; `visible` is None where all may look at all."""
        heads, groups, width = style["heads"], style["kv_heads"], style["d_model"] // style["heads"]
        bias = style["bias"]
        q = self.linear(f"{at}.q", x, f"{weight}.query", heads * width, heads, bias=bias)
        k = self.linear(f"{at}.k", memory, f"{weight}.key", groups * width, groups, bias=bias)
        v = self.linear(f"{at}.v", memory, f"{weight}.value", groups * width, groups, bias=bias)
        if style["rotary"]:
            cos, sin = f"{at[:3]}.cos.0", f"{at[:3]}.sin.0"
            q, k = self.rotate(f"{at}.q_turned", q, cos, sin), self.rotate(f"{at}.k_turned", k, cos, sin)
        group, scores = heads // groups, "head query key"
        dots = np.einsum("hic,hjc->hij", self[q], np.repeat(self[k], group, 0))
        now = self.step("dot", f"{at}.dots", [q, k], dots, scores, group=group)
        now = self.step("scale", f"{at}.scaled", [now], self[now] * width**-0.5, scores, factor=width**-0.5)
        if style["relative"] and ".attn" in at:
            table = self.random.normal(0, 0.4, (heads, *self[now].shape[1:]))
            now = self.add(f"{at}.biased", now, self.given(f"{at}.bias", table, scores), axes=scores)
        if visible:
            hidden = np.where(self[visible] > 0, self[now], LOWEST)
            now = self.step("mask", f"{at}.masked", [now, visible], hidden, scores)
        weights = self.step("softmax", f"{at}.weights", [now], softmax(self[now]), scores)
        mixed = np.einsum("hij,hjc->hic", self[weights], np.repeat(self[v], group, 0))
        context = self.step("mix", f"{at}.context", [weights, v], mixed, "head query d_head", group=group)
        flat = self[context].transpose(1, 0, 2).reshape(mixed.shape[1], -1)
        joined = self.step("concat", f"{at}.joined", [context], flat, "query out")
        return self.linear(f"{at}.out", joined, f"{weight}.output", style["d_model"], bias=bias)

    def block(
        self, side: str, layer: int, x: str, style: dict[str, Any], visible: str | None, memory: str | None
    ) -> str:
        """One layer, with the norm where the style has it."""
        norm, pre, weight = style["norm"], style["pre"], f"{'encoder' if side == 'enc' else 'decoder'}.blocks.{layer}"

        def residual(at: str, name: str, x: str, run: Any) -> str:
            self.part = at
            change = run(self.norm(f"{at}.in", x, f"{weight}.{name}.norm_in", norm) if pre else x)
            total = self.add(f"{at}.sum", x, change)
            return total if pre else self.norm(f"{at}.after", total, f"{weight}.{name}.norm_after", norm)

        at = f"{side}.{layer}"
        x = residual(
            f"{at}.attn", "attention_residual", x,
            lambda h: self.attention(f"{at}.attn", h, h, f"{weight}.attention", style, visible),
        )  # fmt: skip
        if memory:
            source = memory
            x = residual(
                f"{at}.cross", "cross_residual", x,
                lambda h: self.attention(f"{at}.cross", h, source, f"{weight}.cross_attention", style, None),
            )  # fmt: skip
        return residual(
            f"{at}.ffn", "feed_forward_residual", x, lambda h: self.feed_forward(f"{at}.ffn", h, weight, style)
        )

    def feed_forward(self, at: str, x: str, weight: str, style: dict[str, Any]) -> str:
        w, d_ff = f"{weight}.feed_forward", style["d_model"] * 2
        if style["gated"]:
            gate = self.linear(f"{at}.gate", x, f"{w}.gate", d_ff, bias=style["bias"])
            up = self.linear(f"{at}.up", x, f"{w}.up", d_ff, bias=style["bias"])
            act = self.apply(style["activation"], f"{at}.act", gate)
            inner = self.step("multiply", f"{at}.gated", [act, up], self[act] * self[up], "seq out")
        else:
            inner = self.apply(style["activation"], f"{at}.act", self.linear(f"{at}.up", x, f"{w}.up", d_ff))
        return self.linear(f"{at}.down", inner, f"{w}.down", style["d_model"], bias=style["bias"])

    def stack(self, side: str, ids: list[int], style: dict[str, Any], layers: int, memory: str | None = None) -> str:
        """From the ids to the contextual matrix."""
        seq, width, causal = len(ids), style["d_model"], side == "dec"
        self.part = f"{side}.input"
        table = self.weight("embedding.token.weight", style["vocab"], width, spread=3)
        parts = [self.lookup(f"{side}.token", table, ids)]
        if style["segments"]:
            which = [int(i > seq // 2) for i in range(seq)]
            parts.append(self.lookup(f"{side}.segment", self.weight("embedding.segment.weight", 2, width), which))
        if style["learned"]:
            rows = self.weight(f"{side}.position.table.weight", seq, width)
            parts.append(self.lookup(f"{side}.position", rows, list(range(seq))))
        if style["rotary"]:
            d_head = width // style["heads"]
            angle = np.outer(np.arange(seq), 10_000.0 ** (-np.arange(0, d_head, 2) / d_head))
            self.given(f"{side}.cos.0", np.cos(np.hstack([angle, angle])), "seq d_head")
            self.given(f"{side}.sin.0", np.sin(np.hstack([-angle, angle])), "seq d_head")
        x = self.add(f"{side}.sum", *parts)
        if style["input_norm"]:
            x = self.norm(f"{side}.input", x, f"{side}.input_norm", style["norm"])
        visible = self.given(f"{side}.visible.0", np.tri(seq, dtype=bool), "query key") if causal else None
        for layer in range(layers):
            x = self.block(side, layer, x, style, visible, memory)
        self.part = f"{side}.hidden"
        if style["pre"]:
            return self.norm(f"{side}.hidden", x, f"{side}.final_norm", style["norm"])
        return self.step("scale", f"{side}.hidden", [x], self[x], "seq d_model", factor=1.0)

    def head(self, name: str, hidden: str, style: dict[str, Any]) -> str:
        """Logits and probabilities over the vocabulary, at all places."""
        self.part, x = name, hidden
        if style["transform"]:
            x = self.apply("gelu", f"{name}.act", self.linear(f"{name}.dense", x, "head.dense", style["d_model"]))
            x = self.norm(f"{name}.norm", x, "head.norm", style["norm"])
        given = [x, "w.embedding.token.weight"]
        logits = self.step("linear", f"{name}.logits", given, self[x] @ self[given[1]].T, "seq vocab", heads=None)
        return self.step("softmax", f"{name}.p", [logits], softmax(self[logits]), "seq vocab")


BERT = {
    "d_model": 16, "heads": 4, "kv_heads": 4, "vocab": 40, "bias": True, "norm": "layernorm", "pre": False, "gated": False,
    "activation": "gelu", "segments": True, "learned": True, "rotary": False, "relative": False, "input_norm": True,
    "transform": True,
}  # fmt: skip
LLAMA = {
    **BERT, "kv_heads": 2, "bias": False, "norm": "rmsnorm", "pre": True, "gated": True, "activation": "silu",
    "segments": False, "learned": False, "rotary": True, "input_norm": False, "transform": False,
}  # fmt: skip
T5 = {**LLAMA, "kv_heads": 4, "gated": False, "activation": "relu", "rotary": False, "relative": True}
WORDS = ["[CLS]", "Natura", "[MASK]", "najpiękniejsze", "obrazy", ".", "[SEP]", "Bardzo", "lubię", "je", "oglądać", "."]


def words(count: int) -> list[str]:
    return [*WORDS, "[SEP]", *(f"słowo{i}" for i in range(count))][:count]


def side(name: str, tokens: list[str], style: dict[str, Any], layers: int) -> dict[str, Any]:
    ids = [5 + i % (style["vocab"] - 5) for i in range(len(tokens))]
    return {
        "name": name, "layers": layers, "heads": style["heads"], "kv_heads": style["kv_heads"],
        "d_head": style["d_model"] // style["heads"], "causal": name == "dec", "windows": [None] * layers,
        "tokens": [
            {
                "id": ids[i], "piece": token, "text": token, "start": None, "end": None, "from": "text",
                "special": token in ("[CLS]", "[SEP]", "[MASK]"), "unknown": False,
                "segment": int(i > len(tokens) // 2) if style["segments"] else None, "position": i,
            }
            for i, token in enumerate(tokens)
        ],
    }  # fmt: skip


def top(record: Record, name: str, place: int) -> list[dict[str, Any]]:
    p, logits = record[f"{name}.p"][place], record[f"{name}.logits"][place]
    best = np.argsort(-p)[:20]
    return [{"id": int(i), "token": f"słowo{i}", "logit": float(logits[i]), "p": float(p[i])} for i in best]


def index(record: Record, topology: str, sides: dict[str, Any], style: dict[str, Any], answers: dict[str, Any]) -> Any:
    text = " ".join(token["text"] for token in next(iter(sides.values()))["tokens"])
    config = {
        "d_model": style["d_model"], "num_heads": style["heads"], "norm": style["norm"], "d_ff": 2 * style["d_model"],
        "vocab_size": style["vocab"], "activation": style["activation"], "feed_forward": "glu" if style["gated"] else "mlp",
        "norm_placement": "pre" if style["pre"] else "post", "num_kv_heads": style["kv_heads"],
        "position": "learned" if style["learned"] else "rotary" if style["rotary"] else "relative",
        "encoder_layers": sides["enc"]["layers"] if "enc" in sides else 0,
        "decoder_layers": sides["dec"]["layers"] if "dec" in sides else 0,
        "tie_embeddings": True, "windows": [None], "next_sentence": answers["nsp"] is not None,
    }  # fmt: skip
    parameters = sum(value.size for name, value in record.tensors.items() if name.startswith("w."))
    return {
        "version": 1, "lang": "pl", "title": text, "text": {"text": text, "second": None, "target": None},
        "facts": {
            "topology": topology, "family": None, "folder": "mój-model", "parameters": parameters, "config": config,
            "dtype": "float32", "device": "cpu", "threads": 1, "version": "0.1.0", "training": None,
            "tokenizer": {"kind": "wordpiece", "size": style["vocab"], "sha256": "0" * 64},
            "exact": {"largest_logit_difference": 0.0, "compared_with": "the model's ordinary forward"},
            "source_whole": True, "notes": [],
        },
        "sides": sides, "steps": record.steps, "pictures": {}, "missing": [], "answers": answers, "analysis": None,
        "focus": {name: list(range(len(value["tokens"]))) for name, value in sides.items()},
        "dims": {"d_model": None, "d_ff": None, "d_head": None}, "step": None, "history": None, "seed": None,
        "written": {"checked": 0, "bad": 0, "largest": 0.0, "by_kind": [], "oracle": "NumPy float64"}, "glossary": None,
    }  # fmt: skip


def pack(
    record: Record, made: dict[str, Any], keep: dict[str, list[Any]] | None = None
) -> tuple[dict[str, Any], bytes]:
    """The index with its list of tensors, and the bytes; `keep` cuts the axes of the tensors it names."""
    entries, blob = {}, bytearray()
    for name, value in record.tensors.items():
        kept = (keep or {}).get(name) or [None] * value.ndim
        for axis, places in enumerate(kept):
            value = value if places is None else value.take(places, axis)
        content = np.ascontiguousarray(value).tobytes()
        entries[name] = {
            "shape": list(record.tensors[name].shape), "axes": record.axes[name], "keep": kept, "at": len(blob),
            "dtype": "u8" if value.dtype == np.uint8 else "f32", "count": int(value.size), "crc": zlib.crc32(content),
        }  # fmt: skip
        blob += content + bytes(-len(content) % 4)
    return {**made, "tensors": entries}, bytes(blob)


def encoder(tokens: list[str] | None = None, layers: int = 2, **changes: Any) -> tuple[Record, dict[str, Any]]:
    """An encoder with a masked-token and a next-sentence head."""
    tokens, style, record = tokens or words(13), {**BERT, **changes}, Record()
    sides = {"enc": side("enc", tokens, style, layers)}
    hidden = record.stack("enc", [token["id"] for token in sides["enc"]["tokens"]], style, layers)
    record.head("mlm", hidden, style)
    record.part = "nsp"
    first = record.step("pick", "nsp.first", [hidden], record[hidden][0], "d_model", row=0)
    pooled = record.apply(
        "tanh", "nsp.pooled", record.linear("nsp.pooler", first, "next.pooler", style["d_model"]), "out"
    )
    verdict = record.linear("nsp.logits", pooled, "next.verdict", 2)
    p = record.step("softmax", "nsp.p", [verdict], softmax(record[verdict]), "out")
    for step in record.steps[-4:]:
        record.axes[step["out"]] = ["out"]
    masks = [{"place": i, "top": top(record, "mlm", i)} for i, token in enumerate(tokens) if token == "[MASK]"]
    nsp = {"is_next": bool(record[p][0] > 0.5), "p": float(record[p][0])}
    return record, index(record, "encoder", sides, style, {"masks": masks, "nsp": nsp, "next": None})


def decoder(tokens: list[str] | None = None, layers: int = 2, **changes: Any) -> tuple[Record, dict[str, Any]]:
    """A decoder with rotary positions, RMSNorm, a gated network and shared keys."""
    tokens, style, record = tokens or words(9), {**LLAMA, **changes}, Record(1)
    sides = {"dec": side("dec", tokens, style, layers)}
    hidden = record.stack("dec", [token["id"] for token in sides["dec"]["tokens"]], style, layers)
    return record, index(record, "decoder", sides, style, said(record, hidden, style, len(tokens) - 1))


def both(layers: int = 2) -> tuple[Record, dict[str, Any]]:
    """An encoder-decoder with relative positions and cross-attention."""
    record, source, target = Record(2), words(9), ["<s>", "Nature", "creates", "pictures"]
    sides = {"enc": side("enc", source, T5, layers), "dec": side("dec", target, T5, layers)}
    memory = record.stack("enc", [token["id"] for token in sides["enc"]["tokens"]], T5, layers)
    hidden = record.stack("dec", [token["id"] for token in sides["dec"]["tokens"]], T5, layers, memory)
    return record, index(record, "encoder-decoder", sides, T5, said(record, hidden, T5, len(target) - 1))


def said(record: Record, hidden: str, style: dict[str, Any], last: int) -> dict[str, Any]:
    record.head("next", hidden, style)
    best = top(record, "next", last)
    return {"masks": [], "nsp": None, "next": {"place": last, "top": best, "greedy": best[:3]}}


def document(made: dict[str, Any], blob: bytes) -> str:
    """The file as a browser opens it."""
    script, style = ((ASSETS / name).read_text(encoding="utf-8") for name in ("page.js", "page.css"))
    hashes = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (script, style)]
    unpacked = script.splitlines()[0].rpartition("unpacks: ")[2]
    policy = (
        f"default-src 'none'; img-src data: blob:; script-src 'sha256-{hashes[0]}' '{unpacked}'; "
        f"style-src 'sha256-{hashes[1]}'"
    )
    data = json.dumps(made, ensure_ascii=False).replace("<", "\\u003c")
    packed = base64.b64encode(gzip.compress(blob, 6, mtime=0)).decode()
    return (
        f'<!doctype html><html lang="{made["lang"]}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(made['title'])}</title><style>{style}</style></head><body>"
        '<noscript>This page needs JavaScript.</noscript><div id="app"></div>'
        f'<script type="application/json" id="index">{data}</script>'
        f'<script type="text/plain" id="blob">{packed}</script><script>{script}</script></body></html>'
    )
