"""The decoded lines of a source, wherever it lies, however it is packed, and in whatever encoding it is."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from osnowa.corpus.findings import Format, Source
from osnowa.corpus.lines import GRID, LineEnds, Lines, decode_cells, read_cells
from osnowa.corpus.opening import open_stream
from osnowa.corpus.raw import Rejected, SourceError

if TYPE_CHECKING:
    from osnowa.corpus.compression import Stream
    from osnowa.corpus.config import CorpusConfig
    from osnowa.corpus.evidence import Survey

HEAD = 64 << 10

LINE_ENDS: dict[Format, LineEnds] = {
    "text": "text",
    "markdown": "text",
    "html": "text",
    "jsonl": "record",
    "json": "record",
    "csv": "record",
    "tsv": "record",
}


class Rest:
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, stream: Stream) -> None:
        self._first, self._stream = first, stream

    def read(self, size: int = -1, /) -> bytes:
        if self._first:
            block, self._first = self._first, b""
            return block
        return self._stream.read(size)


def read_head(stream: Stream) -> bytes:
    """The first 64 kB, which tell what a stream is."""
    head = b""
    while len(head) < HEAD and (block := stream.read(HEAD - len(head))):
        head += block
    return head


class Transcoded:
    """A stream in any encoding as a stream of UTF-8.

    A byte that the encoding does not define stays as it is, which is no UTF-8, so that its line is rejected later;
    where that is not possible (UTF-16 and other encodings of several bytes) `read` raises SourceError.
    """

    def __init__(self, raw: Stream, encoding: str) -> None:
        self._raw, self._encoding = raw, encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
        self._offset = 0
        self._ended = False

    def read(self, size: int = 1 << 20, /) -> bytes:
        while not self._ended:
            data = self._raw.read(max(1, size // 2))
            self._ended = not data
            waiting = len(self._decoder.getstate()[0])
            try:
                text = self._decoder.decode(data, final=self._ended)
                block = text.encode("utf-8", "surrogateescape")
            except UnicodeDecodeError as error:
                place = self._offset - waiting + error.start
                raise SourceError(f"byte {place:,} is not {self._encoding} ({error.reason})") from None
            self._offset += len(data)
            if block:
                return block
        return b""


@contextlib.contextmanager
def read_events(
    source: Source, survey: Survey, config: CorpusConfig, first: int = 0, last: int | None = None
) -> Iterator[Iterator[Lines | Rejected]]:
    """The lines that start in cells first ... last - 1, with lines that can't be decoded as Rejected."""
    start = survey.bom + max(0, first * GRID - 3) if first else 0
    number = survey.cells[first][0] if first else 1
    with open_stream(source, config, start) as opened:
        stream: Stream = opened
        for _ in range(0 if first else survey.bom):
            opened.read(1)
        if survey.encoding != "utf-8":
            stream = Transcoded(opened, survey.encoding)
        ends = LINE_ENDS[source.format]
        yield decode_cells(read_cells(stream, ends, first, last), ends, source.name, number, survey.encoding)
