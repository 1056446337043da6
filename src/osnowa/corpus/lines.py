"""UTF-8 bytes to batches of physical lines, cut at fixed places of the source so that any part can be read alone.

A source is divided into cells of GRID bytes. A line belongs to the cell in which it starts, so the lines of a cell are
the same whether the source is read from its beginning or from that cell on, by one process or by many.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from osnowa.corpus.compression import Stream
from osnowa.corpus.raw import Rejected, shorten

GRID = 4 << 20  # bytes; 1 GB has 240 cells

LineEnds = Literal["text", "record"]

# In text U+2028 and U+2029 end a line as LF, CR LF and CR do; in JSON and CSV they may stand inside a value.
PATTERNS: dict[LineEnds, re.Pattern[bytes]] = {
    "text": re.compile(rb"\r\n?|\n|\xe2\x80[\xa8\xa9]"),
    "record": re.compile(rb"\r\n?|\n"),
}


@dataclass(frozen=True, slots=True)
class RawLines:
    """Consecutive lines as bytes, with the last line end."""

    cell: int
    data: bytes
    starts: bool  # its first line starts here (False: it goes on from the RawLines before)
    ends: bool  # its last line ends here


@dataclass(frozen=True, slots=True)
class Lines:
    """Consecutive decoded lines parted by "\\n", without the last line end."""

    cell: int
    number: int  # physical number of the first line, from 1
    text: str
    starts: bool
    ends: bool


class _Window:
    """The part of a stream that is in memory: `data` begins at byte `base`."""

    def __init__(self, stream: Stream, base: int, pattern: re.Pattern[bytes]) -> None:
        self.stream, self.base, self.pattern = stream, base, pattern
        self.data, self.ended = b"", False

    def extend(self) -> None:
        """Read GRID bytes more, in whatever portions the stream gives them."""
        blocks, wanted = [self.data], GRID
        while wanted > 0 and not self.ended:
            block = self.stream.read(wanted)
            self.ended = not block
            blocks.append(block)
            wanted -= len(block)
        self.data = b"".join(blocks)

    def drop(self, place: int) -> None:
        """Forget what lies before byte `place`."""
        self.data, self.base = self.data[place - self.base :], place

    def holds(self, place: int) -> bool:
        """Whether what decides about byte `place` is here."""
        return self.ended or self.base + len(self.data) > place + 3

    def whole_character(self, place: int) -> int:
        """`place`, or the beginning of the UTF-8 character whose middle it is."""
        index = place - self.base
        while index > place - self.base - 3 and 0x80 <= self.data[index] < 0xC0:
            index -= 1
        return self.base + index

    def line_start(self, boundary: int) -> int | None:
        """The first byte at or after `boundary` on which a line starts, when that can be told from what is here."""
        for match in self.pattern.finditer(self.data, max(0, boundary - 3 - self.base)):
            if self.base + match.end() >= boundary:
                undecided = match.end() == len(self.data) and not self.ended and self.data.endswith(b"\r")
                return None if undecided else self.base + match.end()
        return None


def read_cells(stream: Stream, ends: LineEnds, first: int = 0, last: int | None = None) -> Iterator[RawLines]:
    """The lines that start in cells first ... last - 1 (None: to the end), a cell at a time.

    A line that goes on for more than two cells beyond its own comes in several RawLines, cut at fixed places too, so
    memory stays below 8 * GRID bytes however long the line is.

    Args:
        stream: stands at byte max(0, first * GRID - 3) of the content.
    """
    window = _Window(stream, max(0, first * GRID - 3), PATTERNS[ends])
    start = _seek_start(window, first * GRID, None if last is None else last * GRID) if first else 0
    while start is not None and (last is None or start < last * GRID):
        cell, fresh = start // GRID, True
        limit = (cell + 3) * GRID
        window.drop(start)
        while True:
            while (start := window.line_start((cell + 1) * GRID)) is None and not window.holds(limit):
                window.extend()
            stop = window.base + len(window.data) if start is None else start
            if stop <= limit + 2:  # 2: a line end is never cut
                break
            stop = window.whole_character(limit)
            yield RawLines(cell, window.data[: stop - window.base], fresh, False)
            window.drop(stop)
            fresh, limit = False, limit + 2 * GRID
        if window.base < stop:
            yield RawLines(cell, window.data[: stop - window.base], fresh, True)


def _seek_start(window: _Window, boundary: int, stop: int | None) -> int | None:
    """The first line start at or after `boundary`; None when there is none before `stop`."""
    while (start := window.line_start(boundary)) is None:
        seen = window.base + len(window.data)
        if window.ended or (stop is not None and seen > stop + 3):
            return None
        window.drop(max(window.base, seen - 3))
        window.extend()
    return start


def decode_cells(
    cells: Iterable[RawLines], ends: LineEnds, source: str, number: int = 1, encoding: str = "utf-8"
) -> Iterator[Lines | Rejected]:
    """Decoded lines; each line that can't be decoded comes as a Rejected instead.

    Args:
        number: the physical line number of the first line.
        encoding: that of the source, for messages; the bytes of `cells` are UTF-8 by now, but for what was not.
    """
    for raw in cells:
        try:
            batch = _decode(raw, ends, number)
        except UnicodeDecodeError:
            yield from _decode_by_line(raw, ends, source, number, encoding)
            number += len(PATTERNS[ends].findall(raw.data))
        else:
            yield batch
            number += batch.text.count("\n") + batch.ends


def _decode(raw: RawLines, ends: LineEnds, number: int) -> Lines:
    text = normalise_ends(raw.data.decode("utf-8"), ends)
    return Lines(raw.cell, number, text.removesuffix("\n") if raw.ends else text, raw.starts, raw.ends)


def normalise_ends(text: str, ends: LineEnds) -> str:
    """Every line end as "\n"."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if ends == "text" and not text.isascii():
        text = text.replace("\u2028", "\n").replace("\u2029", "\n")
    return text


def _decode_by_line(
    raw: RawLines, ends: LineEnds, source: str, number: int, encoding: str
) -> Iterator[Lines | Rejected]:
    start, starts = 0, raw.starts
    stops = [match.end() for match in PATTERNS[ends].finditer(raw.data)]
    if not stops or stops[-1] != len(raw.data):
        stops.append(len(raw.data))
    for stop in stops:
        data, ended = raw.data[start:stop], raw.ends or stop < len(raw.data)
        try:
            yield _decode(RawLines(raw.cell, data, starts, ended), ends, number)
        except UnicodeDecodeError as error:
            column = len(data[: error.start].decode("utf-8")) + 1
            detail = f"byte 0x{data[error.start]:02x}"
            shown = shorten(data.rstrip(b"\r\n"))
            yield Rejected(source, number, column, f"is not {encoding}", shown, len(data), detail)
        number, start, starts = number + 1, stop, True
