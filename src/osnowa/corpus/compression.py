"""Compressed input as a stream of bytes in bounded memory, with caps that stop decompression bombs."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol

import zstandard

from osnowa.corpus.raw import PackedError

if TYPE_CHECKING:
    from osnowa.corpus.config import CorpusConfig

Compression = Literal["none", "gz", "zst", "xz", "bz2"]

HARMLESS = 16 << 20  # bytes: below this much output no ratio is suspicious (a file of blanks packs 1000:1)
_MEMORY = 256 << 20  # bytes a decompressor may ask for: xz -9 needs 65 MiB, a hostile header asks for 4 GiB
_OUTPUT = 1 << 20
_ERRORS = (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, EOFError, ValueError)


class Stream(Protocol):
    """What every reader reads from: up to `size` bytes, b"" at the end."""

    def read(self, size: int = -1, /) -> bytes: ...


class _Zlib:
    """zlib's decompressor with the interface that bz2 and lzma share."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)  # gzip wrapper: header, CRC and length are checked
        self._waiting = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class _Zstandard:
    """The same for zstandard, whose output can't be bounded; 1 kB of input gives at most 32 MiB (measured)."""

    needs_input = True

    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(data)


# Each format: a decompressor of one frame, and how many bytes it is fed at once.
FORMATS: dict[Compression, tuple[Callable[[], Any], int]] = {
    "gz": (_Zlib, 64 << 10),
    "zst": (_Zstandard, 1 << 10),
    "xz": (lambda: lzma.LZMADecompressor(memlimit=_MEMORY), 64 << 10),
    "bz2": (bz2.BZ2Decompressor, 64 << 10),
}

MAGIC: dict[bytes, Compression] = {
    b"\x1f\x8b\x08": "gz",
    b"\x28\xb5\x2f\xfd": "zst",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bz2",
}


class Decompressed:
    """The decompressed bytes of `raw`; several frames one after another are one stream.

    `read` raises PackedError on corrupt or truncated data and when a cap is passed: `max_archive_bytes` in all, or more
    than `max_compression_ratio` times the compressed size (beyond the first 16 MiB).
    """

    def __init__(self, raw: Stream, compression: Compression, config: CorpusConfig) -> None:
        self._raw, self._compression = raw, compression
        self._new_frame, self._step = FORMATS[compression]
        self._most, self._ratio = config.max_archive_bytes, config.max_compression_ratio
        self._frame: Any = self._new_frame()
        self._started = False  # the current frame has seen input
        self._frames = 0
        self._taken = self._given = 0
        self._ready = b""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes (any number when -1), b"" at the end."""
        while not self._ready:
            block = self._advance()
            if block is None:
                return b""
            self._given += len(block)
            self._check_caps()
            self._ready = block
        if size < 0:
            size = len(self._ready)
        block, self._ready = self._ready[:size], self._ready[size:]
        return block

    def _advance(self) -> bytes | None:
        """The next output, perhaps empty; None at the end of the input."""
        data, ended = b"", False
        if self._frame.eof:
            data = self._frame.unused_data
            self._frame, self._started = self._new_frame(), False
            self._frames += 1
        if not data and (self._frame.needs_input or not self._started):
            data = self._raw.read(self._step)
            self._taken += len(data)
            ended = not data
        if self._frames and not self._started and self._compression in ("gz", "xz"):
            data = data.lstrip(b"\x00")  # both allow zero bytes between and after frames
        if ended:
            if self._started or not self._frames:
                raise PackedError(
                    f"the {self._compression} data ends too early, after {self._given:,} decompressed bytes"
                )
            return None
        if not data and not self._started:
            return b""
        try:
            block: bytes = self._frame.decompress(data, _OUTPUT)
        except _ERRORS as error:
            problem = " ".join(str(error).split())
            raise PackedError(
                f"is not sound {self._compression} data after {self._given:,} decompressed bytes ({problem})"
            ) from None
        self._started = True
        return block

    def _check_caps(self) -> None:
        if self._given > self._most:
            raise PackedError(
                f"decompresses to more than {self._most:,} bytes",
                "raise --corpus.max_archive_bytes if that is what you want",
            )
        if self._given > HARMLESS and self._given > self._ratio * max(self._taken, 1):
            raise PackedError(
                f"decompresses to more than {self._ratio:,.10g} times its size (a decompression bomb?)",
                "raise --corpus.max_compression_ratio if you trust it",
            )
