"""The command line in this process, on a run that takes a second or two."""

from __future__ import annotations

import hashlib
import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from osnowa.cli import main

SMALL = (
    "--preset=encoder-tiny",
    "--tokenizer.vocab_size=300",
    "--model.encoder_layers=2",
    "--model.d_model=32",
    "--model.num_heads=2",
    "--model.d_ff=48",
    "--data.row_length=32",
    "--training.batch_rows=4",
    "--training.evaluations=2",
    "--training.held_out_rows=8",
    "--quiet",
)


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """The error, without the lines before it."""
        return self.err[self.err.rfind("osnowa: ") :] if "osnowa: " in self.err else self.err


def osnowa(*words: str | Path, stdin: bytes | None = None) -> Outcome:
    """Run one command."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.stdin
    if stdin is not None:
        sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main([str(word) for word in words])
    finally:
        sys.stdin = before
    return Outcome(code, out.getvalue(), err.getvalue())


def pretrain(text: Path | str, run: Path, *words: str, steps: str = "6") -> Outcome:
    """A tiny pre-training."""
    return osnowa("pretrain", text, "--out", run, *SMALL, f"--steps={steps}", *words)


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder with its hash: to see that nothing changed."""
    if not folder.exists():
        return {}
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.lock"
    }
