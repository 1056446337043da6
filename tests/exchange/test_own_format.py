"""What no class of another library holds: written in our own format, read again, and checked like any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from foreign_folder import Foreign, refusal
from osnowa.exchange import read_folder
from small_models import publish_model, random_model, shrink, small_tokenizer

ENTRIES = small_tokenizer().vocab_size
FREE = {
    "gpt3-tiny": {},
    "llama-tiny": {"norm": "layernorm", "rotary_factors": (1.0, 2.0)},
    "gemma3-tiny": {"position": "none", "head_transform": True, "head_bias": True, "logit_scale": 0.5},
    "mixtral-tiny": {"norm_placement": "sandwich", "input_norm": True, "num_segments": 2},
    "encoder-tiny": {"position": "learned", "tie_embeddings": False},
}


@pytest.mark.parametrize(("preset", "changes"), FREE.items(), ids=FREE.keys())
def test_what_no_class_holds_comes_back_from_our_own_format(
    preset: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    model = random_model(shrink(preset, vocab_size=ENTRIES, **changes), dtype=torch.float32)
    folder = publish_model(tmp_path / "first", model)
    assert json.loads((folder / "config.json").read_text())["model_type"] == "osnowa"
    assert load_file(folder / "model.safetensors").keys() == {name for name, _ in model.named_parameters()}
    back = read_folder(folder)
    assert back.config == model.config
    assert back.notes == ()
    assert all(torch.equal(back.weights[name], each) for name, each in model.named_parameters())
    publish_model(tmp_path / "second", model)
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_transformers_refuses_our_own_format_by_its_name(tmp_path: Path) -> None:
    folder = publish_model(tmp_path / "model", random_model(shrink("gpt3-tiny", vocab_size=ENTRIES)))
    with pytest.raises(ValueError, match="model type `osnowa`"):
        transformers.AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nrom": "rmsnorm"}, "model.nrom: no such setting; did you mean model.norm?"),
        ({"windows": [None, "5"]}, "model.windows"),
        ({"d_model": 10**9}, "model.d_model = 1000000000: is out of range"),
        ({"decoder_layers": 3}, "decoder.blocks.2.attention.key.bias is missing"),
        ({"tie_embeddings": False}, "head.projection.weight is missing"),
        ({"position": "__import__('os')"}, "is not one of the choices"),
    ],
)
def test_our_own_settings_are_checked_like_any(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    foreign = Foreign(tmp_path / "model", "gpt3-tiny")
    values = json.loads((foreign.path / "config.json").read_text())["model"]
    foreign.set_keys(model={**values, **changes})
    assert words in refusal(foreign.path)
