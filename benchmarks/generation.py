"""Tokens per second of greedy generation on a CPU: osnowa beside `transformers` generate, asked in turn.

    python -m benchmarks.generation [--rounds 7] [--tokens 128] [--dtype float32|bfloat16|auto]
        [--quality 150] [--no-save]

One decoder of 27 million parameters (6 layers of width 512, rotary, gated, vocabulary 16,384) with the same weights on
both sides, one prompt of 32 random tokens, no end token. Both must say the same. "auto" is bfloat16 where the processor
computes in it and float32 elsewhere. osnowa is asked with weights of eight and of four bits, too; what these cost is
told as the held-out loss of a small decoder, trained for as many steps as --quality says on the text inside Python.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as hf_logging

from benchmarks.measuring import Goal, Seat, compare, measure, tell
from benchmarks.works import WARMUP, WORKS, workshop_of
from osnowa.generate.decode import decode
from osnowa.generate.frame import Frame
from osnowa.generate.settings import GenerationConfig
from osnowa.generate.weights import Weights, make_ready
from osnowa.model import ModelConfig, Transformer, initialise
from osnowa.runs.prepare import prepare_into
from osnowa.train.budget import StepPlan
from osnowa.train.precision import choose_precision, has_fast_bfloat16

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
PROMPT = 32
OURS: dict[str, Weights] = {"osnowa": "float", "osnowa-int8": "int8", "osnowa-int4": "int4"}
Run = Callable[[list[int], int], list[int]]


def ours(weights: Weights) -> tuple[Run, Transformer]:
    """osnowa's loop, as `osnowa.load` would run it, and the model as it was in float32."""
    model = Transformer(ModelConfig.read("model", SHAPE)).eval()
    initialise(model, 0)
    plain = Transformer(model.config).eval()
    plain.load_state_dict(model.state_dict())
    make_ready(model, weights)
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


def quality(steps: int) -> dict[str, float]:
    """Held-out loss of a trained decoder by contender: with float weights, and with weights of eight and of four bits."""
    with tempfile.TemporaryDirectory() as folder:
        work, data = WORKS["clm-4x256"], Path(folder) / "data"
        prepare_into(["sample:python-docs"], data, work.recipe("osnowa"))
        workshop = workshop_of(work, "osnowa", data)
        trainer = workshop.trainer(StepPlan(steps, WARMUP, "steps"))
        for _ in range(steps):
            trainer.step()
        found = {}
        for contender, weights in OURS.items():
            model = Transformer(trainer.model.config).eval()
            model.load_state_dict(trainer.weights(), strict=False)
            make_ready(model, weights)
            found[contender] = workshop.held_out.evaluate(model, trainer.device).token_loss
        return found


def contend(contender: str, dtype: torch.dtype) -> None:
    """A child: generates as many tokens as it is asked for."""
    seat = Seat()
    logging.disable(logging.WARNING)
    hf_logging.set_verbosity_error()
    same: Weights = "bfloat16" if dtype == torch.bfloat16 else "float"
    weights = OURS.get(contender, "float")
    run, plain = ours(same if weights == "float" else weights)
    if contender == "transformers":
        run = theirs(plain, dtype)
    prompt = torch.randint(5, 16_384, (PROMPT,), generator=torch.Generator().manual_seed(1)).tolist()
    said = 0
    for amount in seat.amounts():
        if not amount:
            seat.answer(said=said)
            continue
        began = time.perf_counter()
        answer = run(prompt, amount)
        seat.answer(done=len(answer), seconds=time.perf_counter() - began)
        said = zlib.crc32(repr(answer).encode())


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=7)
    words.add_argument("--tokens", type=int, default=128)
    words.add_argument("--dtype", choices=("float32", "bfloat16", "auto"), default="auto")
    words.add_argument("--quality", type=int, default=150, metavar="STEPS", help="0: leave it out")
    words.add_argument("--no-save", action="store_true", help="leave benchmarks/results as it is")
    words.add_argument("--contender", nargs=2, help=argparse.SUPPRESS)
    chosen = words.parse_args()
    if chosen.contender:
        name, contender = chosen.contender
        contend(contender, getattr(torch, name))
        return
    dtype = choose_precision("auto", torch.device("cpu")) if chosen.dtype == "auto" else getattr(torch, chosen.dtype)
    if dtype == torch.bfloat16 and not has_fast_bfloat16(torch.device("cpu")):
        words.error("--dtype bfloat16: this processor does not compute in it; use float32")
    name = str(dtype).removeprefix("torch.")
    command = (sys.executable, "-m", "benchmarks.generation", "--contender", name)
    rows = measure(
        command,
        f"27 M decoder, {name}",
        (*OURS, "transformers"),
        amount=chosen.tokens,
        rounds=chosen.rounds,
        unit="tokens/s",
        learned=True,
    )
    said = {name: row.facts.pop("said") for name, row in rows.items()}
    same = said["osnowa"] == said["transformers"]
    print("both say the same" if same else "THEY SAY DIFFERENT THINGS")  # noqa: T201
    if chosen.quality:
        for contender, loss in quality(chosen.quality).items():
            rows[contender].facts["held_out_loss"] = loss
    compare(rows, {(own, "transformers"): Goal(2, 6) for own in OURS})
    tell("generation", list(rows.values()), save=not chosen.no_save)


if __name__ == "__main__":
    main()
