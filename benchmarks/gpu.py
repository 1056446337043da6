"""Pre-training on one CUDA GPU: osnowa's compiled step beside the `transformers` Trainer, plain and compiled.

    python -m benchmarks.gpu [--rounds 5] [--nanogpt CHECKOUT] [--tiny]

BERT-base in rows of 512, GPT-2 of 124 million parameters in rows of 1,024, T5-base from 512 to 114 tokens, each side
with the same weights, rows, batch and AdamW, in bfloat16. Beside tokens per second stand the aim, the share of a matrix
product's peak measured in the same run (model FLOPs utilisation), the peak of GPU memory, and the held-out loss.

--tiny goes the same way at a size of seconds on a processor: whole steps compiled by its own compiler, nothing kept.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch

from benchmarks.measuring import Row, tell
from benchmarks.training import run
from benchmarks.works import GPU, GPU_TINY

SECONDS, TINY_SECONDS = 90.0, 6.0  # that the rounds of one work may take, all contenders together


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("works", nargs="*", metavar="WORK", help=f"{', '.join(GPU)}; none: all three")
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--nanogpt", type=Path, metavar="CHECKOUT", help="a peer of gpu-gpt2")
    words.add_argument("--tiny", action="store_true", help="on a processor, in a minute or two")
    chosen = words.parse_args()
    if not chosen.tiny and not torch.cuda.is_available():
        raise SystemExit("benchmarks.gpu: there is no CUDA GPU here; --tiny runs it at a small size on the processor")
    known = GPU_TINY if chosen.tiny else GPU
    names = chosen.works or known
    if strange := set(names) - set(known):
        raise SystemExit(f"benchmarks.gpu: {', '.join(sorted(strange))} is none of {', '.join(known)}")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            more = (f"nanogpt={chosen.nanogpt.resolve()}",) if chosen.nanogpt and "gpt2" in name else ()
            rows += run(name, Path(folder), chosen.rounds, TINY_SECONDS if chosen.tiny else SECONDS, more)
    tell("gpu", rows, save=not chosen.tiny)


if __name__ == "__main__":
    main()
