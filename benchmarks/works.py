"""The works of the training benchmark: a shape, its rows and batch, who trains it, and what osnowa should reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from osnowa.processor import onednn_multiplies_bfloat16
from osnowa.runs.api import recipe_of
from osnowa.runs.machine import choose_machine, set_up
from osnowa.runs.prepare import open_prepared
from osnowa.runs.recipe import Recipe
from osnowa.runs.workshop import Workshop
from osnowa.train.precision import has_fast_bfloat16

RATE, WARMUP, WARM = 3e-4, 20, 1
VOCABULARY = 16_384
PEERS = ("trainer", "trainer-bf16", "trainer-tuned")
CHECKOUT_T5 = "t5-v1.1-4+4x256"
Goals = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Work:
    """A preset with some settings, as both sides train it; goals by peer: (floor, aim)."""

    preset: str
    length: int
    rows: int
    goals: Goals
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    peers: tuple[str, ...] = PEERS
    ours: tuple[str, ...] = ("osnowa",)
    vocabulary: int = VOCABULARY  # of the tokenizer, as far as the text gives so many
    published: int = 0  # rows of the model's embedding where they are to be more than the tokenizer has
    device: Literal["cpu", "cuda"] = "cpu"
    aim_rate: float = 0.0  # tokens/s

    @property
    def bfloat16(self) -> bool:
        """Whether both sides compute in it where they may."""
        return has_fast_bfloat16(torch.device(self.device))

    @property
    def bfloat16_asked(self) -> bool:
        """Whether the peer's --bf16 is measured: where AVX-512 stands in for it, too; elsewhere a step takes minutes."""
        return self.bfloat16 or onednn_multiplies_bfloat16()

    def recipe(self, contender: str) -> Recipe:
        """Ours: no dropout but where the name says so, the Trainer's optimizer."""
        precision = "fp32" if contender.endswith("fp32") else "auto"
        ours: dict[str, dict[str, Any]] = {
            "model": {"dropout": 0.1 if contender.endswith("dropout") else 0.0},
            "tokenizer": {"vocab_size": self.vocabulary},
            "data": {"row_length": self.length},
            "training": {
                "batch_rows": self.rows,
                "optimiser": "adamw",
                "learning_rate": RATE,
                "beta2": 0.999,
                "weight_decay": 0.0,
                "precision": precision,
                "held_out_rows": 128,
            },
        }
        for name, section in self.settings.items():
            ours[name] = {**ours.get(name, {}), **section}
        return recipe_of(preset=self.preset, steps=100_000, device=self.device, settings=ours)


