"""How long the small things take from cold, each in a process of its own: `--help`, `fill`, and the import of torch.

    python -m benchmarks.start_up [--rounds 5] [--no-save]

Floors here are seconds that must not be passed: `osnowa --help` 0.3 s; `osnowa fill` on a model of the size mini the
import of torch plus 1 s. Byte code is kept from one process to the next, as an installed program has it, whatever
PYTHONDONTWRITEBYTECODE says.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import RESULTS, machine


def seconds_of(command: Sequence[str]) -> float:
    kept = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=kept)
    return time.perf_counter() - began


def make_model(folder: Path) -> Path:
    """A mini encoder after one step."""
    import osnowa

    run = osnowa.pretrain("sample:python-docs", folder / "run", preset="encoder-mini", steps=1, quiet=True)
    return Path(run.folder) / "model"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--no-save", action="store_true", help="leave benchmarks/results as it is")
    chosen = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(Path(folder))
        osnowa = (sys.executable, "-m", "osnowa")
        commands = {
            "python": (sys.executable, "-c", "pass"),
            "import torch": (sys.executable, "-c", "import torch"),
            "osnowa --help": (*osnowa, "--help"),
            "osnowa fill": (*osnowa, "fill", str(model), "If the file does not [MASK], an error is raised."),
        }
        found: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(chosen.rounds + 1):
            for name, command in commands.items():
                taken = seconds_of(command)
                if number:
                    found[name].append(taken)
    rows = []
    for name, taken in found.items():
        median = statistics.median(taken)
        print(f"{name}: {median:.2f} s ({min(taken):.2f}-{max(taken):.2f})")  # noqa: T201
        rows.append({"name": name, "seconds": median, "low": min(taken), "high": max(taken)})
    late = statistics.median(a - b for a, b in zip(found["osnowa fill"], found["import torch"], strict=True))
    print(f"fill after the import of torch: {late:.2f} s (at most 1)")  # noqa: T201
    if not chosen.no_save:
        RESULTS.mkdir(exist_ok=True)
        content = {"benchmark": "start_up", "machine": machine(), "rows": rows, "fill_after_torch": late}
        (RESULTS / "start_up.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
