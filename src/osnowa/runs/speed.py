"""How fast this machine will train, told from a matrix product measured now."""

from __future__ import annotations

import time

import torch

from osnowa.runs.machine import Machine
from osnowa.runs.recipe import Recipe
from osnowa.runs.work import flops_per_token

# Share of the matrix-product peak that training reaches with small models: the slower the products, the less the rest
# counts (bfloat16 with AMX or AVX-512 0.3 to 0.6 measured, float32 with AVX2 0.75).
_UTILISATION = {torch.bfloat16: 0.35, torch.float32: 0.7}
_PEAK_SIZES, _PEAK_SECONDS = {"cpu": 1024, "cuda": 8192}, 0.3


def tokens_per_second(recipe: Recipe, machine: Machine) -> float:
    """How fast a recipe will train, with the vocabulary that it names."""
    return useful_operations(machine) / flops_per_token(recipe.model, recipe.objective, recipe.data.row_length)


def useful_operations(machine: Machine) -> float:
    """Operations per second that training does here, roughly."""
    return _UTILISATION[machine.dtype] * matrix_peak(machine)


def matrix_peak(machine: Machine) -> float:
    """Operations per second of a large matrix product."""
    size = _PEAK_SIZES[machine.device.type]
    left = torch.randn(size, size, device=machine.device).to(machine.dtype)
    left @ left
    done, began = 0, time.monotonic()
    while time.monotonic() - began < _PEAK_SECONDS:
        left @ left
        if machine.device.type == "cuda":
            torch.cuda.synchronize()
        done += 1
    return done * 2 * size**3 / (time.monotonic() - began)
