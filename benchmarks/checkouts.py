"""nanoGPT and nanoT5 as peers, from local checkouts: their model, trained by the loop of their own scripts.

Contenders are named "nanogpt=PATH" and "nanot5=PATH". Same rows, batch, rate, warm-up and AdamW as the others; no
dropout; bfloat16 where the processor computes in it, as these scripts do.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

Losses = Callable[[dict[str, Tensor]], Tensor]
BETAS = (0.9, 0.999)  # osnowa's in these works
CLIP = 1.0


@dataclass(frozen=True)
class Checkout:
    """A model of a checkout: its loss for a batch of our collators, its logits for held-out questions, its optimizer."""

    model: torch.nn.Module
    loss: Losses
    logits: Callable[[dict[str, Tensor]], Tensor]
    optimiser: torch.optim.Optimizer


def split(contender: str) -> tuple[str, Path] | None:
    """Name and folder of such a contender; None for the others."""
    name, _, path = contender.partition("=")
    return (name, Path(path)) if name in BUILDERS and path else None


def load(folder: Path, file: str) -> ModuleType:
    """A file of a checkout as a module.

    Raises:
        SystemExit: there is no such file.
    """
    path = folder / file
    if not path.is_file():
        raise SystemExit(f"{folder}: has no {file}; name the folder of a checkout")
    sys.path.insert(0, str(folder))
    found = importlib.util.spec_from_file_location(path.stem, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[path.stem] = module  # dataclasses look their own module up
    found.loader.exec_module(module)
    return module


def nano_gpt(folder: Path, reference: Any, length: int, rate: float, device: torch.device) -> Checkout:
    """nanoGPT's GPT in the shape of a GPT-2 of transformers."""
    module, shape = load(folder, "model.py"), reference.config
    model = module.GPT(
        module.GPTConfig(
            block_size=length,
            vocab_size=shape.vocab_size,
            n_layer=shape.n_layer,
            n_head=shape.n_head,
            n_embd=shape.n_embd,
            dropout=0.0,
            bias=True,
        )
    ).to(device)

    def loss(batch: dict[str, Tensor]) -> Tensor:
        tokens = batch["input_ids"]
        found: Tensor = model(tokens[:, :-1], tokens[:, 1:].contiguous())[1]
        return found

    def logits(batch: dict[str, Tensor]) -> Tensor:
        found: Tensor = model(batch["input_ids"], batch["input_ids"])[0]  # with targets it gives those of all places
        return found

    return Checkout(model, loss, logits, model.configure_optimizers(0.0, rate, BETAS, device.type))


def nano_t5(folder: Path, reference: Any, _length: int, rate: float, device: torch.device) -> Checkout:
    """nanoT5's model in the shape of a T5 v1.1 of transformers."""
    model = load(folder, "nanoT5/utils/t5_model.py").MyT5(reference.config).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), rate, BETAS, weight_decay=0.0)
    return Checkout(model, lambda batch: model(**batch).loss, lambda batch: model(**batch).logits, optimiser)


BUILDERS: dict[str, Callable[[Path, Any, int, float, torch.device], Checkout]] = {
    "nanogpt": nano_gpt,
    "nanot5": nano_t5,
}


def steps(
    peer: Checkout, batches: Iterator[dict[str, Tensor]], warmup: int, dtype: torch.dtype, device: torch.device
) -> Iterator[dict[str, Tensor]]:
    """One update for each batch, as those scripts make it (compiled on a GPU); gives the batch back."""
    on_gpu = device.type == "cuda"
    losses: Losses = torch.compile(peer.loss) if on_gpu else peer.loss
    schedule = torch.optim.lr_scheduler.LambdaLR(peer.optimiser, lambda step: min(1.0, (step + 1) / warmup))
    peer.model.train()
    for batch in batches:
        batch = {name: each.to(device, non_blocking=True) for name, each in batch.items()}
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            loss = losses(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(peer.model.parameters(), CLIP)
        peer.optimiser.step()
        peer.optimiser.zero_grad(set_to_none=True)
        schedule.step()
        if on_gpu:
            torch.cuda.synchronize()
        yield batch
