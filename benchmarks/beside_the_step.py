"""What a run does beside its steps: the share of time that the monitor takes, and that checkpoints stop the step for.

    python -m benchmarks.beside_the_step [--preset encoder-mini] [--steps 200] [--no-save]

A run on the text inside Python, whose own calls are timed: `report` of each step against the step itself (at most 1 %),
and what saving a checkpoint holds up against the whole loop (at most 2 %; one is asked for every six seconds here, the
default is 5 minutes). Looks at held-out text and snapshots are not counted: they are asked for, and told apart.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import osnowa
from benchmarks.measuring import RESULTS, machine
from osnowa.train.checkpoints import Saver
from osnowa.train.loop import Trainer

SECONDS: dict[str, list[float]] = {"step": [], "report": [], "checkpoint": [], "save": []}
MONITOR, CHECKPOINTS = 0.01, 0.02  # shares that must not be passed


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def measured(*words: Any, **more: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*words, **more)
        finally:
            SECONDS[name].append(time.perf_counter() - began)

    return measured


def measure(preset: str, steps: int) -> dict[str, Any]:
    """Shares, as a row of the results."""
    for each in SECONDS.values():
        each.clear()
    kept = Trainer.step, Trainer.report, Trainer.checkpoint, Saver.save
    Trainer.step, Trainer.report = timed("step", kept[0]), timed("report", kept[1])  # type: ignore[method-assign]
    Trainer.checkpoint, Saver.save = timed("checkpoint", kept[2]), timed("save", kept[3])  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as folder:
            settings = {"training": {"checkpoint_minutes": 0.1}}
            osnowa.pretrain("sample:python-docs", Path(folder) / "run", preset=preset, steps=steps, settings=settings)
    finally:
        Trainer.step, Trainer.report, Trainer.checkpoint, Saver.save = kept  # type: ignore[method-assign]
    total = {name: sum(each) for name, each in SECONDS.items()}
    held_up = total["checkpoint"] + total["save"]
    return {
        "name": preset,
        "steps": len(SECONDS["step"]),
        "checkpoints": len(SECONDS["save"]),
        "step_milliseconds": 1e3 * total["step"] / len(SECONDS["step"]),
        "monitor_milliseconds": 1e3 * total["report"] / len(SECONDS["report"]),
        "monitor_share": total["report"] / total["step"],
        "checkpoint_share": held_up / (total["step"] + total["report"] + held_up),
    }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--preset", default="encoder-mini")
    words.add_argument("--steps", type=int, default=200)
    words.add_argument("--no-save", action="store_true", help="leave benchmarks/results as it is")
    chosen = words.parse_args()
    row = measure(chosen.preset, chosen.steps)
    print(  # noqa: T201
        f"{row['name']}: a step {row['step_milliseconds']:.0f} ms, the monitor {row['monitor_milliseconds']:.2f} ms: "
        f"{row['monitor_share']:.2%} of it (at most {MONITOR:.0%})\n"
        f"{row['checkpoints']} checkpoints in {row['steps']} steps held up {row['checkpoint_share']:.2%} of the time "
        f"(at most {CHECKPOINTS:.0%})"
    )
    if not chosen.no_save:
        RESULTS.mkdir(exist_ok=True)
        content = {"benchmark": "beside_the_step", "machine": machine(), "rows": [row]}
        (RESULTS / "beside_the_step.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
