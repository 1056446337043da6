"""Runs the command in forked children of a process that has torch imported, and kills them at chosen moments.

Usage: python kill_harness.py WORK TEXT ROUNDS SEED. Prints one JSON object. Its own process must not have used a thread
pool before it forks, so it is a script and not part of the test process.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch._dynamo  # noqa: F401  imported by the estimate of memory: two seconds of every run that was not forked

import osnowa.runs.pretrain  # noqa: F401
from osnowa.cli import main

WANTED_KILLS = 20
PHASES = ("preparing", "planning", "training", "published")
SETTINGS = (
    "--preset=encoder-tiny",
    "--steps=24",
    "--tokenizer.vocab_size=400",
    "--model.encoder_layers=2",
    "--model.d_model=32",
    "--model.num_heads=2",
    "--model.d_ff=48",
    "--data.row_length=32",
    "--training.batch_rows=4",
    "--training.evaluations=3",
    "--training.held_out_rows=8",
    "--training.threads=1",
    "--training.checkpoint_minutes=0.0005",
    "--corpus.document=block",
    "--quiet",
)


def start(text: str, run: Path, log: Path) -> int:
    """Fork a child that runs the command; its pid."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 99
    try:
        code = main(["pretrain", text, "--out", str(run), *SETTINGS])
    finally:
        os._exit(code)


def phase(run: Path) -> str:
    """Where a run stands, by what it has published."""
    if (run / "model" / "MANIFEST.json").exists():
        return "published"
    if any((run / "checkpoints").glob("step-*")):
        return "training"
    return "planning" if (run / "run.json").exists() else "preparing"


def digest(run: Path) -> str:
    return hashlib.sha256((run / "model" / "model.safetensors").read_bytes()).hexdigest()


def finish(text: str, run: Path, log: Path) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(start(text, run, log), 0)[1])


def lengths(text: str, run: Path, log: Path) -> dict[str, float]:
    """Let a run go to its end; the seconds that it stood in each phase."""
    pid, seen = start(text, run, log), dict.fromkeys(PHASES, 0.0)
    last = time.monotonic()
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        time.sleep(0.001)
        now = time.monotonic()
        seen[phase(run)] += now - last
        last = now
    assert os.waitstatus_to_exitcode(ended[1]) == 0, log.read_text()
    return seen


def kill(text: str, run: Path, log: Path, wanted: str, delay: float) -> str:
    """Start a run and kill it ``delay`` seconds after it has come to a phase; the phase it died in, "" if it ended."""
    pid, deadline = start(text, run, log), None
    while True:
        if deadline is None and PHASES.index(phase(run)) >= PHASES.index(wanted):
            deadline = time.monotonic() + delay
        if deadline is not None and time.monotonic() >= deadline:
            break
        if os.waitpid(pid, os.WNOHANG)[0]:
            return ""
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    # A process that was just ending when the signal came was not killed.
    return phase(run) if os.WIFSIGNALED(os.waitpid(pid, 0)[1]) else ""


def work() -> dict[str, object]:
    folder, text, rounds, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    log, rng = folder / "log", random.Random(seed)
    reference = folder / "whole"
    assert finish(text, folder / "warm", log) == 0, log.read_text()  # the first run also fills the file cache
    seconds, unharmed = lengths(text, reference, log), digest(reference)
    kills: list[dict[str, object]] = []
    equal = []
    for number in range(3 * rounds):  # the later ones only when too few moments fell inside a run
        if number >= rounds and len(kills) >= WANTED_KILLS:
            break
        run = folder / f"killed-{number}"
        for attempt in range(3):  # killed up to three times on its way, then left alone
            # The moment is random within a phase that the run has seen to come, not within a length of time: on a busy
            # machine the same clock time would always fall into the first phase. Each phase begins a third of the runs.
            wanted = PHASES[(number + attempt) % 3]
            delay = rng.random() * seconds[wanted]
            if died := kill(text, run, log, wanted, delay):
                kills.append({"round": number, "wanted": wanted, "after": round(delay, 3), "phase": died})
        code = finish(text, run, log)
        assert code == 0, f"exit {code}\n{log.read_text()}"
        equal.append(digest(run) == unharmed)
    return {"seconds": seconds, "kills": kills, "equal": equal}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(work()) + "\n")
