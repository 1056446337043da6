"""Counts lines and characters while the bytes of a text stream by, and keeps a sample of them."""

from __future__ import annotations

from osnowa.corpus.encodings import Examiner
from osnowa.corpus.lines import LineEnds, RawLines, normalise_ends

_FIRST_SAMPLE = 1 << 20  # bytes of the first cell
_SAMPLE = 64 << 10  # bytes of each later one that is sampled
_SAMPLES = 64  # pieces kept at most


class Measure:
    """What has been seen so far; `add` gets the cells of a source in their order."""

    def __init__(self) -> None:
        self.examiner = Examiner()
        self.encoding = "utf-8"  # of what is added
        self.lines = self.blank_lines = self.longest_line = 0
        self._cells: list[tuple[int, bool]] = []
        self._inside = False  # the last line is not blank
        self._unfinished = 0  # characters of the line in progress
        self._samples: list[bytes] = []
        self._stride, self._index = 1, 0

    @property
    def cells(self) -> tuple[tuple[int, bool], ...]:
        """Of each cell: the number of the first line that starts in it or later, and whether a block goes on there."""
        return tuple(self._cells)

    def first_invalid(self, bom: int) -> int | None:
        """Byte offset in the unpacked source of the first byte that is not UTF-8."""
        place = self.examiner.first_invalid
        return None if place is None else place + bom

    def add(self, raw: RawLines, ends: LineEnds) -> None:
        number = self.lines + 1 - (not raw.starts)
        if raw.starts:
            self._cells += [(number, self._inside)] * (raw.cell + 1 - len(self._cells))
        text = self.examiner.feed(raw.data, number)
        if text is None:
            text = raw.data.decode("latin-1")  # for counting only: line ends and lengths are the same
        lines = normalise_ends(text, ends).split("\n")
        if raw.ends and len(lines) > 1 and not lines[-1]:
            lines.pop()
        self.lines += len(lines) - (not raw.starts)
        self.blank_lines += sum(not line or line.isspace() for line in lines)
        lengths = [len(line) for line in (lines[0], lines[-1])]
        if not raw.starts:
            lengths[0] += self._unfinished
        self.longest_line = max(self.longest_line, *lengths, *map(len, lines))
        self._unfinished = 0 if raw.ends else lengths[-1 if len(lines) > 1 else 0]
        whole = raw.ends and (raw.starts or len(lines) > 1)  # the last line is here from its beginning to its end
        self._inside = not whole or not (not lines[-1] or lines[-1].isspace())
        self._keep(raw)

    def _keep(self, raw: RawLines) -> None:
        """Sample evenly: when there are too many pieces, every second one goes and the stride doubles."""
        if raw.starts and self._index % self._stride == 0:
            piece = raw.data[: _SAMPLE if self._samples else _FIRST_SAMPLE]
            if len(piece) < len(raw.data) and b"\n" in piece:
                piece = piece[: piece.rindex(b"\n") + 1]
            self._samples.append(piece)
            if len(self._samples) > _SAMPLES:
                self._samples, self._stride = self._samples[::2], self._stride * 2
        self._index += 1

    def sample(self) -> list[str]:
        """The sampled pieces, decoded; lines that can't be are left out."""
        return [_decode(piece, self.encoding) for piece in self._samples] or [""]


def _decode(piece: bytes, encoding: str) -> str:
    try:
        return normalise_ends(piece.decode(encoding), "text")
    except UnicodeDecodeError:
        lines = []
        for line in piece.splitlines():
            try:
                lines.append(line.decode(encoding))
            except UnicodeDecodeError:
                continue
        return "\n".join(lines)
