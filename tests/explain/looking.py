"""Small models of every kind, and one trace of each, for the tests of explain."""

from __future__ import annotations

import functools
from typing import Any

import torch

from osnowa.explain.trace import Trace, trace
from osnowa.model import ModelConfig, Transformer
from small_models import random_model, shrink, small_tokenizer

TEXT = "Natura [MASK] najpiękniejsze obrazy."
SECOND = "Bardzo lubię je oglądać."
TARGET = "Nature creates the most beautiful pictures."
KINDS: dict[str, dict[str, Any]] = {  # preset -> what is changed
    "bert-base": {},
    "encoder-base": {"next_sentence": True},
    "modernbert-base": {},
    "roberta-base": {},
    "gpt1-base": {},
    "gpt2-124m": {},
    "llama3-8b": {},
    "mistral-7b": {},
    "mixtral-8x7b": {},
    "gemma-2b": {},
    "gemma2-2b": {},
    "gemma3-270m": {},
    "transformer-base": {},
    "t5-small": {},
    "t5-v1.1-small": {},
    "bart-base": {},
}


def config_of(preset: str, **changes: Any) -> ModelConfig:
    """A small one whose vocabulary is that of the tests' tokenizer."""
    more = {"vocab_size": small_tokenizer().vocab_size, "max_positions": 64, **KINDS.get(preset, {}), **changes}
    return shrink(preset).changed(**more)


@functools.cache
def model_of(preset: str) -> Transformer:
    """Random weights everywhere, in float32, half as large as elsewhere in the tests: scores stay as in trained models."""
    return quiet(random_model(config_of(preset), dtype=torch.float32))


@torch.no_grad()
def quiet(model: Transformer) -> Transformer:
    """Matrices and biases halved, and a norm that multiplies by 1 + weight does not double."""
    for name, parameter in model.named_parameters():
        if "norm" not in name or not name.endswith("weight"):
            parameter.mul_(0.5)
        elif model.config.norm_offset:
            parameter.sub_(1)
    return model


def words_of(preset: str) -> dict[str, Any]:
    """What a model of this kind is asked."""
    config = config_of(preset)
    if config.topology == "encoder":
        second = SECOND if config.num_segments or config.next_sentence else None
        return {"text": TEXT, "second": second}
    if config.topology == "decoder":
        return {"text": "Natura stwarza najpiękniejsze"}
    return {"text": "Natura stwarza najpiękniejsze obrazy.", "target": TARGET}


@functools.cache
def traced(preset: str) -> Trace:
    """One trace of each kind, made once."""
    return trace(model_of(preset), small_tokenizer(), **words_of(preset))
