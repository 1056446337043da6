"""Which tensor of llama.cpp is which of ours, a table for each kind of block, and what happens to some on the way."""

from __future__ import annotations

import torch
from torch import Tensor

from osnowa.exchange.gguf.shape import Part
from osnowa.model import ModelConfig
from osnowa.model.position import rates, stretched

_QKV = ("query", "key", "value")


def norm_factor(weight: Tensor, config: ModelConfig) -> Tensor:
    """The file holds what a norm multiplies by."""
    return weight + 1 if config.norm_offset else weight


def interleave_queries(rows: Tensor, config: ModelConfig) -> Tensor:
    """[heads * d_head, ...] with the numbers that turn together side by side; ours stand half a head apart."""
    return _interleave(rows, config.num_heads)


def interleave_keys(rows: Tensor, config: ModelConfig) -> Tensor:
    """The same for keys, of which there may be fewer heads."""
    return _interleave(rows, config.kv_heads)


def _interleave(rows: Tensor, heads: int) -> Tensor:
    return rows.view(heads, 2, -1, *rows.shape[1:]).transpose(1, 2).reshape(rows.shape)


def from_first_position(table: Tensor, config: ModelConfig) -> Tensor:
    """The table of positions without the rows before position 0."""
    return table[config.position_offset :]


def rotation_divisors(config: ModelConfig) -> dict[str, Tensor]:
    """[d_head / 2] what each rotation is divided by where slow ones are stretched (LLaMA 3.1, section 3.4.2)."""
    if config.rotary_stretch is None:
        return {}
    rate = rates(config.rotary_bases[0], config.head_width, torch.float64, torch.device("cpu"))
    rate = rate / config.rotary_factors[0]
    return {"rope_freqs.weight": (rate / stretched(rate, *config.rotary_stretch)).float()}


def rotary_parts(config: ModelConfig, *, interleaved: bool = False) -> list[Part]:
    """Decoders with rotary positions and RMSNorm; `interleaved`: their rotations take neighbours."""
    changes = (interleave_queries, interleave_keys) if interleaved else (None, None)
    parts = [
        Part("token_embd", ("embedding.token",)),
        Part("output_norm", ("decoder.final_norm",), norm_factor),
        Part("output", ("head.projection",)),
    ]
    for layer in range(config.decoder_layers):
        theirs, ours = f"blk.{layer}", f"decoder.blocks.{layer}"
        experts = "_exps" if config.num_experts else ""
        norms = {
            "attn_norm": "attention_residual.norm_in",
            "post_attention_norm": "attention_residual.norm_out",
            "attn_q_norm": "attention.query_norm",
            "attn_k_norm": "attention.key_norm",
            "ffn_norm": "feed_forward_residual.norm_in",
            "post_ffw_norm": "feed_forward_residual.norm_out",
        }
        parts += [
            Part(f"{theirs}.attn_q", (f"{ours}.attention.query",), changes[0]),
            Part(f"{theirs}.attn_k", (f"{ours}.attention.key",), changes[1]),
            Part(f"{theirs}.attn_v", (f"{ours}.attention.value",)),
            Part(f"{theirs}.attn_output", (f"{ours}.attention.output",)),
            Part(f"{theirs}.ffn_gate_inp", (f"{ours}.feed_forward.router",)),
            *(
                Part(f"{theirs}.ffn_{each}{experts}", (f"{ours}.feed_forward.{each}",))
                for each in ("gate", "up", "down")
            ),
            *(Part(f"{theirs}.{norm}", (f"{ours}.{name}",), norm_factor) for norm, name in norms.items()),
        ]
    return parts


def interleaved_parts(config: ModelConfig) -> list[Part]:
    return rotary_parts(config, interleaved=True)


def untied_parts(config: ModelConfig) -> list[Part]:
    """Where there is no tied projection: a tied embedding is written twice."""
    parts = rotary_parts(config)
    return [*parts, Part("output", ("embedding.token",))] if config.tie_embeddings else parts


def gpt2_parts(config: ModelConfig) -> list[Part]:
    """Decoders with learned positions and LayerNorm."""
    parts = [
        Part("token_embd", ("embedding.token",)),
        Part("position_embd", ("decoder.position.table",)),
        Part("output_norm", ("decoder.final_norm",)),
        Part("output", ("head.projection",)),
    ]
    for layer in range(config.decoder_layers):
        theirs, ours = f"blk.{layer}", f"decoder.blocks.{layer}"
        parts += [
            Part(f"{theirs}.attn_norm", (f"{ours}.attention_residual.norm_in",)),
            Part(f"{theirs}.attn_qkv", tuple(f"{ours}.attention.{each}" for each in _QKV)),
            Part(f"{theirs}.attn_output", (f"{ours}.attention.output",)),
            Part(f"{theirs}.ffn_norm", (f"{ours}.feed_forward_residual.norm_in",)),
            Part(f"{theirs}.ffn_up", (f"{ours}.feed_forward.up",)),
            Part(f"{theirs}.ffn_down", (f"{ours}.feed_forward.down",)),
        ]
    return parts


def bert_parts(config: ModelConfig) -> list[Part]:
    """Encoders with the norms after the sum."""
    parts = [
        Part("token_embd", ("embedding.token",)),
        Part("token_types", ("embedding.segment",)),
        Part("position_embd", ("encoder.position.table",), from_first_position),
        Part("token_embd_norm", ("encoder.input_norm",)),
    ]
    for layer in range(config.encoder_layers):
        theirs, ours = f"blk.{layer}", f"encoder.blocks.{layer}"
        parts += [
            *(Part(f"{theirs}.attn_{each[0]}", (f"{ours}.attention.{each}",)) for each in _QKV),
            Part(f"{theirs}.attn_output", (f"{ours}.attention.output",)),
            Part(f"{theirs}.attn_output_norm", (f"{ours}.attention_residual.norm_after",)),
            Part(f"{theirs}.ffn_up", (f"{ours}.feed_forward.up",)),
            Part(f"{theirs}.ffn_down", (f"{ours}.feed_forward.down",)),
            Part(f"{theirs}.layer_output_norm", (f"{ours}.feed_forward_residual.norm_after",)),
        ]
    return parts


def modernbert_parts(config: ModelConfig) -> list[Part]:
    """Encoders with the norms before the sublayers; gate and up are one matrix."""
    parts = [
        Part("token_embd", ("embedding.token",)),
        Part("token_embd_norm", ("encoder.input_norm",)),
        Part("output_norm", ("encoder.final_norm",)),
    ]
    for layer in range(config.encoder_layers):
        theirs, ours = f"blk.{layer}", f"encoder.blocks.{layer}"
        parts += [
            Part(f"{theirs}.attn_norm", (f"{ours}.attention_residual.norm_in",)),
            Part(f"{theirs}.attn_qkv", tuple(f"{ours}.attention.{each}" for each in _QKV)),
            Part(f"{theirs}.attn_output", (f"{ours}.attention.output",)),
            Part(f"{theirs}.ffn_norm", (f"{ours}.feed_forward_residual.norm_in",)),
            Part(f"{theirs}.ffn_up", (f"{ours}.feed_forward.gate", f"{ours}.feed_forward.up")),
            Part(f"{theirs}.ffn_down", (f"{ours}.feed_forward.down",)),
        ]
    return parts
