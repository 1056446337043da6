"""The verb explain: every number inside a model for one text, as a page or as data."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from osnowa.cli import show
from osnowa.cli.commands import put
from osnowa.errors import UsageError

if TYPE_CHECKING:
    from osnowa.explain.trace import Trace

DEFAULT_NAME = "explain"


def explain(arguments: argparse.Namespace, overrides: list[str]) -> int:
    """Look, prove, write; what was found in a few lines."""
    made = _look(arguments)
    out = Path(arguments.out or f"{DEFAULT_NAME}.{arguments.format or 'html'}")
    path = made.save(out, arguments.format, lang=arguments.lang, max_mb=arguments.max_mb)
    proof = made.proof
    if proof.bad:
        sys.stderr.write(
            f"osnowa: {len(proof.bad)} tensors differ from the second computation: {', '.join(proof.bad[:5])}\n"
        )
    size = path.stat().st_size
    facts = {
        "out": str(path),
        "bytes": size,
        "tensors": len(made.tensors),
        "numbers": sum(array.size for array in made.tensors.values()),
        "checked": proof.checked,
        "bad": sum(kind.bad for kind in proof.kinds.values()),
        "largest_error": proof.largest,
        "largest_logit_difference": made.forward.difference,
    }
    if arguments.json:
        return put({**facts, "answers": made.answers})
    show.line(f"{path}: {size / 1e6:.1f} MB")
    show.line(
        f"{facts['numbers']:,} numbers in {facts['tensors']} tensors; {proof.checked:,} compared with a second "
        f"computation in float64, {facts['bad']} differ, by {proof.largest:.1e} at most"
    )
    return show.line(f"largest difference of a logit from the model's ordinary pass: {made.forward.difference:.1e}")


def _look(arguments: argparse.Namespace) -> Trace:
    """The trace that the words ask for."""
    from osnowa.runs.explain import explain as look
    from osnowa.runs.explain import seed_example

    if arguments.seed_example:
        given = ("model", "text", "second", "source", "target")
        if arguments.step or any(getattr(arguments, name) is not None for name in given):
            raise UsageError("--seed-example", "has its own model and text", "give it alone, with --out")
        return seed_example()
    if arguments.model is None:
        raise UsageError("osnowa explain", "no model given", "name a run folder or a Hugging Face folder")
    if arguments.text is None and arguments.source is None:
        raise UsageError("osnowa explain", "no text given", 'write one: "Natura [MASK] obrazy."')
    if arguments.text is not None and arguments.source is not None:
        raise UsageError("osnowa explain", "TEXT and --source are both given", "they are the same: give one")
    if arguments.top_k < 1:
        raise UsageError("--top-k", f"{arguments.top_k} is no count", "use 1 or more")
    return look(
        arguments.model,
        arguments.text,
        second=arguments.second,
        source=arguments.source,
        target=arguments.target,
        top_k=arguments.top_k,
        step=arguments.step,
    )
