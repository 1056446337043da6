"""Who reads what: the tokens of each stack as people read them, and the stack's sizes."""

from __future__ import annotations

from typing import Any

from osnowa.explain.program import layers_of
from osnowa.explain.question import Question
from osnowa.model import ModelConfig
from osnowa.tokenizer import Tokenizer


def spell(tokenizer: Tokenizer, index: int) -> str:
    """A token as people read it; ids beyond the tokenizer (rows that stand for no text) by their number."""
    return tokenizer.readable(index) if index < tokenizer.vocab_size else f"#{index}"


def sides(question: Question, tokenizer: Tokenizer, config: ModelConfig) -> dict[str, Any]:
    """For each stack its tokens and sizes."""
    return {side: _side(question, tokenizer, config, side) for side in question.rows}


def _side(question: Question, tokenizer: Tokenizer, config: ModelConfig, side: str) -> dict[str, Any]:
    layers, unknown = layers_of(config, side), tokenizer.specials.get("unk")
    tokens = [
        {
            "id": token.id,
            "piece": tokenizer.token(token.id) if token.id < tokenizer.vocab_size else f"#{token.id}",
            "text": spell(tokenizer, token.id),
            "start": token.start,
            "end": token.end,
            "from": token.origin,
            "special": token.id in tokenizer.special_ids,
            "unknown": token.id == unknown,
            "segment": (token.segment or 0) if config.num_segments else None,
            "position": place,
        }
        for place, token in enumerate(question.rows[side].tokens)
    ]
    return {
        "name": side,
        "tokens": tokens,
        "layers": layers,
        "heads": config.num_heads,
        "kv_heads": config.kv_heads,
        "d_head": config.head_width,
        "causal": side == "dec",
        "prefix": question.rows[side].prefix,
        "windows": [config.windows[layer % len(config.windows)] for layer in range(layers)],
    }