GPU_PEERS = ("trainer-bf16", "trainer-compiled")
COMPILED: dict[str, dict[str, Any]] = {"training": {"compiled": "yes"}}
MASKED: dict[str, dict[str, Any]] = {"objective": {"name": "masked"}, "model": {"next_sentence": False}}
WORKS: dict[str, Work] = {
    "mlm-4x256": Work(
        "bert-mini",
        128,
        32,
        {"trainer": (7, 10), "trainer-bf16": (3.5, 5), "trainer-tuned": (1.8, 2.5)},
        ours=("osnowa", "osnowa-masked", "osnowa-dropout"),
    ),
    "mlm-6x512": Work(
        "bert-small",
        128,
        32,
        {"trainer": (5, 6), "trainer-bf16": (2.3, 3), "trainer-tuned": (1.3, 1.8)},
        {**MASKED, "model": {"encoder_layers": 6, "next_sentence": False}},
    ),
    "mlm-12x768": Work(
        "bert-base",
        128,
        8,
        {"trainer": (4, 5.5), "trainer-bf16": (1.6, 2.2), "trainer-tuned": (1.15, 1.5)},
        MASKED,
    ),
    "clm-4x256": Work(
        "gpt2-mini", 256, 16, {"trainer": (4, 6), "trainer-bf16": (2.3, 3.5), "trainer-tuned": (1.15, 1.6)}
    ),
    "t5-4+4x256": Work(
        "t5-mini", 128, 32, {"trainer": (4, 6), "trainer-bf16": (2.2, 3.3), "trainer-tuned": (1.3, 1.7)}
    ),
    # asked for by --nanot5 alone: that code knows no plain feed-forward network
    CHECKOUT_T5: Work("t5-v1.1-mini", 128, 32, {}, peers=("trainer", "trainer-tuned")),
    "mlm-4x256-fp32": Work(
        "bert-mini", 128, 32, {"trainer": (3.5, 4.5)}, MASKED, peers=("trainer",), ours=("osnowa-fp32",)
    ),
    # one GPU: `python -m benchmarks.gpu`
    "gpu-bert-base": Work(
        "bert-base",
        512,
        64,
        {"trainer-bf16": (2.5, 4), "trainer-compiled": (1.4, 2)},
        MASKED,
        peers=GPU_PEERS,
        published=30_592,
        device="cuda",
        aim_rate=650_000,
    ),
    "gpu-gpt2": Work(
        "gpt2",
        1024,
        32,
        {"trainer-bf16": (2, 3), "trainer-compiled": (1.1, 1.2)},
        peers=GPU_PEERS,
        published=50_304,
        device="cuda",
        aim_rate=500_000,
    ),
    "gpu-t5-base": Work(  # the aim is 0.16 s for a step of 128 x (512 + 114)
        "t5-base",
        512,
        128,
        {"trainer-bf16": (2.5, 4), "trainer-compiled": (1.4, 2)},
        peers=GPU_PEERS,
        published=32_128,
        device="cuda",
        aim_rate=128 * (512 + 114) / 0.16,
    ),
    # the same way at a size of seconds on a processor, compiled by its own compiler
    "gpu-bert-tiny": Work("bert-tiny", 32, 4, {}, {**MASKED, **COMPILED}, peers=GPU_PEERS, vocabulary=512),
    "gpu-gpt2-tiny": Work("gpt2-tiny", 32, 4, {}, COMPILED, peers=GPU_PEERS, vocabulary=512, published=600),
    "gpu-t5-tiny": Work("t5-tiny", 32, 4, {}, COMPILED, peers=GPU_PEERS, vocabulary=512),
    # seconds on any machine: what the test of this benchmark runs
    "mlm-tiny": Work("bert-tiny", 32, 4, {"trainer": (1, 2)}, MASKED, peers=("trainer",), vocabulary=512),
    "clm-tiny": Work("llama-tiny", 32, 4, {"trainer": (1, 2)}, peers=("trainer",), vocabulary=512),
    "t5-tiny": Work("t5-tiny", 32, 4, {"trainer": (1, 2)}, peers=("trainer",), vocabulary=512),
}
TINY = tuple(name for name in WORKS if name.endswith("-tiny") and not name.startswith("gpu-"))
GPU = tuple(name for name in WORKS if name.startswith("gpu-") and not name.endswith("-tiny"))
GPU_TINY = tuple(name for name in WORKS if name.startswith("gpu-") and name.endswith("-tiny"))
CPU = tuple(name for name in WORKS if name not in (*TINY, *GPU, *GPU_TINY, CHECKOUT_T5))


def workshop_of(work: Work, contender: str, data: Path) -> Workshop:
    """What a contender trains with, on as many threads as the others.

    The process of a peer stays as its own library leaves it but for these: osnowa's settings of memory and products are
    part of what is compared.
    """
    recipe, prepared = work.recipe(contender), open_prepared(data)
    recipe = recipe.changed({"model": {"vocab_size": max(work.published, prepared.tokenizer.vocab_size)}})
    machine = set_up(recipe) if contender.startswith("osnowa") else choose_machine(recipe)
    torch.set_num_threads(machine.threads)
    return Workshop(recipe, prepared, machine)
