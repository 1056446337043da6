"""The memory that is foreseen: what a forward pass really keeps, and parts that follow the settings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from osnowa.data import TokenSplit
from osnowa.model import Layout, ModelConfig, Transformer
from osnowa.objective import Batch, ObjectiveConfig, Source, build_objective
from osnowa.runs import memory as memory_estimate
from osnowa.runs.machine import Machine
from osnowa.runs.memory import Memory, estimate, kept_for_backward, memory_in_words
from osnowa.runs.recipe import Recipe
from osnowa.runs.work import count_parameters, placeholder, row_shape
from osnowa.train.rules import NUMBERS_AT_ONCE

SHAPE = {"vocab_size": 300, "d_model": 32, "d_ff": 64, "num_heads": 2, "max_positions": 64}
MODELS: dict[str, tuple[dict[str, Any], str]] = {
    "encoder": ({"encoder_layers": 2, "head_transform": True, "input_norm": True}, "masked"),
    "decoder": ({"decoder_layers": 2, "position": "rotary", "feed_forward": "glu", "norm": "rmsnorm"}, "next-token"),
    "both": ({"encoder_layers": 1, "decoder_layers": 2, "position": "relative"}, "span-corruption"),
}


def model_of(kind: str) -> tuple[ModelConfig, ObjectiveConfig]:
    changes, name = MODELS[kind]
    return ModelConfig.read("model", {**SHAPE, **changes}), ObjectiveConfig.read("objective", {"name": name})


def really_kept(config: ModelConfig, objective: ObjectiveConfig, row_length: int, rows: int) -> int:
    """Bytes of all tensors that a true forward pass on the processor keeps, each once."""
    shape = row_shape(config, objective, row_length)

    def places(length: int) -> tuple[Tensor, Layout]:
        tokens = torch.randint(0, 300, (rows, length))
        return tokens, Layout(torch.arange(length).expand(rows, length).clone(), torch.ones_like(tokens))

    asked = round(rows * shape.asked)
    tokens, layout = places(shape.decoder_places or shape.encoder_places)
    none = torch.zeros(0, dtype=torch.long)
    source = Source(*places(shape.encoder_places)) if shape.encoder_places and shape.decoder_places else None
    selected = torch.arange(asked) % tokens.numel()
    batch = Batch(
        tokens, torch.zeros_like(tokens), layout, selected, torch.randint(0, 300, (asked,)), none, none, source
    )
    made = build_objective(
        objective, placeholder(config, objective), seed=0, topology=config.topology, row_length=row_length
    )
    model = Transformer(config).train()
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, tuple[int, Tensor]] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes(), tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        made.outcome(model, batch)
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize("kind", list(MODELS))
def test_what_is_foreseen_is_what_a_true_forward_pass_keeps(kind: str) -> None:
    config, objective = model_of(kind)
    foreseen = kept_for_backward(config, objective, 32, 4, dtype=torch.float32, stepwise=True)
    assert foreseen == pytest.approx(really_kept(config, objective, 32, 4), rel=0.02)


def test_twice_the_rows_keep_twice_as_much_but_for_the_gradient_of_the_projection() -> None:
    config, objective = model_of("decoder")
    once = 4 * config.vocab_size * config.d_model
    four, eight = (kept_for_backward(config, objective, 32, n, dtype=torch.float32, stepwise=True) for n in (4, 8))
    assert eight - once == pytest.approx(2 * (four - once), rel=0.01)


def test_experts_are_counted_as_the_chosen_ones() -> None:
    config, objective = model_of("decoder")
    experts = config.changed(num_experts=4, experts_per_token=2, d_ff=32)
    found = kept_for_backward(experts, objective, 32, 4, dtype=torch.float32, stepwise=True)
    assert found == kept_for_backward(config, objective, 32, 4, dtype=torch.float32, stepwise=True)


def machine(micro_rows: int = 16, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Machine:
    return Machine(cast(torch.device, SimpleNamespace(type=device)), dtype, 1, micro_rows)


def split(num_tokens: int = 1000) -> TokenSplit:
    return TokenSplit(np.zeros(num_tokens, dtype=np.uint16), np.array([0, num_tokens]), np.array([0, 1]), num_tokens)


def memory(machine: Machine, **training: object) -> Memory:
    values = {"run": {}, "model": {"vocab_size": 300}, "training": {"steps": 10, **training}}
    return estimate(Recipe.build(preset="encoder-tiny").changed(values), machine, split())


def test_weights_count_what_the_optimiser_remembers_and_each_format() -> None:
    config = Recipe.build(preset="encoder-tiny").model.changed(vocab_size=300)
    number = count_parameters(config)
    assert memory(machine(), optimiser="adamw").weights == 16 * number
    muon = memory(machine(), optimiser="muon").weights
    assert 12 * number < muon < 16 * number
    half = memory(machine(dtype=torch.bfloat16), optimiser="adamw")
    assert half.weights == (4 + 8 + 2 + 2) * number  # masters, moments, copies, their gradients


def test_a_processor_widens_few_gradients_at_once_and_a_gpu_all() -> None:
    config = Recipe.build(preset="encoder-tiny").model.changed(vocab_size=300_000)

    def widened(**of: bool) -> int:
        _, _, bytes_of_them = memory_estimate._optimiser(config, "adamw", **of)
        return bytes_of_them // 4

    assert widened(rounded=True, on_cpu=False) == count_parameters(config)
    assert widened(rounded=True, on_cpu=True) == NUMBERS_AT_ONCE < count_parameters(config)
    assert widened(rounded=False, on_cpu=True) == 0


def test_fewer_rows_at_once_need_less_but_gradients_wait_for_each_other() -> None:
    whole, parts = memory(machine(16)), memory(machine(4))
    assert parts.activations < 0.6 * whole.activations
    assert parts.weights == whole.weights


def test_a_corpus_counts_by_its_files() -> None:
    values = {"model": {"vocab_size": 300}, "training": {"steps": 10}}
    recipe = Recipe.build(preset="encoder-tiny").changed(values)
    small, large = (estimate(recipe, machine(), split(number)).data for number in (1000, 1_001_000))
    assert large - small == pytest.approx(1_000_000 * (2 + 2 * 3 * 64 / 128), rel=0.01)


def test_the_program_is_no_part_of_a_gpu_s_memory() -> None:
    assert memory(machine(device="cuda")).program == 0
    assert memory(machine()).program > 100 << 20


def test_the_parts_are_the_whole() -> None:
    found = memory(machine()).as_dict()
    assert found["total"] == sum(found[part] for part in ("weights", "activations", "data", "program"))
    assert memory_in_words(found).startswith(f"{found['total'] / 2**20:,.0f} MiB: weights ")
