"""A model folder as another tool could have written it, to break in one place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from small_models import publish_model, random_model, shrink, small_tokenizer


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
