"""Small models that say something, with tokenizers of the tests' own text."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

import torch

import texts
from osnowa.model import Transformer
from osnowa.tokenizer import Tokenizer, TokenizerConfig, train
from small_models import publish_model, random_model, shrink

Kind = Literal["wordpiece", "bpe", "unigram"]
PRESETS = {
    "decoder": ("llama-tiny", "prompt"),
    "encoder-decoder": ("t5-tiny", "source"),
    "encoder": ("bert-tiny", "pair"),
}


@functools.cache
def talker(topology: str = "decoder", kind: Kind = "bpe") -> tuple[Transformer, Tokenizer]:
    """Random weights in float32; what it says depends on every weight."""
    preset, frame = PRESETS[topology]
    config = TokenizerConfig(kind=kind, vocab_size=400, specials="angles", frame=frame)
    tokenizer = train(texts.documents(), config)
    model = random_model(shrink(preset, vocab_size=tokenizer.vocab_size, max_positions=64), dtype=torch.float32)
    return model, tokenizer


def publish_talker(folder: Path, topology: str = "decoder") -> Path:
    """The same as a folder."""
    return publish_model(folder, *talker(topology))
