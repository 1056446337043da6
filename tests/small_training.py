"""A trainer small enough to train in a test."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from osnowa.data import RowSequence, TokenSplit
from osnowa.model import ModelConfig, Transformer, initialise
from osnowa.objective import HiddenTokens, ObjectiveConfig, Vocabulary
from osnowa.train.config import TrainingConfig
from osnowa.train.evaluation import HeldOut
from osnowa.train.loop import Trainer

VOCABULARY = 40


def split(num_documents: int = 24, seed: int = 0) -> TokenSplit:
    """Documents of eight sentences of 3 to 9 tokens; each document keeps to a few tokens of its own."""
    random = np.random.default_rng(seed)
    lengths = random.integers(3, 10, num_documents * 8)
    sentences = np.concatenate(([0], np.cumsum(lengths)))
    own = np.repeat(5 + (np.arange(num_documents) * 3) % (VOCABULARY - 12), 8).repeat(lengths)
    tokens = (own + random.integers(0, 6, len(own))).astype(np.uint16)
    return TokenSplit(tokens, sentences, np.arange(0, len(lengths) + 1, 8), len(tokens) * 4)


def make_trainer(
    *,
    steps: int = 12,
    dropout: float = 0.0,
    dtype: torch.dtype = torch.float32,
    micro_rows: int | None = None,
    model: dict[str, Any] | None = None,
    compiled: bool = False,
    **settings: Any,
) -> Trainer:
    """A fresh trainer; the same arguments always make the same one."""
    config = TrainingConfig(**{"steps": steps, "batch_rows": 4, "optimiser": "muon", **settings})
    architecture = ModelConfig(
        **{
            "vocab_size": VOCABULARY,
            "d_model": 16,
            "d_ff": 32,
            "num_heads": 2,
            "encoder_layers": 2,
            "max_positions": 32,
            "position": "rotary",
            "num_segments": 2,
            "input_norm": True,
            "head_transform": True,
            "head_bias": True,
            "next_sentence": True,
            "dropout": dropout,
            **(model or {}),
        }
    )
    made = Transformer(architecture)
    initialise(made, 0)

    def objective(seed: int) -> HiddenTokens:
        vocabulary = Vocabulary(VOCABULARY, 0, 1, 2, 3, frozenset(range(5)), np.zeros(VOCABULARY, dtype=bool))
        return HiddenTokens(ObjectiveConfig(mask_share=0.3), vocabulary, seed=seed)

    def rows(seed: int, which: TokenSplit) -> RowSequence:
        return RowSequence(which, "pair", 32, seed, cls=1, sep=2, pad=0)

    return Trainer(
        made,
        objective(0),
        rows(0, split()),
        HeldOut(rows(1, split(6, seed=9)), objective(1), 8, 8),
        config,
        steps=steps,
        warmup=2,
        seed=0,
        device=torch.device("cpu"),
        dtype=dtype,
        micro_rows=micro_rows or 4,
        compiled=compiled,
    )


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    """Equal names and equal bits."""
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
