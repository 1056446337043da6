"""The same random weights in our model and in transformers' class: two decoders and an encoder-decoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from osnowa.model import ModelConfig, Transformer

VOCABULARY, WIDTH, INNER, HEADS, LAYERS, POSITIONS = 61, 32, 48, 4, 2, 64
IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SHARED: dict[str, object] = {
    "vocab_size": VOCABULARY,
    "d_model": WIDTH,
    "d_ff": INNER,
    "num_heads": HEADS,
    "decoder_layers": LAYERS,
    "max_positions": POSITIONS,
}
PLAIN: dict[str, object] = {
    **SHARED,
    "position": "learned",
    "norm_placement": "pre",
    "activation": "gelu_tanh",
}
GROUPED: dict[str, object] = {
    **SHARED,
    "num_kv_heads": 2,
    "position": "rotary",
    "norm_placement": "pre",
    "norm": "rmsnorm",
    "norm_eps": 1e-6,
    "feed_forward": "glu",
    "activation": "silu",
    "attention_bias": False,
    "feed_forward_bias": False,
    "tie_embeddings": False,
}
TRANSLATING: dict[str, object] = {
    **GROUPED,
    "num_kv_heads": None,
    "encoder_layers": LAYERS,
    "position": "relative",
    "relative_buckets": 8,
    "relative_furthest": 20,
    "d_head": 12,
    "attention_scale": 1.0,
    "feed_forward": "mlp",
    "activation": "relu",
    "tie_embeddings": True,
    "logit_scale": WIDTH**-0.5,
}


@torch.no_grad()
def randomise(model: nn.Module, seed: int) -> None:
    """Weights that leave no part without effect, and logits far enough apart that rounding decides nothing."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        numbers = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.35
        is_norm = parameter.ndim == 1 and name.endswith("weight")
        parameter.copy_(numbers + 1 if is_norm else numbers)


def put(ours: Any, weight: Tensor, bias: Tensor | None = None) -> None:
    assert ours.weight.shape == weight.shape
    ours.weight.data = weight.detach().clone()
    if bias is not None:
        ours.bias.data = bias.detach().clone()


def plain_pair(seed: int = 0) -> tuple[Transformer, Any]:
    """Learned positions, layer norms with biases, tied embeddings."""
    theirs: Any = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY,
            n_embd=WIDTH,
            n_head=HEADS,
            n_layer=LAYERS,
            n_inner=INNER,
            n_positions=POSITIONS,
            **IDS,
        )
    ).double()
    randomise(theirs, seed)
    model = Transformer(ModelConfig.read("model", PLAIN)).double()
    body = theirs.transformer
    model.embedding.token.weight.data = body.wte.weight.detach().clone()
    put(model.decoder.position.table, body.wpe.weight)
    put(model.decoder.final_norm, body.ln_f.weight, body.ln_f.bias)
    for ours, block in zip(model.decoder.blocks, body.h, strict=True):
        weights = block.attn.c_attn.weight.T.chunk(3)
        biases = block.attn.c_attn.bias.chunk(3)
        for name, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
            put(getattr(ours.attention, name), weight, bias)
        put(ours.attention.output, block.attn.c_proj.weight.T, block.attn.c_proj.bias)
        put(ours.feed_forward.up, block.mlp.c_fc.weight.T, block.mlp.c_fc.bias)
        put(ours.feed_forward.down, block.mlp.c_proj.weight.T, block.mlp.c_proj.bias)
        put(ours.attention_residual.norm_in, block.ln_1.weight, block.ln_1.bias)
        put(ours.feed_forward_residual.norm_in, block.ln_2.weight, block.ln_2.bias)
    return model.eval(), theirs.eval()


