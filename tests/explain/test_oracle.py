"""A second computation in float64 agrees with every tensor of a trace, and finds a single number that is wrong."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from looking import KINDS, config_of, model_of, quiet, traced

from osnowa.explain import oracle, oracle_order
from osnowa.explain.proof import Proof, prove
from osnowa.explain.trace import Trace, trace
from small_models import random_model, small_tokenizer


def proof_with(made: Trace, name: str, change: float) -> Proof:
    """The verdict after one number of one tensor was changed by `change` times itself (or 1)."""
    held = made.forward.tensors[name]
    array = held.array.copy()
    flat = array.reshape(-1)
    place = int(np.argmax(np.abs(np.where(np.abs(flat) < 1e30, flat, 0))))
    flat[place] += change * max(1.0, abs(float(flat[place])))
    tensors = {**made.forward.tensors, name: replace(held, array=array)}
    return prove(replace(made.forward, tensors=tensors), made.config)


@pytest.mark.parametrize("preset", KINDS)
def test_every_tensor_of_every_kind_of_model_agrees(preset: str) -> None:
    made = traced(preset)
    assert made.proof.bad == []
    assert made.proof.absent == []
    assert made.proof.checked == sum(array.size for array in made.tensors.values())
    assert made.proof.largest == made.proof.drift < 1e-4


@pytest.mark.parametrize("preset", KINDS)
def test_the_watched_pass_is_the_ordinary_pass(preset: str) -> None:
    assert traced(preset).forward.difference < 1e-5


@pytest.mark.parametrize("preset", ["bert-base", "gemma2-2b", "mixtral-8x7b", "t5-small"])
def test_one_wrong_number_in_any_tensor_is_found(preset: str) -> None:
    made = traced(preset)
    for name, held in made.forward.tensors.items():
        if held.array.dtype == np.float32:
            assert name in proof_with(made, name, 1e-3).bad, name


def test_a_number_that_is_not_one_is_found() -> None:
    assert proof_with(traced("bert-base"), "enc.0.attn.q", float("nan")).bad == ["enc.0.attn.q"]


@pytest.mark.parametrize("preset", ["bert-base", "llama3-8b", "gemma2-2b", "mixtral-8x7b", "t5-v1.1-small"])
def test_a_changed_parameter_is_found(preset: str) -> None:
    """The oracle reads every parameter: each one changed alone makes some tensor differ."""
    made = traced(preset)
    for name, held in made.forward.weights.items():
        if name in ("w.embedding.token.weight", "w.encoder.position.table.weight", "w.decoder.position.table.weight"):
            continue  # only rows of the text are read
        changed = held.array.copy()
        changed += 0.05
        weights = {**made.forward.weights, name: replace(held, array=changed)}
        assert prove(replace(made.forward, weights=weights), made.config).bad, name


@pytest.mark.parametrize(
    "changes",
    [
        {"windows": (3, None), "position": "rotary", "rotary_stretch": (8.0, 1.0, 4.0, 16.0)},
        {"position": "none", "activation": "relu", "head_transform": False, "logit_scale": 0.5, "logit_softcap": 3.0},
        {"position": "sinusoidal", "norm": "rmsnorm", "norm_placement": "sandwich", "qk_norm": True},
        {"position": "relative", "num_kv_heads": 1, "attention_softcap": 2.0, "attention_scale": 0.3},
        {"norm_placement": "pre", "input_norm": True, "first_norm": False, "embedding_scale": 2.0, "norm_bias": False},
        {"tie_embeddings": False, "head_bias": False, "head_transform_bias": False, "attention_bias": False},
        {"feed_forward": "glu", "num_experts": 3, "experts_per_token": 1, "activation": "silu"},
        {"feed_forward": "glu", "activation": "gelu_tanh", "feed_forward_bias": True, "d_head": 6},
    ],
)
@pytest.mark.parametrize("preset", ["bert-base", "gpt2-124m", "bart-base"])
def test_settings_in_any_mixture_agree(preset: str, changes: dict[str, object]) -> None:
    more = {"position_offset": 0} if "position" in changes else {}
    model = quiet(random_model(config_of(preset, **changes, **more), dtype=torch.float32))
    text = "Natura stwarza" if preset == "gpt2-124m" else "Natura stwarza obrazy."
    made = trace(model, small_tokenizer(), text, target="Nature" if preset == "bart-base" else None)
    assert (made.proof.bad, made.proof.absent) == ([], [])
    assert made.forward.difference < 1e-5


def test_a_source_that_is_seen_whole_agrees_and_is_seen_from_everywhere() -> None:
    made = trace(model_of("llama3-8b"), small_tokenizer(), "Natura stwarza", target="Nature", source_whole=True)
    assert made.proof.bad == []
    prefix = made.sides["dec"]["prefix"]
    seen = made.tensors["dec.visible.0"]
    assert 0 < prefix < len(seen)
    assert seen[:, :prefix].all()
    assert not np.triu(seen[:, prefix:], 1 - prefix).any()


def test_rounding_that_grows_through_the_layers_is_told_apart_from_a_wrong_number() -> None:
    """Large random weights: float32 and float64 part on the way, but each part of each layer agrees."""
    model = random_model(config_of("gemma3-270m"), dtype=torch.float32)
    made = trace(model, small_tokenizer(), "Natura stwarza najpiękniejsze")
    assert made.proof.drift > 1e-4 > made.proof.largest
    assert made.proof.bad == []
    assert proof_with(made, "dec.3.attn.q", 1e-3).bad == ["dec.3.attn.q"]


def test_a_model_without_a_head_ends_at_its_hidden_vectors() -> None:
    made = trace(model_of("bert-base"), small_tokenizer(), "Natura [MASK] obrazy.", masked_head=False)
    assert made.proof.bad == made.proof.absent == []
    assert list(made.tensors)[-1] == "enc.hidden"
    assert made.answers["masks"] == []
    assert made.analysis is not None
    assert made.analysis["contributions"] is None


@pytest.mark.parametrize("module", [oracle, oracle_order])
def test_the_oracle_knows_nothing_of_the_model(module: ModuleType) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    plain = {"__future__", "collections.abc", "dataclasses", "math", "numpy", "numpy.typing", "typing"}
    assert imported - plain <= {"osnowa.explain.oracle_order"}


def test_nothing_stays_on_the_model() -> None:
    model = model_of("bart-base")
    traced("bart-base")
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
