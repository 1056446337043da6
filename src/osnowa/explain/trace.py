"""A trace: the tensors of a forward pass, their proof, and what the model answers; saved as a page or as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from osnowa import __version__
from osnowa.errors import SettingsError
from osnowa.explain.analysis import analyse
from osnowa.explain.answers import answers
from osnowa.explain.chapter import Chapter
from osnowa.explain.figures import Figures
from osnowa.explain.forward import Forward, run
from osnowa.explain.pictures import encode
from osnowa.explain.proof import Proof, prove
from osnowa.explain.question import ask
from osnowa.explain.sides import sides
from osnowa.explain.step import Array, Step
from osnowa.generate import Frame
from osnowa.model import ModelConfig, Transformer
from osnowa.tokenizer import Tokenizer

FORMATS = ("html", "json", "npz")
DEFAULT_MB = 12.0


@dataclass(frozen=True)
class Trace:
    """Every number of one forward pass. `tensors` by name, `steps` in the order of computation.

    Where a tensor has only some of its rows, `forward.tensors[name].kept` says which.
    """

    forward: Forward
    config: ModelConfig
    facts: dict[str, Any]
    sides: dict[str, Any]
    answers: dict[str, Any]
    proof: Proof
    pictures: dict[str, Array]  # of all attention weights, "head query key" as bytes
    analysis: dict[str, Any] | None = None
    chapters: dict[str, Chapter] = field(default_factory=dict)  # "analysis", "step", "history", "seed"
    missing: Sequence[dict[str, Any]] = ()

    @property
    def tensors(self) -> dict[str, Array]:
        """Arrays by name, without the batch axis."""
        return {name: held.array for name, held in self.forward.tensors.items()}

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.forward.steps

    def save(
        self, path: str | Path, format: str | None = None, *, lang: str = "pl", max_mb: float = DEFAULT_MB
    ) -> Path:
        """Write it to `path` as "html", "json" or "npz"; None: by the ending of the path, else html.

        `max_mb`: how large the page may be, in units of 1,000,000 bytes; what does not fit is left out, and it says so.

        Raises:
            SettingsError: another format or language, or a page that can't be so small.
            StorageError, CannotCreateError
        """
        from osnowa.explain.data import save_data
        from osnowa.explain.page import save_page

        path = Path(path)
        ending = path.suffix.removeprefix(".").lower()
        chosen = format or (ending if ending in FORMATS else "html")
        if chosen not in FORMATS:
            raise SettingsError(f"format = {chosen}", "no such format", f"use {', '.join(FORMATS)}")
        if chosen == "html":
            save_page(self, path, lang=lang, max_mb=max_mb)
        else:
            save_data(self, path, chosen)
        return path


def trace(
    model: Transformer,
    tokenizer: Tokenizer,
    text: str,
    second: str | None = None,
    target: str | None = None,
    *,
    frame: Frame | None = None,
    source_whole: bool = False,
    masked_head: bool = True,
    top_k: int = 20,
    facts: dict[str, Any] | None = None,
) -> Trace:
    """Look at one forward pass of a float32 model on the processor.

    `text` may hold [MASK] for an encoder; for an encoder-decoder it is the source, and without a `target` the model says
    one itself. `masked_head`: whether the vocabulary head was trained; without one the trace ends at the hidden vectors.
    `facts` are more facts about where the model comes from.

    Raises:
        SettingsError: a second sentence, a target or a mask that this model can't read.
        DataError: a text without tokens, or too many of them.
    """
    config = model.config
    frame = frame or Frame.of(tokenizer, config)
    question = ask(model, tokenizer, text, second, target, frame=frame, source_whole=source_whole)
    head = masked_head or config.topology != "encoder"
    pictures: dict[str, Array] = {}
    figures = Figures(question, tokenizer, config)

    def see(name: str, weights: Array) -> None:
        pictures[name] = encode(weights)
        figures.see(name, weights)

    forward = run(model, question, head=head, see=see)
    analysis, chapter, missing = analyse(model, tokenizer, forward, figures, head=head)
    return Trace(
        forward=forward,
        config=config,
        facts={**describe(model, tokenizer, forward, source_whole), **(facts or {})},
        sides=sides(question, tokenizer, config),
        answers=answers(model, tokenizer, forward, frame, top_k=top_k),
        proof=prove(forward, config, head=head),
        pictures=pictures,
        analysis=analysis,
        chapters={"analysis": chapter},
        missing=missing,
    )


def describe(model: Transformer, tokenizer: Tokenizer, forward: Forward, source_whole: bool) -> dict[str, Any]:
    """What the model is, and how exactly it was looked at."""
    config = model.config
    return {
        "topology": config.topology,
        "family": None,
        "folder": "",
        "parameters": model.parameter_count(),
        "config": config.model_dump(mode="json"),
        "dtype": "float32",
        "device": "cpu",
        "threads": torch.get_num_threads(),
        "version": __version__,
        "tokenizer": {"kind": tokenizer.kind, "size": tokenizer.vocab_size, "sha256": tokenizer.fingerprint},
        "training": None,
        "exact": {
            "largest_logit_difference": forward.difference,
            "compared_with": "the model's ordinary forward",
        },
        "source_whole": source_whole,
        "notes": [],
    }
