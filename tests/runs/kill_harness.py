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

import osnowa.cli.commands
import osnowa.runs.pretrain  # noqa: F401
from osnowa.cli import main

WANTED_KILLS = 20
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


def work() -> dict[str, object]:
    folder, text, rounds, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    log, rng = folder / "log", random.Random(seed)
    reference = folder / "whole"
    assert finish(text, folder / "warm", log) == 0, log.read_text()  # the first run also fills the file cache
    began = time.monotonic()
    assert finish(text, reference, log) == 0, log.read_text()
    length, wanted = time.monotonic() - began, digest(reference)
    kills: list[dict[str, object]] = []
    equal = []
    for number in range(3 * rounds):  # the later ones only when too few moments fell inside a run
        if number >= rounds and len(kills) >= WANTED_KILLS:
            break
        run = folder / f"killed-{number}"
        for attempt in range(3):  # killed up to three times on its way, then left alone
            pid = start(text, run, log)
            # the first attempts of the rounds go evenly through a whole run; what is left gets shorter each time
            share = (number % rounds + rng.random()) / rounds if attempt == 0 else rng.random() * 0.6**attempt
            deadline = time.monotonic() + length * share
            done = 0
            while time.monotonic() < deadline and not done:
                done, _ = os.waitpid(pid, os.WNOHANG)
                time.sleep(0.001)
            if not done:
                kills.append({"round": number, "after": round(length * share, 3), "phase": phase(run)})
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        code = finish(text, run, log)
        assert code == 0, f"exit {code}\n{log.read_text()}"
        equal.append(digest(run) == wanted)
    return {"length": length, "kills": kills, "equal": equal}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(work()) + "\n")
