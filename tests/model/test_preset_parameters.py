"""The number that stands beside a preset is the number of its parameters."""

from __future__ import annotations

import pytest
import torch

from osnowa.model import ModelConfig, Transformer
from osnowa.runs.presets import PRESETS, resolve


@pytest.mark.parametrize("name", PRESETS)
def test_the_stated_count_is_right(name: str) -> None:
    preset = resolve(name)
    with torch.device("meta"):
        model = Transformer(ModelConfig.read("model", preset.sections["model"]))
    assert preset.parameters == model.parameter_count()


def test_a_tied_matrix_counts_once() -> None:
    config = ModelConfig.read("model", resolve("encoder-tiny").sections["model"])
    with torch.device("meta"):
        tied, untied = Transformer(config), Transformer(config.changed(tie_embeddings=False))
    assert untied.parameter_count() - tied.parameter_count() == config.vocab_size * config.d_model
