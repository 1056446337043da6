"""A model folder as another tool could have written it, to break in one place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from osnowa.errors import DataError, OsnowaError
from osnowa.exchange import Imported, read_folder
from small_models import publish_model, random_model, shrink, small_tokenizer
from small_seq2seq import shrink_pairs

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
    "rope_theta": 5e5,
}


class Foreign:
    """A model folder without a manifest, as any tool could have written it."""

    def __init__(self, path: Path, preset: str, **changes: object) -> None:
        config = shrink(preset, vocab_size=small_tokenizer().vocab_size, **changes)
        self.model, self.path = random_model(config, dtype=torch.float32), path
        publish_model(path, self.model)
        (path / "MANIFEST.json").unlink()

    @property
    def weights(self) -> dict[str, Tensor]:
        return load_file(self.path / "model.safetensors")

    def set_weights(self, weights: dict[str, Tensor]) -> None:
        save_file({name: each.contiguous() for name, each in weights.items()}, self.path / "model.safetensors")

    def change_weights(self, change: Callable[[dict[str, Tensor]], None]) -> None:
        weights = self.weights
        change(weights)
        self.set_weights(weights)

    def set_keys(self, **changes: Any) -> None:
        """New values in config.json; ... takes a key away."""
        path = self.path / "config.json"
        values = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({key: value for key, value in values.items() if value is not ...}))


class ForeignPairs(Foreign):
    """The folder of an encoder-decoder."""

    def __init__(self, path: Path, preset: str, **changes: object) -> None:
        self.model = random_model(
            shrink_pairs(preset, vocab_size=small_tokenizer().vocab_size, **changes), dtype=torch.float32
        )
        self.path = publish_model(path, self.model)
        (path / "MANIFEST.json").unlink()


def refusal(folder: Path, kind: type[OsnowaError] = DataError) -> str:
    """The one line by which reading it ends."""
    with pytest.raises(OsnowaError) as caught:
        read_folder(folder)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert caught.value.instead
    return str(caught.value)


def same_as(read: Imported, foreign: Foreign) -> bool:
    """Whether all weights were read as they are."""
    weights, own = read.weights, dict(foreign.model.named_parameters())
    return weights.keys() == own.keys() and all(torch.equal(weights[name], each) for name, each in own.items())
