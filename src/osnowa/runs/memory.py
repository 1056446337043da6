"""How much memory a training will take: weights and what the optimiser remembers, activations, data."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from osnowa.data import TokenSplit
from osnowa.data.blocks import BLOCK_TOKENS
from osnowa.model import Layout, ModelConfig
from osnowa.model.attention import LONGEST_STEPWISE, Attention
from osnowa.model.cross_entropy import BLOCK_NUMBERS, slice_numbers
from osnowa.model.outline import outline
from osnowa.objective import Batch, ObjectiveConfig, Source, build_objective
from osnowa.runs import limits
from osnowa.runs.machine import Machine
from osnowa.runs.recipe import Recipe
from osnowa.runs.work import RowShape, placeholder, row_shape
from osnowa.train.optimisers import OptimiserName, group_names
from osnowa.train.rules import NUMBERS_AT_ONCE

_FLOAT, _HALF = 4, 2
# Calibrated on ru_maxrss of short float32 trainings (benchmarks.memory, LOG.md).
_ENGINE = 50 << 20  # kernels and their scratch memory, made at the first products
_LOOSE = 1.5  # blocks that were freed do not always fit what comes next
_PLAN_BYTES = 2 * 3 * 64  # two plans, each 3 bytes a token of rows of 64 (LOG.md)


PARTS = ("weights", "activations", "data", "program")


@dataclass(frozen=True)
class Memory:
    """Bytes of a training at its peak, by what they are for."""

    weights: int  # with gradients and what the optimiser remembers
    activations: int  # beyond the weights, of one micro-batch
    data: int  # the corpus as it is mapped, and the plans of what is shown
    program: int  # what the process holds besides

    @property
    def total(self) -> int:
        return self.weights + self.activations + self.data + self.program

    def as_dict(self) -> dict[str, int]:
        return {**asdict(self), "total": self.total}


def estimate(recipe: Recipe, machine: Machine, split: TokenSplit) -> Memory:
    """What a training of `recipe` takes at its peak, on the device where the model is (the program is not counted on a GPU).

    float32 weights and moments, gradients as they come, copies where the numbers have another format; the tensors that
    a micro-batch keeps for the backward pass, with the largest that are made beside them.
    """
    config, training, row_length = recipe.model, recipe.training, recipe.data.row_length
    rows, on_cpu = machine.micro_rows, machine.device.type == "cpu"
    shape = row_shape(config, recipe.objective, row_length)
    longest = max(shape.encoder_places, shape.decoder_places)
    stepwise = on_cpu and longest <= LONGEST_STEPWISE
    kept = kept_for_backward(config, recipe.objective, row_length, rows, dtype=machine.dtype, stepwise=stepwise)
    logits = _logits(rows * shape.asked, config.vocab_size, machine)
    rounded = machine.dtype != torch.float32
    parameters, remembered, moving = _optimiser(config, training.optimiser, rounded=rounded, on_cpu=on_cpu)
    gradients = machine.dtype.itemsize * parameters
    copies = _HALF * parameters if rounded else 0
    served = 0 if rounded else gradients  # of them by the memory of activations, as those go
    accumulated = served if rows < training.batch_rows else 0
    beside = max(round(_LOOSE * (kept + logits)) + accumulated, served + moving)
    return Memory(
        weights=_FLOAT * parameters + remembered + copies + gradients,
        activations=beside - served,
        data=mapped(split) + _PLAN_BYTES * min(split.num_tokens, BLOCK_TOKENS) // row_length,
        program=resident() + _ENGINE if on_cpu else 0,
    )


def _logits(asked: float, vocab_size: int, machine: Machine) -> int:
    """Bytes of the logits that become their own gradient, and of the slices of log-probabilities beside them."""
    numbers, block = round(asked) * vocab_size, max(vocab_size, BLOCK_NUMBERS)
    piece = max(vocab_size, slice_numbers(machine.threads)) if machine.device.type == "cpu" else block
    return machine.dtype.itemsize * min(numbers, block) + 2 * _FLOAT * min(numbers, piece)


def _optimiser(config: ModelConfig, name: OptimiserName, *, rounded: bool, on_cpu: bool) -> tuple[int, int, int]:
    """Parameters, bytes that the optimiser remembers of them, and bytes while it moves some; gradients may be `rounded`."""
    named = dict(outline(config).named_parameters())
    groups = group_names(named, name)
    sizes = {label: sum(named[each].numel() for each in names) for label, names in groups.items()}
    alike = Counter(tuple(named[each].shape) for each in groups["matrices"])
    by_muon = max((number * math.prod(shape) for shape, number in alike.items()), default=0)
    by_adamw = sizes["decayed"] + sizes["plain"]
    if on_cpu:
        by_adamw = min(by_adamw, NUMBERS_AT_ONCE)
    numbers = max(5 * by_muon, by_adamw) if rounded else 4 * by_muon  # gradients are widened as they are needed
    remembered = 2 * _FLOAT * (sizes["decayed"] + sizes["plain"]) + _FLOAT * sizes["matrices"]
    return sum(sizes.values()), remembered, _FLOAT * numbers


def mapped(split: TokenSplit) -> int:
    """Bytes of a split's files."""
    return split.tokens.nbytes + split.sentences.nbytes + split.documents.nbytes