def grouped_pair(seed: int = 0) -> tuple[Transformer, Any]:
    """Rotary positions, RMS norms, gated network, two key heads for four query heads."""
    theirs: Any = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=INNER,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=2,
            max_position_embeddings=POSITIONS,
            **IDS,
        )
    ).double()
    randomise(theirs, seed)
    model = Transformer(ModelConfig.read("model", GROUPED)).double()
    model.embedding.token.weight.data = theirs.model.embed_tokens.weight.detach().clone()
    put(model.head.projection, theirs.lm_head.weight)
    put(model.decoder.final_norm, theirs.model.norm.weight)
    for ours, block in zip(model.decoder.blocks, theirs.model.layers, strict=True):
        for name, short in (("query", "q"), ("key", "k"), ("value", "v"), ("output", "o")):
            put(getattr(ours.attention, name), getattr(block.self_attn, f"{short}_proj").weight)
        for name in ("up", "gate", "down"):
            put(getattr(ours.feed_forward, name), getattr(block.mlp, f"{name}_proj").weight)
        put(ours.attention_residual.norm_in, block.input_layernorm.weight)
        put(ours.feed_forward_residual.norm_in, block.post_attention_layernorm.weight)
    return model.eval(), theirs.eval()


def translating_pair(seed: int = 0) -> tuple[Transformer, Any]:
    """An encoder-decoder with relative positions; its decoder begins with our begin token."""
    theirs: Any = T5ForConditionalGeneration(
        T5Config(
            vocab_size=VOCABULARY,
            d_model=WIDTH,
            d_kv=12,
            d_ff=INNER,
            num_layers=LAYERS,
            num_heads=HEADS,
            relative_attention_num_buckets=8,
            relative_attention_max_distance=20,
            feed_forward_proj="relu",
            tie_word_embeddings=True,
            decoder_start_token_id=1,
            **IDS,
        )
    ).double()
    randomise(theirs, seed)
    model = Transformer(ModelConfig.read("model", TRANSLATING)).double()
    model.embedding.token.weight.data = theirs.shared.weight.detach().clone()
    for stack, other in ((model.encoder, theirs.encoder), (model.decoder, theirs.decoder)):
        put(stack.position.table, other.block[0].layer[0].SelfAttention.relative_attention_bias.weight)
        put(stack.final_norm, other.final_layer_norm.weight)
        for ours, block in zip(stack.blocks, other.block, strict=True):
            looks = [(ours.attention, ours.attention_residual, block.layer[0], "SelfAttention")]
            if len(block.layer) == 3:
                looks.append((ours.cross_attention, ours.cross_residual, block.layer[1], "EncDecAttention"))
            for attention, residual, layer, kind in looks:
                for name in ("query", "key", "value", "output"):
                    put(getattr(attention, name), getattr(getattr(layer, kind), name[0]).weight)
                put(residual.norm_in, layer.layer_norm.weight)
            put(ours.feed_forward.up, block.layer[-1].DenseReluDense.wi.weight)
            put(ours.feed_forward.down, block.layer[-1].DenseReluDense.wo.weight)
            put(ours.feed_forward_residual.norm_in, block.layer[-1].layer_norm.weight)
    return model.eval(), theirs.eval()


PAIRS = {"plain": plain_pair, "grouped": grouped_pair, "translating": translating_pair}
NEVER = [0, 1, 3]


def answer(theirs: Any, prompt: list[int], **words: Any) -> list[int]:
    """What transformers' generate adds to one prompt, up to the end token and without it."""
    ids = torch.tensor([prompt])
    words = {"suppress_tokens": NEVER, "do_sample": False, **words}
    with torch.no_grad():
        row = theirs.generate(ids, attention_mask=torch.ones_like(ids), **words)[0].tolist()
    new = row[1:] if theirs.config.is_encoder_decoder else row[len(prompt) :]
    return new[: new.index(2)] if 2 in new else new


def prompts(count: int, seed: int = 0, longest: int = 12) -> list[list[int]]:
    """Framed prompts of different length, the begin token first."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (count,), generator=generator).tolist()
    return [[1, *torch.randint(5, VOCABULARY, (n,), generator=generator).tolist()] for n in lengths]
