"""What an option is worth: held-out loss at equal tokens and after equal time, one option changed at a time.

    python -m benchmarks.screening TEXT... --preset encoder-tiny [--minutes 3] [--seeds 1] [--only qk-norm zero-init]

The text is prepared once. Every variant of the preset's recipe trains for the same minutes, one after the other, in a
process of its own. "equal tokens" is the loss at the tokens that the slowest variant reached, on a straight line
between the looks at held-out text before and after; its learning rate has not decayed there for the faster ones, so
this figure speaks against these. The decision is by equal time; more seeds for what wins.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from osnowa.runs.recipe import Recipe

VARIANTS: dict[str, tuple[str, ...]] = {
    "as it is": (),
    "qk-norm": ("--model.qk_norm=true",),
    "zero-init": ("--model.zero_init=true",),
    "adamw": ("--training.optimiser=adamw",),
    "adamw, rate 1e-3": ("--training.optimiser=adamw", "--training.learning_rate=1e-3"),
    "muon 1.2e-2": ("--training.matrix_learning_rate=1.2e-2",),
    "muon 3e-3": ("--training.matrix_learning_rate=3e-3",),
    "cosine": ("--training.schedule=cosine",),
    "linear": ("--training.schedule=linear",),
    "8 rows": ("--training.batch_rows=8",),
    "32 rows": ("--training.batch_rows=32",),
    "growing batch": ("--training.ramp_share=0.3",),
    "15 % masked": ("--objective.mask_share=0.15",),
}
ENCODERS_ONLY = {"15 % masked"}


@dataclass(frozen=True)
class Outcome:
    """A finished run: the looks at held-out text as (tokens, loss)."""

    looks: tuple[tuple[int, float], ...]
    accuracy: float

    @property
    def tokens(self) -> int:
        return self.looks[-1][0]

    @property
    def loss(self) -> float:
        return self.looks[-1][1]

    def loss_at(self, tokens: float) -> float:
        """On the straight line between two looks.

        Raises:
            ValueError: the run did not come so far.
        """
        for (before, high), (after, low) in zip(self.looks, self.looks[1:], strict=False):
            if before <= tokens <= after:
                return high + (low - high) * (tokens - before) / max(1, after - before)
        raise ValueError(f"{tokens:,.0f} tokens are outside of {self.looks[0][0]:,} to {self.tokens:,}")


def read(run: Path) -> Outcome:
    """The looks of a run folder."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    looks = [line for line in lines if line["kind"] == "held_out"]
    return Outcome(tuple((line["tokens"], line["token_loss"]) for line in looks), looks[-1]["token_accuracy"])


def table(found: dict[str, list[Outcome]]) -> str:
    """A line for each variant, the best after equal time first."""
    least = min(outcome.tokens for outcomes in found.values() for outcome in outcomes)
    lines = [
        f"| variant | loss after equal time | loss at {least / 1e6:.2f} M tokens | accuracy | M tokens |",
        "| --- | --: | --: | --: | --: |",
    ]
    for name, outcomes in sorted(found.items(), key=lambda item: statistics.fmean(each.loss for each in item[1])):
        time, equal = _spread([each.loss for each in outcomes]), _spread([each.loss_at(least) for each in outcomes])
        accuracy = statistics.fmean(each.accuracy for each in outcomes)
        tokens = statistics.fmean(each.tokens for each in outcomes) / 1e6
        lines.append(f"| {name} | {time} | {equal} | {accuracy:.1%} | {tokens:.2f} |")
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    mean = f"{statistics.fmean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.3f}–{max(values):.3f})"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("text", nargs="+")
    words.add_argument("--preset", default="encoder-tiny")
    words.add_argument("--minutes", type=float, default=3.0)
    words.add_argument("--seeds", type=int, default=1)
    words.add_argument("--only", nargs="*", choices=VARIANTS, default=[], metavar="VARIANT")
    chosen = words.parse_args()
    encoder = Recipe.build(preset=chosen.preset).model.topology == "encoder"
    names = [name for name in chosen.only or VARIANTS if encoder or name not in ENCODERS_ONLY]
    osnowa, found = (sys.executable, "-m", "osnowa"), dict[str, list[Outcome]]()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        preset = ("--preset", chosen.preset, "--quiet")
        subprocess.run([*osnowa, "prepare", *chosen.text, "--out", data, *preset], check=True)
        for seed in range(chosen.seeds):
            for name in names:
                run = Path(folder) / f"{len(found.get(name, []))}-{names.index(name)}"
                length = ("--minutes", str(chosen.minutes), "--seed", str(seed))
                subprocess.run(
                    [*osnowa, "pretrain", data, "--out", run, *preset, *length, *VARIANTS[name]],
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
                found.setdefault(name, []).append(read(run))
                print(f"{name}, seed {seed}: {found[name][-1].loss:.3f}", flush=True)  # noqa: T201
    print(table(found))  # noqa: T201


if __name__ == "__main__":
    main()