def resident() -> int:
    """Bytes that this process holds now; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as handle:
            return int(handle.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def available() -> int | None:
    """Bytes that this process could have, with those it holds; None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as handle:
            free = next(int(line.split()[1]) for line in handle if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
    limited = limits.memory()
    return (free * 1024 if limited is None else min(free * 1024, limited)) + resident()


def memory_in_words(memory: Mapping[str, int]) -> str:
    """'1,203 MiB: weights 55, activations 800, ...'."""
    parts = ", ".join(f"{name} {memory[name] / 2**20:,.0f}" for name in PARTS if memory[name])
    return f"{memory['total'] / 2**20:,.0f} MiB: {parts}"


def kept_for_backward(
    config: ModelConfig, objective: ObjectiveConfig, row_length: int, rows: int, *, dtype: torch.dtype, stepwise: bool
) -> int:
    """Bytes of the tensors that the forward pass of `rows` rows leaves for the backward pass.

    Counted by running it on tensors that have shapes and no numbers. Experts are counted as one network as wide as the
    chosen ones together, since which tokens an expert gets depends on numbers. `stepwise`: attention one product at a
    time, as on a CPU; what it saves there by leaving out later keys and queries that nobody asks is not counted.
    """
    if config.num_experts:
        width = config.d_ff * config.experts_per_token
        config = config.changed(num_experts=0, balance_weight=0.0, d_ff=width)
    made = build_objective(
        objective, placeholder(config, objective), seed=0, topology=config.topology, row_length=row_length
    )
    model = outline(config).to(dtype).train()
    with torch.device("meta"):
        batch = _batch(row_shape(config, objective, row_length), rows)
    for part in model.modules():
        if isinstance(part, Attention) and stepwise:
            part.scores.register_forward_hook(lambda *_: None)
    own = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outcome = made.outcome(model, batch)
    assert outcome.token_loss.requires_grad
    return sum(kept.values())


def _batch(shape: RowShape, rows: int) -> Batch:
    """A micro-batch of full rows, without numbers."""

    def places(length: int) -> tuple[Tensor, Layout]:
        tokens = torch.zeros(rows, length, dtype=torch.long)
        return tokens, Layout(tokens, tokens)

    none, asked = torch.zeros(0, dtype=torch.long), torch.zeros(round(rows * shape.asked), dtype=torch.long)
    source = Source(*places(shape.encoder_places)) if shape.encoder_places and shape.decoder_places else None
    tokens, layout = places(shape.decoder_places or shape.encoder_places)
    return Batch(tokens, torch.zeros_like(tokens), layout, asked, asked, none, none, source)
