"""Plain text to documents: lines and blocks as units, and runs of units up to a size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from osnowa.corpus.lines import Lines
from osnowa.corpus.raw import RawDocument, Rejected, cut_document

ChosenMode = Literal["file", "block", "line", "run", "record", "pair"]
Unit = Literal["line", "block"]


@dataclass(frozen=True, slots=True)
class Grouping:
    """How units become documents."""

    unit: Unit
    target: float  # characters up to which units are joined; 0: each unit is a document; infinity: the whole source
    limit: int  # characters at which a document is cut
    by_cell: bool  # a document never joins units of two cells, so that it does not matter where reading began


@dataclass(slots=True)
class _Unit:
    """A line or a block, or the next part of one that is too long to hold."""

    cell: int
    number: int
    gap: int  # blank lines before it
    text: str
    goes_on: bool  # it continues the unit before


def choose_grouping(mode: ChosenMode, unit: Unit, run_characters: int, limit: int) -> Grouping:
    """The grouping of a document mode; `unit` is what a run consists of."""
    if mode == "file":
        return Grouping("line", float("inf"), limit, False)
    if mode == "run":
        return Grouping(unit, run_characters, limit, True)
    return Grouping("block" if mode == "block" else "line", 0, limit, True)


def group_documents(
    events: Iterable[Lines | Rejected], grouping: Grouping, source: str, last_cell: float, in_block: bool
) -> Iterator[RawDocument | Rejected]:
    """Documents that start in cells before `last_cell`; blank ones don't exist; Rejected lines pass through.

    Args:
        in_block: the line before the first one was not blank, so a block that began earlier goes on here.
    """
    find = _find_blocks if grouping.unit == "block" else _find_lines
    parts: list[str] = []
    size = number = cell = 0
    for unit in find(events, grouping.limit, last_cell, in_block):
        if isinstance(unit, Rejected):
            yield unit
            continue
        if parts and not unit.goes_on:
            new_cell = grouping.by_cell and unit.cell != cell
            if new_cell or size + 1 + len(unit.text) > grouping.target:
                yield from _finish(parts, number, grouping.limit, source)
                parts, size = [], 0
            else:
                parts.append("\n" * (1 + min(unit.gap, grouping.limit)))
                size += len(parts[-1])
        if not parts:
            number, cell = unit.number, unit.cell
        parts.append(unit.text)
        size += len(unit.text)
        if size > grouping.limit:
            *whole, (number, rest) = _cut("".join(parts), number, grouping.limit)
            yield from (RawDocument(text, source, line) for line, text in whole if not text.isspace())
            parts, size = [rest], len(rest)
    if parts:
        yield from _finish(parts, number, grouping.limit, source)


def _finish(parts: list[str], number: int, limit: int, source: str) -> Iterator[RawDocument]:
    for line, text in _cut("".join(parts), number, limit):
        if text and not text.isspace():
            yield RawDocument(text, source, line)


def _cut(text: str, number: int, limit: int) -> Iterator[tuple[int, str]]:
    """The pieces of a long document, each with the line on which it starts."""
    for piece in cut_document(text, limit):
        yield number, piece
        number += piece.count("\n")


def _find_lines(
    events: Iterable[Lines | Rejected], limit: int, last_cell: float, in_block: bool
) -> Iterator[_Unit | Rejected]:
    """Each line that is not blank."""
    gap = 0
    for event in events:
        if isinstance(event, Rejected):
            yield event
            continue
        lines = event.text.split("\n")
        goes_on = not event.starts
        unfinished = -1 if event.ends else event.number + len(lines) - 1
        for number, line in enumerate(lines, event.number):
            if goes_on or (line and not line.isspace()) or number == unfinished:
                yield _Unit(event.cell, number, gap, line, goes_on)
                gap = 0
            else:
                gap += 1
            goes_on = False


def _find_blocks(
    events: Iterable[Lines | Rejected], limit: int, last_cell: float, in_block: bool
) -> Iterator[_Unit | Rejected]:
    """Each run of lines between blank lines; one longer than `limit` comes in parts."""
    block: list[str] = []
    size = gap = first = cell = 0
    begun, skipping = False, in_block
    for event in events:
        if isinstance(event, Rejected):
            yield event
            continue
        lines = event.text.split("\n")
        inside = event.cell < last_cell
        unfinished = -1 if event.ends else event.number + len(lines) - 1
        for number, line in enumerate(lines, event.number):
            goes_on = number == event.number and not event.starts
            if not goes_on and (not line or line.isspace()) and number != unfinished:
                if block:
                    yield _Unit(cell, first, gap, "".join(block), begun)
                    gap = 0
                block, size, begun, skipping = [], 0, False, False
                gap += 1
                if not inside:
                    return
            elif not skipping:
                if not block and not begun:
                    if not inside:
                        return
                    first, cell = number, event.cell
                elif not goes_on:
                    block.append("\n")
                block.append(line)
                size += len(line) + 1
                if size > limit:
                    yield _Unit(cell, first, gap, "".join(block), begun)
                    block, size, begun, gap = [], 0, True, 0
    if block:
        yield _Unit(cell, first, gap, "".join(block), begun)
