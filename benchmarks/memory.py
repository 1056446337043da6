"""Peak memory of real short trainings beside what `osnowa doctor` says before them.

    python -m benchmarks.memory [--presets encoder-tiny gpt2-mini ...] [--steps 4] [--vocabulary 4096]

Each preset is prepared from the text inside Python, then examined and trained in a process of its own; the peak is the
process's own (ru_maxrss). Prints a line for each: predicted and measured MiB, their ratio, and the parts.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from osnowa.runs.api import recipe_of
from osnowa.runs.doctor import examine
from osnowa.runs.prepare import open_prepared, prepare_into
from osnowa.runs.pretrain import pretrain
from osnowa.runs.recipe import Recipe

PRESETS = ("encoder-tiny", "encoder-mini", "gpt2-tiny", "gpt2-mini", "t5-tiny", "t5-mini")
MEGA = 2**20


def recipe(preset: str, steps: int, vocabulary: int, overrides: list[str]) -> Recipe:
    held_out = ["--training.held_out_rows=16", "--training.evaluations=1"]
    return recipe_of(
        preset=preset,
        steps=steps,
        device="cpu",
        overrides=[f"--tokenizer.vocab_size={vocabulary}", *held_out, *overrides],
    )


def measure(preset: str, data: Path, work: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """In a process of its own: the prediction, then a training, then the peak."""
    chosen = recipe(preset, arguments.steps, arguments.vocabulary, arguments.overrides)
    prepared = open_prepared(data)
    resolved = chosen.changed({"model": {"vocab_size": prepared.tokenizer.vocab_size}})
    predicted = examine(prepared, resolved).figures["memory"]
    del prepared
    pretrain([str(data)], work / "run", chosen, quiet=True)
    return {**predicted, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def main() -> int:
    """Measure every preset; 1 when one is more than 15 % off."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="*", default=list(PRESETS))
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--data", type=Path, help="keep prepared corpora here")
    parser.add_argument("--one", nargs=3, metavar=("PRESET", "DATA", "WORK"), help=argparse.SUPPRESS)
    arguments, arguments_left = parser.parse_known_args()
    arguments.overrides = arguments_left
    if arguments.one:
        preset, data, work = arguments.one
        sys.stdout.write(json.dumps(measure(preset, Path(data), Path(work), arguments)) + "\n")
        return 0
    worst = 0.0
    sys.stdout.write("preset            predicted  measured  ratio   weights  activations  data  program\n")
    with tempfile.TemporaryDirectory() as scratch:
        for preset in arguments.presets:
            found = in_own_process(preset, arguments.data or Path(scratch), Path(scratch), arguments)
            ratio = found["total"] / found["peak"]
            worst = max(worst, abs(ratio - 1))
            numbers = [found[key] / MEGA for key in ("total", "peak")]
            parts = [found[key] / MEGA for key in ("weights", "activations", "data", "program")]
            told = " ".join(f"{part:9,.0f}" for part in parts)
            sys.stdout.write(f"{preset:<16} {numbers[0]:9,.0f} {numbers[1]:9,.0f}  {ratio:5.2f} {told}\n")
            sys.stdout.flush()
    sys.stdout.write(f"largest difference {worst:.0%}\n")
    return int(worst > 0.15)


def in_own_process(preset: str, home: Path, scratch: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Prepare (once for each way to make tokens), then measure."""
    chosen = recipe(preset, arguments.steps, arguments.vocabulary, arguments.overrides)
    tokenizer = chosen.tokenizer
    data = home / f"{tokenizer.kind}-{tokenizer.specials}-{tokenizer.frame}-{len(tokenizer.extra_specials)}"
    data = data.with_name(f"{data.name}-{tokenizer.split}-{arguments.vocabulary}")
    home.mkdir(parents=True, exist_ok=True)
    if not data.exists():
        prepare_into(["sample:python-docs"], data, chosen)
    with tempfile.TemporaryDirectory(dir=scratch) as work:
        words = [sys.executable, "-m", "benchmarks.memory", "--one", preset, str(data), work]
        words += ["--steps", str(arguments.steps), "--vocabulary", str(arguments.vocabulary), *arguments.overrides]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    raise SystemExit(main())
