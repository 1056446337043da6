"""Forward and backward pass compiled as a whole: for batches of few sizes, with attention by blocks on a GPU."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable
from typing import Literal

import torch

from osnowa.errors import SettingsError
from osnowa.model import Transformer
from osnowa.objective import Batch, Objective, Outcome

CompiledName = Literal["auto", "yes", "no"]
Ask = Callable[[Transformer, Batch], Outcome]
OLDEST_GPU = (7, 0)  # that Triton knows
MOST_SIZES = 64  # that are compiled before torch gives up: parts of rows times parts of what is asked


def choose_compiled(name: CompiledName, device: torch.device, *, experts: bool = False) -> bool:
    """`auto`: on a GPU, where what compiles for it is there, and no token chooses among experts.

    Raises:
        SettingsError: `yes` where it can't be.
    """
    if name == "no" or (name == "auto" and device.type == "cpu"):
        return False
    lacks = "sizes that are known beforehand, which experts have not" if experts else missing(device)
    if lacks is not None and name == "yes":
        raise SettingsError("training.compiled = yes", f"needs {lacks}", "use --training.compiled=no")
    return lacks is None


def missing(device: torch.device) -> str | None:
    """What compiling for a device needs and is not here; None where all of it is."""
    if device.type == "cpu":  # the one that torch's compiler calls
        return None if shutil.which(os.environ.get("CXX") or "g++") else "a C++ compiler (g++, or what CXX names)"
    if importlib.util.find_spec("triton") is None:
        return "the package triton"
    if not any(map(shutil.which, (os.environ.get("CC") or "gcc", "gcc", "clang"))):
        return "a C compiler (gcc, clang, or what CC names)"
    return None if torch.cuda.get_device_capability(device) >= OLDEST_GPU else "a GPU of compute capability 7.0 or more"


def compile_questions(model: Transformer, objective: Objective) -> Ask:
    """`objective.outcome` compiled for each size of batch anew; attention by blocks on a GPU where it knows how.

    It does not know dropout, nor numbers added to scores that are trained themselves (relative positions), and its
    kernels are made for heads of 16 to 128. What is returned raises SettingsError where the compiler fails.
    """
    from torch._dynamo import config as dynamo  # 3 s, and only who compiles needs it
    from torch._dynamo.exc import BackendCompilerFailed

    dynamo.recompile_limit = max(dynamo.recompile_limit, MOST_SIZES)
    config = model.config
    dropout = config.dropout if config.attention_dropout is None else config.attention_dropout
    fits = config.head_width in range(16, 129) and not dropout and config.position != "relative"
    if model.embedding.token.weight.is_cuda and fits:
        model.look_by_blocks()
    compiled: Ask = torch.compile(objective.outcome, dynamic=False)

    def ask(model: Transformer, batch: Batch) -> Outcome:
        try:
            return compiled(model, batch)
        except BackendCompilerFailed as error:
            why = " ".join(str(error).split("\n")[:2]).strip()
            raise SettingsError(
                "training.compiled", f"the step could not be compiled here ({why})", "use --training.compiled=no"
            ) from error

    return ask
