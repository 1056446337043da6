"""Which document mode suits a plain text, judged by the shape of a sample, and the sentence that says why."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from osnowa.corpus.text import ChosenMode, Unit

SMALL = 32 << 10  # bytes up to which a file is one document
_END = re.compile(r"[.!?…:;。！？][\"”»’')\]]*\s*$")
_SENTENCE = re.compile(r"(?<![.!?…。！？])[.!?…。！？]++[\"”»’')\]]*+(?=\s|$)")


@dataclass(frozen=True)
class Shape:
    """Figures of a sample of a text; lines and blocks are those that are not blank."""

    line_length: float  # characters, median
    line_sentences: float  # mean
    block_lines: float  # mean
    block_sentences: float  # median
    inner_ends: float  # share of the lines inside blocks (not the last) that end as sentences do
    in_long_blocks: float  # share of the characters in blocks longer than a run


@dataclass(frozen=True)
class Choice:
    """A document mode, what its runs consist of, and why."""

    mode: ChosenMode
    unit: Unit
    because: str


def measure_shape(samples: Sequence[str], run_characters: int) -> Shape | None:
    """The shape of `samples` (each some consecutive whole lines of the text); None when they are blank."""
    blocks: list[list[str]] = []
    for sample in samples:
        blocks += [block.split("\n") for block in re.split(r"\n(?:[^\S\n]*\n)+", sample.strip("\n")) if block.strip()]
    lines = [line for block in blocks for line in block if line.strip()]
    if not lines:
        return None
    inner = [line for block in blocks for line in block[:-1]]
    sentences = [sum(len(_SENTENCE.findall(line)) for line in block) for block in blocks]
    sizes = [sum(map(len, block)) + len(block) for block in blocks]
    return Shape(
        line_length=statistics.median(map(len, lines)),
        line_sentences=sum(sentences) / len(lines),
        block_lines=len(lines) / len(blocks),
        block_sentences=statistics.median(sentences),
        inner_ends=sum(bool(_END.search(line)) for line in inner) / max(1, len(inner)),
        in_long_blocks=sum(size for size in sizes if size > run_characters) / sum(sizes),
    )


def choose_document(wanted: str, samples: Sequence[str], size: int, run_characters: int) -> Choice:
    """The document mode of a plain text of `size` bytes: the one `wanted`, or by its shape when that is "auto"."""
    shape = measure_shape(samples, run_characters)
    unit: Unit = "line" if shape is None or shape.in_long_blocks > 0.5 else "block"
    if wanted == "auto":
        return _choose_by_shape(shape, unit, size, run_characters)
    reasons: dict[str, tuple[ChosenMode, str]] = {
        "file": ("file", "the whole file is one document"),
        "block": ("block", "each block between blank lines is a document"),
        "line": ("line", "each line is a document"),
        "run": ("run", f"a document is a run of {_PLURAL[unit]} up to {run_characters:,} characters"),
    }
    mode, because = reasons[wanted]
    return Choice(mode, unit, f"corpus.document = {wanted}: {because}")


_PLURAL: dict[Unit, str] = {"line": "lines", "block": "paragraphs"}


def _choose_by_shape(shape: Shape | None, unit: Unit, size: int, run_characters: int) -> Choice:
    if shape is None or size <= SMALL:
        return Choice("file", unit, f"the file is small ({size:,} bytes): it is one document")
    run = f"runs of {_PLURAL[unit]} up to {run_characters:,} characters"
    if unit == "line":
        if shape.line_length >= 500 and shape.line_sentences >= 4:
            return Choice(
                "line",
                unit,
                f"the lines are long and hold {shape.line_sentences:.0f} sentences each: every line is a document",
            )
        if shape.line_length < 60 and shape.inner_ends < 0.5:
            return Choice("run", unit, f"lines are short, end mid-sentence, and few blank lines part them: {run}")
        return Choice("run", unit, f"each line is a paragraph or less, and no blank lines part documents: {run}")
    if shape.block_lines >= 3 and shape.inner_ends >= 0.7 and shape.block_sentences >= 4:
        return Choice(
            "block",
            unit,
            f"between blank lines stand {shape.block_lines:.0f} lines of whole sentences: every block is a document",
        )
    if shape.block_lines < 1.5 and shape.block_sentences >= 8:
        return Choice(
            "block",
            unit,
            f"between blank lines stand {shape.block_sentences:.0f} sentences on a line: every block is a document",
        )
    if shape.block_lines >= 1.5 and shape.inner_ends < 0.5:
        return Choice("run", unit, f"lines end mid-sentence and paragraphs are parted by blank lines: {run}")
    return Choice("run", unit, f"blank lines part short paragraphs, not documents: {run}")
