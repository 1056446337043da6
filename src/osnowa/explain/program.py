"""The steps of a forward pass, in the order of computation, written down from the config alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from osnowa.explain.question import Question, Row
from osnowa.explain.step import Step
from osnowa.model import ModelConfig

TOKEN_TABLE = "w.embedding.token.weight"
STACKS = {"enc": "encoder", "dec": "decoder"}


class Program:
    """Steps as they are added; `shapes` and `axes` of every name so far."""

    def __init__(self, config: ModelConfig, question: Question) -> None:
        self.config, self.question = config, question
        self.steps: list[Step] = []

    def add(self, op: str, out: str, inputs: Sequence[str], axes: str, shape: Sequence[int], **attrs: Any) -> str:
        """One step; the name of what comes out. The part of the model is told from the name."""
        self.steps.append(Step(op, out, tuple(inputs), _part(out), tuple(axes.split()), tuple(shape), attrs))
        return out

    def norm(self, out: str, x: str, module: str, axes: str, shape: Sequence[int]) -> str:
        """LayerNorm or RMSNorm by the parameters of `module`."""
        config, weights = self.config, [f"w.{module}.weight"]
        if config.norm == "rmsnorm":
            return self.add("rmsnorm", out, [x, *weights], axes, shape, eps=config.norm_eps, offset=config.norm_offset)
        weights += [f"w.{module}.bias"] if config.norm_bias else []
        return self.add("layernorm", out, [x, *weights], axes, shape, eps=config.norm_eps)

    def linear(
        self, out: str, x: str, module: str, bias: bool, axes: str, shape: Sequence[int], heads: int | None = None
    ) -> str:
        """A matrix and, where there is one, its bias."""
        weights = [f"w.{module}.weight", *([f"w.{module}.bias"] if bias else [])]
        return self.add("linear", out, [x, *weights], axes, shape, heads=heads)


def _part(name: str) -> str:
    """ "enc.3.attn.q" -> "enc.3.attn", "mlm.dense" -> "mlm", "enc.sum" -> "enc.input"."""
    words = name.split(".")
    if words[0] in STACKS:
        if words[1].isdecimal():
            return ".".join(words[:3])
        return f"{words[0]}.{'hidden' if words[1] == 'hidden' else 'input'}"
    return words[0]


def write_program(config: ModelConfig, question: Question, hidden: Mapping[str, bool], *, head: bool) -> list[Step]:
    """All steps of the forward pass that answers `question`.

    `hidden`: for each name of a mask whether it hides anything. `head`: whether the model has a vocabulary head.
    """
    program = Program(config, question)
    for side, row in question.rows.items():
        Side(program, side, row, hidden).write()
    if head:
        _vocabulary(program)
    if question.second is not None and config.next_sentence:
        _verdict(program)
    return program.steps


def layers_of(config: ModelConfig, side: str) -> int:
    """How many blocks a stack has."""
    return config.encoder_layers if side == "enc" else config.decoder_layers


def window_kinds(config: ModelConfig) -> list[int | None]:
    """The different windows in the order in which layers first use them."""
    return list(dict.fromkeys(config.windows))


def rotary_kinds(config: ModelConfig) -> list[tuple[float, float]]:
    """The different (base, factor) in the order in which layers first use them."""
    bases, factors = config.rotary_bases, config.rotary_factors
    count = len(bases) * len(factors)
    return list(dict.fromkeys((bases[i % len(bases)], factors[i % len(factors)]) for i in range(count)))


class Side:
    """The steps of one stack."""

    def __init__(self, program: Program, side: str, row: Row, hidden: Mapping[str, bool]) -> None:
        self.program, self.side, self.row, self.hidden = program, side, row, hidden
        self.config, self.stack = program.config, STACKS[side]
        self.length = len(row.tokens)
        self.flat = (self.length, self.config.d_model)

    def write(self) -> None:
        x = self.embed()
        for layer in range(layers_of(self.config, self.side)):
            x = self.attend(x, layer)
            if self.side == "dec" and "enc" in self.program.question.rows:
                x = self.attend(x, layer, cross=True)
            x = self.feed(x, layer)
        out = f"{self.side}.hidden"
        if self.config.norm_placement == "post":
            self.program.add("add", out, [x], "seq d_model", self.flat)
        else:
            self.program.norm(out, x, f"{self.stack}.final_norm", "seq d_model", self.flat)

    def embed(self) -> str:
        add, config, side, axes = self.program.add, self.config, self.side, "seq d_model"
        parts = [add("lookup", f"{side}.token", [TOKEN_TABLE], axes, self.flat, rows=list(self.row.ids))]
        if config.embedding_scale != 1.0:
            parts = [add("scale", f"{side}.scaled", parts, axes, self.flat, factor=config.embedding_scale)]
        if config.num_segments:
            rows = [token.segment or 0 for token in self.row.tokens]
            parts.append(add("lookup", f"{side}.segment", ["w.embedding.segment.weight"], axes, self.flat, rows=rows))
        table = f"w.{self.stack}.position.table.weight"
        if config.position == "learned":
            rows = [i + config.position_offset for i in range(self.length)]
            parts.append(add("lookup", f"{side}.position", [table], axes, self.flat, rows=rows))
        elif config.position == "sinusoidal":
            parts.append(add("sinusoid", f"{side}.position", [], axes, self.flat, base=10_000.0))
        x = add("add", f"{side}.sum", parts, axes, self.flat)
        if config.input_norm:
            x = self.program.norm(f"{side}.input", x, f"{self.stack}.input_norm", axes, self.flat)
        self.surroundings(table)
        return x

    def surroundings(self, table: str) -> None:
        """What all layers share: masks, angles, kinds of distance."""
        add, config, side, square = self.program.add, self.config, self.side, (self.length, self.length)
        for kind, window in enumerate(window_kinds(config)):
            name = f"{side}.visible.{kind}"
            if self.hidden[name]:
                causal = side == "dec"
                add("visible", name, [], "query key", square, causal=causal, window=window, prefix=self.row.prefix)
        if config.position == "rotary":
            shape = (self.length, config.head_width)
            for kind, (base, factor) in enumerate(rotary_kinds(config)):
                more = {"base": base, "factor": factor, "stretch": config.rotary_stretch}
                add("angles", f"{side}.cos.{kind}", [], "seq d_head", shape, of="cos", **more)
                add("angles", f"{side}.sin.{kind}", [], "seq d_head", shape, of="sin", **more)
        if config.position == "relative":
            more = {"buckets": config.relative_buckets, "furthest": config.relative_furthest, "causal": side == "dec"}
            kinds = add("kinds", f"{side}.kinds", [], "query key", square, **more)
            add("relative", f"{side}.bias", [table, kinds], "head query key", (config.num_heads, *square))

    def attend(self, x: str, layer: int, cross: bool = False) -> str:
        """Self-attention or cross-attention of one layer, inside its Add & Norm."""
        config, add = self.config, self.program.add
        at = f"{self.side}.{layer}.{'cross' if cross else 'attn'}"
        block = f"{self.stack}.blocks.{layer}"
        residual = f"{block}.{'cross' if cross else 'attention'}_residual"
        module = f"{block}.{'cross_' if cross else ''}attention"
        inside = self.norm_in(x, at, residual, cross or layer > 0 or config.first_norm)
        memory = "enc.hidden" if cross else inside
        keys = len(self.program.question.rows["enc"].tokens) if cross else self.length
        q, k, v = self.project(at, module, inside, memory, keys)
        if config.position == "rotary" and not cross:
            kind = rotary_kinds(config).index(
                (
                    config.rotary_bases[layer % len(config.rotary_bases)],
                    config.rotary_factors[layer % len(config.rotary_factors)],
                )
            )
            tables = [f"{self.side}.cos.{kind}", f"{self.side}.sin.{kind}"]
            shape = (config.num_heads, self.length, config.head_width)
            q = add("rotate", f"{at}.q_turned", [q, *tables], "head seq d_head", shape)
            k = add("rotate", f"{at}.k_turned", [k, *tables], "head seq d_head", (config.kv_heads, *shape[1:]))
        weights = self.score(at, q, k, keys, layer, cross)
        group, wide = config.num_heads // config.kv_heads, config.num_heads * config.head_width
        shape = (config.num_heads, self.length, config.head_width)
        context = add("mix", f"{at}.context", [weights, v], "head query d_head", shape, group=group)
        joined = add("concat", f"{at}.joined", [context], "query joined", (self.length, wide))
        bias = config.attention_bias
        out = self.program.linear(f"{at}.out", joined, f"{module}.output", bias, "seq d_model", self.flat)
        return self.close(x, out, at, residual)

    def project(self, at: str, module: str, inside: str, memory: str, keys: int) -> tuple[str, str, str]:
        """Queries, keys and values as the matrices give them, normalised where the model does that."""
        config, axes = self.config, "head seq d_head"
        made = []
        for letter, name, source, heads, length in (
            ("q", "query", inside, config.num_heads, self.length),
            ("k", "key", memory, config.kv_heads, keys),
            ("v", "value", memory, config.kv_heads, keys),
        ):
            shape = (heads, length, config.head_width)
            bias = config.attention_bias
            found = self.program.linear(f"{at}.{letter}", source, f"{module}.{name}", bias, axes, shape, heads)
            if config.qk_norm and letter != "v":
                found = self.program.norm(f"{at}.{letter}_norm", found, f"{module}.{name}_norm", axes, shape)
            made.append(found)
        return made[0], made[1], made[2]

    def score(self, at: str, q: str, k: str, keys: int, layer: int, cross: bool) -> str:
        """From queries and keys to the weights."""
        config, add, axes = self.config, self.program.add, "head query key"
        shape = (config.num_heads, self.length, keys)
        x = add("dot", f"{at}.dots", [q, k], axes, shape, group=config.num_heads // config.kv_heads)
        factor = config.head_width**-0.5 if config.attention_scale is None else config.attention_scale
        x = add("scale", f"{at}.scaled", [x], axes, shape, factor=factor)
        if config.attention_softcap is not None:
            x = add("softcap", f"{at}.capped", [x], axes, shape, cap=config.attention_softcap)
        if config.position == "relative" and not cross:
            x = add("add", f"{at}.biased", [x, f"{self.side}.bias"], axes, shape)
        kind = window_kinds(config).index(config.windows[layer % len(config.windows)])
        visible = f"{self.side}.visible.{kind}"
        if not cross and self.hidden[visible]:
            x = add("mask", f"{at}.masked", [x, visible], axes, shape)
        return add("softmax", f"{at}.weights", [x], axes, shape)

    def feed(self, x: str, layer: int) -> str:
        """The feed-forward network of one layer, inside its Add & Norm."""
        config, add, axes = self.config, self.program.add, "seq d_ff"
        at, block = f"{self.side}.{layer}.ffn", f"{self.stack}.blocks.{layer}"
        residual, module = f"{block}.feed_forward_residual", f"{block}.feed_forward"
        inside = self.norm_in(x, at, residual, True)
        wide, bias = (self.length, config.d_ff), config.feed_forward_bias
        if config.num_experts:
            shape = (self.length, config.num_experts)
            logits = self.program.linear(f"{at}.router", inside, f"{module}.router", False, "seq expert", shape)
            routed = add("softmax", f"{at}.routed", [logits], "seq expert", shape)
            weights = [f"w.{module}.{name}" for name in ("gate", "up", "down")]
            more = {"chosen": config.experts_per_token, "activation": config.activation}
            down = add("experts", f"{at}.down", [inside, routed, *weights], "seq d_model", self.flat, **more)
            return self.close(x, down, at, residual)
        if config.feed_forward == "glu":
            gate = self.program.linear(f"{at}.gate", inside, f"{module}.gate", bias, axes, wide)
            up = self.program.linear(f"{at}.up", inside, f"{module}.up", bias, axes, wide)
            act = add(config.activation, f"{at}.act", [gate], axes, wide)
            act = add("multiply", f"{at}.gated", [act, up], axes, wide)
        else:
            up = self.program.linear(f"{at}.up", inside, f"{module}.up", bias, axes, wide)
            act = add(config.activation, f"{at}.act", [up], axes, wide)
        down = self.program.linear(f"{at}.down", act, f"{module}.down", bias, "seq d_model", self.flat)
        return self.close(x, down, at, residual)

    def norm_in(self, x: str, at: str, residual: str, used: bool) -> str:
        if self.config.norm_placement == "post" or not used:
            return x
        return self.program.norm(f"{at}.in", x, f"{residual}.norm_in", "seq d_model", self.flat)

    def close(self, x: str, change: str, at: str, residual: str) -> str:
        """Add & Norm."""
        if self.config.norm_placement == "sandwich":
            change = self.program.norm(f"{at}.out_norm", change, f"{residual}.norm_out", "seq d_model", self.flat)
        added = self.program.add("add", f"{at}.sum", [x, change], "seq d_model", self.flat)
        if self.config.norm_placement != "post":
            return added
        return self.program.norm(f"{at}.after", added, f"{residual}.norm_after", "seq d_model", self.flat)


def _vocabulary(program: Program) -> None:
    """From hidden vectors to probabilities of tokens: "mlm" for hidden tokens, "next" for the one that comes next."""
    config, side = program.config, program.question.last
    at, x, length = "mlm" if side == "enc" else "next", f"{side}.hidden", len(program.question.rows[side].tokens)
    flat, wide = (length, config.d_model), (length, config.vocab_size)
    if config.head_transform:
        bias, axes = config.head_transform_bias, "seq d_model"
        x = program.linear(f"{at}.dense", x, "head.transform.dense", bias, axes, flat)
        x = program.add(config.activation, f"{at}.act", [x], axes, flat)
        x = program.norm(f"{at}.norm", x, "head.transform.norm", axes, flat)
    if config.logit_scale != 1.0:
        x = program.add("scale", f"{at}.scaled", [x], "seq d_model", flat, factor=config.logit_scale)
    table = TOKEN_TABLE if config.tie_embeddings else "w.head.projection.weight"
    weights = [table, *(["w.head.projection.bias"] if config.head_bias else [])]
    raw = "logits" if config.logit_softcap is None else "raw"
    x = program.add("linear", f"{at}.{raw}", [x, *weights], "seq vocab", wide, heads=None)
    if config.logit_softcap is not None:
        x = program.add("softcap", f"{at}.logits", [x], "seq vocab", wide, cap=config.logit_softcap)
    program.add("softmax", f"{at}.p", [x], "seq vocab", wide)


def _verdict(program: Program) -> None:
    """Does the second sentence follow the first: the first token's vector, a dense layer, tanh, two logits."""
    width = (program.config.d_model,)
    x = program.add("pick", "nsp.first", ["enc.hidden"], "d_model", width, row=0)
    x = program.linear("nsp.pooler", x, "next_sentence.pooler", True, "d_model", width)
    x = program.add("tanh", "nsp.pooled", [x], "d_model", width)
    x = program.linear("nsp.logits", x, "next_sentence.verdict", True, "verdict", (2,))
    program.add("softmax", "nsp.p", [x], "verdict", (2,))
