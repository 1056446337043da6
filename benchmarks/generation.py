"""Tokens per second of greedy generation on a CPU: osnowa beside `transformers` generate, in turn in one process.

    python -m benchmarks.generation [--rounds 7] [--tokens 128] [--prompt 32] [--dtype float32|bfloat16|auto]

One decoder of 27 million parameters (6 layers of width 512, rotary, gated, vocabulary 16,384) with the same weights on
both sides, one prompt of random tokens, no end token. A B A B ..., the first round left out. Prints medians, spread and
the median of the ratios round by round; "auto" is bfloat16 where the processor computes in it and float32 elsewhere.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as hf_logging

from osnowa.generate.decode import decode
from osnowa.generate.frame import Frame
from osnowa.generate.settings import GenerationConfig
from osnowa.generate.weights import lay_out
from osnowa.model import ModelConfig, Transformer, initialise
from osnowa.train.precision import choose_precision, tune_allocator

SHAPE: dict[str, object] = {
    "vocab_size": 16_384,
    "d_model": 512,
    "d_ff": 1_376,
    "num_heads": 8,
    "decoder_layers": 6,
    "max_positions": 1_024,
    "position": "rotary",
    "norm": "rmsnorm",
    "norm_eps": 1e-6,
    "norm_placement": "pre",
    "feed_forward": "glu",
    "activation": "silu",
    "attention_bias": False,
    "feed_forward_bias": False,
}
Run = Callable[[list[int], int], list[int]]


def ours(dtype: torch.dtype) -> tuple[Run, Transformer]:
    """osnowa's loop, as `osnowa.load` would run it."""
    model = Transformer(ModelConfig.read("model", SHAPE)).eval()
    initialise(model, 0)
    model.to(dtype)
    plain = Transformer(model.config).to(dtype).eval()
    plain.load_state_dict(model.state_dict())
    lay_out(model)
    frame = Frame((1,), None, ())

    def run(prompt: list[int], tokens: int) -> list[int]:
        config = GenerationConfig(max_tokens=tokens, temperature=0)
        return [each.token for each in decode(model, [prompt], frame, config) if each.token is not None]

    return run, plain


def theirs(model: Transformer, dtype: torch.dtype) -> Run:
    """transformers' generate in its defaults, with the same weights."""
    config = LlamaConfig(
        vocab_size=16_384,
        hidden_size=512,
        intermediate_size=1_376,
        num_hidden_layers=6,
        num_attention_heads=8,
        max_position_embeddings=1_024,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=None,
        pad_token_id=0,
    )
    reference: Any = LlamaForCausalLM(config).to(dtype).eval()
    weights = {
        "model.embed_tokens.weight": model.embedding.token.weight,
        "model.norm.weight": model.decoder.final_norm.weight,
    }
    names = (
        ("self_attn.q_proj", "attention.query"),
        ("self_attn.k_proj", "attention.key"),
        ("self_attn.v_proj", "attention.value"),
        ("self_attn.o_proj", "attention.output"),
        ("mlp.up_proj", "feed_forward.up"),
        ("mlp.gate_proj", "feed_forward.gate"),
        ("mlp.down_proj", "feed_forward.down"),
        ("input_layernorm", "attention_residual.norm_in"),
        ("post_attention_layernorm", "feed_forward_residual.norm_in"),
    )
    for layer, block in enumerate(model.decoder.blocks):
        for other, own in names:
            weights[f"model.layers.{layer}.{other}.weight"] = block.get_submodule(own).weight
    missing, unexpected = reference.load_state_dict(weights, strict=False)
    assert missing == ["lm_head.weight"], missing
    assert not unexpected, unexpected
    reference.tie_weights()

    def run(prompt: list[int], tokens: int) -> list[int]:
        ids = torch.tensor([prompt])
        row = reference.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False, pad_token_id=0
        )
        return row[0, len(prompt) :].tolist()

    return run


def measure(rounds: int, tokens: int, length: int, dtype: torch.dtype) -> list[dict[str, Any]]:
    """Both in turn; seconds of each round."""
    run, plain = ours(dtype)
    contenders: dict[str, Run] = {"osnowa": run, "transformers": theirs(plain, dtype)}
    prompt = torch.randint(5, 16_384, (length,), generator=torch.Generator().manual_seed(1)).tolist()
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    answers = {}
    for number in range(rounds + 1):
        for name, contender in contenders.items():
            begun = time.perf_counter()
            answers[name] = contender(prompt, tokens)
            if number:  # the first round warms up
                speeds[name].append(tokens / (time.perf_counter() - begun))
    ratio = [a / b for a, b in zip(speeds["osnowa"], speeds["transformers"], strict=True)]
    rows = [
        {
            "name": name,
            "dtype": str(dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "tokens_per_second": round(statistics.median(found), 1),
            "low": round(min(found), 1),
            "high": round(max(found), 1),
        }
        for name, found in speeds.items()
    ]
    rows[0] |= {
        "times transformers": round(statistics.median(ratio), 2),
        "least": round(min(ratio), 2),
        "most": round(max(ratio), 2),
        "same tokens": answers["osnowa"] == answers["transformers"],
    }
    return rows


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=7)
    words.add_argument("--tokens", type=int, default=128)
    words.add_argument("--prompt", type=int, default=32)
    words.add_argument("--dtype", choices=("float32", "bfloat16", "auto"), default="auto")
    chosen = words.parse_args()
    logging.disable(logging.WARNING)
    hf_logging.set_verbosity_error()
    tune_allocator()
    dtype = choose_precision("auto", torch.device("cpu")) if chosen.dtype == "auto" else getattr(torch, chosen.dtype)
    for row in measure(chosen.rounds, chosen.tokens, chosen.prompt, dtype or torch.float32):
        sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
