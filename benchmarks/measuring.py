"""What the benchmarks share: contenders in processes of their own, asked in turn, and what is told of them.

Every contender is a child process, so that nobody profits from another's allocator or threads. A child is asked for an
amount of work at a time, A B A B ...; the first round warms up and is left out. Ratios are taken round by round.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

RESULTS = Path(__file__).parent / "results"
LIBRARIES = ("torch", "transformers", "tokenizers", "datasets")


# --- in a contender's process -----------------------------------------------------------------------------------------


class Seat:
    """Where a contender sits: amounts of work come in, answers go out. An amount of 0 asks for what was learned."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)  # whatever a library prints is no answer

    def amounts(self) -> Iterator[int]:
        for line in sys.stdin:
            yield int(line)

    def answer(self, **values: float) -> None:
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
            peak = torch.cuda.max_memory_allocated() / 2**20
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self._out.write(json.dumps({**values, "peak_mb": peak}) + "\n")


# --- in the benchmark's process -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Goal:
    """How many times the peer osnowa should reach: a floor that must hold, and an aim."""

    floor: float
    aim: float


@dataclass(frozen=True)
class Cell:
    """One contender against one peer: the median of the ratios round by round, and their spread."""

    peer: str
    ratio: float
    low: float
    high: float
    floor: float | None = None
    aim: float | None = None

    @property
    def below_floor(self) -> bool:
        return self.floor is not None and self.ratio < self.floor

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "below_floor": self.below_floor}

    def __str__(self) -> str:
        words = f"{self.ratio:.2f} x {self.peer} ({self.low:.2f}-{self.high:.2f})"
        if self.floor is None:
            return words
        verdict = "below floor" if self.below_floor else "reached" if self.ratio >= (self.aim or 0) else "above floor"
        return f"{words}, floor {self.floor:g}, aim {self.aim:g}: {verdict}"


@dataclass
class Row:
    """What one contender did."""

    work: str
    name: str
    unit: str
    speeds: list[float]
    peak_mb: float = 0.0
    facts: dict[str, float] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.speeds)

    def compare(self, peer: Row, goal: Goal | None) -> None:
        ratios = [own / other for own, other in zip(self.speeds, peer.speeds, strict=True)]
        floor, aim = (goal.floor, goal.aim) if goal else (None, None)
        self.cells.append(Cell(peer.name, statistics.median(ratios), min(ratios), max(ratios), floor, aim))

    def as_dict(self) -> dict[str, Any]:
        return {
            "work": self.work,
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "low": min(self.speeds),
            "high": max(self.speeds),
            "peak_mb": round(self.peak_mb),
            **self.facts,
            "cells": [cell.as_dict() for cell in self.cells],
        }

    def __str__(self) -> str:
        facts = "".join(f", {name} {value:.4g}" for name, value in self.facts.items())
        spread = f"{min(self.speeds):,.0f}-{max(self.speeds):,.0f}"
        peak = f", {self.peak_mb:,.0f} MB" if self.peak_mb else ""
        head = f"{self.work}: {self.name} {self.median:,.0f} {self.unit} ({spread}){peak}{facts}"
        return "\n".join([head, *(f"    {cell}" for cell in self.cells)])


def measure(
    command: Sequence[str],
    work: str,
    names: Sequence[str],
    *,
    amount: int,
    rounds: int,
    unit: str,
    budget: float | None = None,
    idle: int = 0,
    learned: bool = False,
) -> dict[str, Row]:
    """Ask every contender `rounds` times for `amount`, in turn; a first round is not counted.

    A child is started by `command` and its name, and answers {"done": ..., "seconds": ...}. `budget`: after the first
    round everybody is asked for as much as lets all rounds together take so many seconds, where each asking costs the
    work of `idle` more. `learned`: a child is asked at the end what it has learned.
    """
    children = {
        name: subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in names
    }
    rows = {name: Row(work, name, unit, []) for name in names}
    try:
        for number in range(rounds + 1):
            seconds = 0.0
            for name, child in children.items():
                answer = _ask(name, child, amount)
                rows[name].peak_mb = answer["peak_mb"]
                seconds += answer["seconds"]
                if number:
                    rows[name].speeds.append(answer["done"] / answer["seconds"])
            if not number and budget is not None:
                amount = max(1, int(budget / rounds / (seconds / amount)) - idle)
        for name, child in children.items() if learned else ():
            answer = _ask(name, child, 0)
            del answer["peak_mb"]
            rows[name].facts |= answer
    finally:
        for child in children.values():
            assert child.stdin is not None
            child.stdin.close()
            child.wait()
    return rows


def _ask(name: str, child: subprocess.Popen[str], amount: int) -> dict[str, float]:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(f"{amount}\n")
    child.stdin.flush()
    line = child.stdout.readline()
    if not line:
        raise SystemExit(f"{name} ended without an answer (exit code {child.wait()})")
    found: dict[str, float] = json.loads(line)
    return found


def compare(rows: Mapping[str, Row], goals: Mapping[tuple[str, str], Goal | None]) -> None:
    """Fill in the ratios of `goals`: {(contender, peer): goal}."""
    for (name, peer), goal in goals.items():
        if name in rows and peer in rows:
            rows[name].compare(rows[peer], goal)


def machine() -> dict[str, Any]:
    """What was measured on, and with what."""
    import torch

    from osnowa.processor import processor_name
    from osnowa.runs import limits
    from osnowa.train.precision import choose_precision

    versions = {}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except ModuleNotFoundError:  # an extra
            continue
    return {
        "processor": processor_name(),
        **({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}),
        "cores": limits.cores(),
        "precision": str(choose_precision("auto", torch.device("cpu"))).removeprefix("torch."),
        "python": platform.python_version(),
        **versions,
    }


def tell(benchmark: str, rows: Sequence[Row], *, save: bool = True, say: Callable[[str], Any] = print) -> None:
    """Print the rows and keep them in benchmarks/results."""
    for row in rows:
        say(str(row))
    if save:
        RESULTS.mkdir(exist_ok=True)
        content = {"benchmark": benchmark, "machine": machine(), "rows": [row.as_dict() for row in rows]}
        (RESULTS / f"{benchmark}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
