"""What machine this is, and how a run uses it."""

from __future__ import annotations

import math
import os
import platform
from dataclasses import dataclass
from typing import Any

import torch

from osnowa.errors import SettingsError
from osnowa.processor import processor_name
from osnowa.runs import limits
from osnowa.runs.recipe import Recipe
from osnowa.train.compiled import choose_compiled
from osnowa.train.precision import choose_precision, tune_allocator, tune_matmul

_TOKENS_AT_ONCE = {"cpu": 8192, "cuda": 65_536}  # of a micro-batch, when the recipe does not say


@dataclass(frozen=True)
class Machine:
    """Device, number format and parallelism of a run."""

    device: torch.device
    dtype: torch.dtype
    threads: int
    micro_rows: int
    compiled: bool = False

    def as_dict(self) -> dict[str, Any]:
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else processor_name()
        return {
            "device": self.device.type,
            "name": name,
            "threads": self.threads,
            "compiled": self.compiled,
            "precision": "bf16" if self.dtype == torch.bfloat16 else "fp32",
            "torch": torch.__version__,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
        }


def set_up(recipe: Recipe) -> Machine:
    """The machine of a run, and this process made ready for it: threads, memory, products.

    Raises:
        SettingsError: a device or a compiler that is not there.
    """
    machine = choose_machine(recipe)
    torch.set_num_threads(machine.threads)
    tune_allocator()
    tune_matmul(machine.dtype)
    if machine.device.type == "cuda" and recipe.training.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    return machine


def choose_machine(recipe: Recipe) -> Machine:
    """Device, precision, threads and micro-batch; the process stays as it is.

    Raises:
        SettingsError: a device or a compiler that is not there.
    """
    wanted = recipe.run.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise SettingsError("run.device = cuda", "this machine has no usable CUDA GPU", "use --device cpu")
    device = torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")
    dtype = choose_precision(recipe.training.precision, device)
    threads = recipe.training.threads or limits.threads()
    micro = recipe.training.micro_rows or max(1, _TOKENS_AT_ONCE[device.type] // recipe.data.row_length)
    if not recipe.training.micro_rows:  # parts of the batch that are as long as each other
        micro = math.ceil(recipe.training.batch_rows / math.ceil(recipe.training.batch_rows / micro))
    compiled = choose_compiled(recipe.training.compiled, device, experts=recipe.model.num_experts > 0)
    return Machine(device, dtype, threads, min(micro, recipe.training.batch_rows), compiled)
