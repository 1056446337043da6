"""Opens a source, be it a file or a member of an archive, as one guarded stream of unpacked bytes."""

from __future__ import annotations

import functools
import hashlib
import os
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Self

from osnowa.corpus.compression import Compression, Decompressed, Stream
from osnowa.corpus.raw import PackedError
from osnowa.errors import DataError, InputMissingError, StorageError

if TYPE_CHECKING:
    from osnowa.corpus.config import CorpusConfig
    from osnowa.corpus.findings import Source

# What zipfile raises on damaged, encrypted or unsupported members.
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
_WHITE = b" \t\r\n\v\f"


@functools.lru_cache(maxsize=2)  # the directory of 100,000 members takes about a second to read
def open_archive(path: str, mtime_ns: int) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """The ZIP archive at `path` and its members by name, the first of each name. `mtime_ns` tells versions apart."""
    archive = zipfile.ZipFile(path)
    return archive, {member.filename: member for member in reversed(archive.infolist())}


class Opened:
    """The unpacked bytes of a source; close it, or use it in a `with`.

    `read` raises PackedError when the packed data are not sound and StorageError when the disk can't be read.
    """

    def __init__(self, source: Source, config: CorpusConfig, start: int) -> None:
        self.source = source
        self.taken = 0  # bytes read from the file or member, still packed
        self._digest = hashlib.sha256()
        self._handle = _open(source)
        if start:
            self._handle.seek(start)
        self._stream: Stream = unpacked(_Reading(self), source.compression, config)

    def read(self, size: int = -1, /) -> bytes:
        return self._stream.read(size)

    def take(self, size: int) -> bytes:
        """Bytes as they are stored."""
        try:
            block = self._handle.read(size)
        except ZIP_ERRORS as error:
            raise PackedError(f"is a damaged member of its archive ({' '.join(str(error).split())})") from None
        except OSError as error:
            problem = error.strerror or str(error)
            raise StorageError(self.source.name, f"can't be read ({problem})", "check the disk and run again") from None
        self.taken += len(block)
        self._digest.update(block)
        return block

    def sha256(self) -> str:
        """Of all stored bytes, what follows the packed data included; the stream is at its end afterwards."""
        while self.take(1 << 20):
            pass
        return self._digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.close()


class _Reading:
    """The stored bytes of an Opened, as the stream that is unpacked."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened

    def read(self, size: int = -1, /) -> bytes:
        return self.opened.take(size)


def open_stream(source: Source, config: CorpusConfig, start: int = 0) -> Opened:
    """The unpacked bytes of `source`, from byte `start` on when it is stored unpacked in a file.

    Raises:
        InputMissingError: it can't be opened any more.
        DataError: a member is no longer in its archive.
        PackedError: a member can't be opened.
    """
    return Opened(source, config, start)


def _open(source: Source) -> IO[bytes]:
    try:
        if source.member is None:
            return open(source.path, "rb")
        archive, members = open_archive(source.path, source.mtime_ns)
        return archive.open(members[source.member])
    except KeyError:
        raise DataError(source.name, "is no longer in its archive", "leave the input alone while it is read") from None
    except ZIP_ERRORS as error:
        raise PackedError(f"is a damaged member of its archive ({' '.join(str(error).split())})") from None
    except OSError as error:
        problem = os.strerror(error.errno or 0)
        raise InputMissingError(source.name, f"can't be read ({problem})", "leave the input alone meanwhile") from None


def unpacked(raw: Stream, compression: Compression, config: CorpusConfig) -> Stream:
    """`raw` itself or its decompressed bytes."""
    return raw if compression == "none" else Decompressed(raw, compression, config)


def is_blank(stream: Stream) -> bool:
    """Whether there is nothing but white space and byte order marks."""
    first = True
    while block := stream.read(64 << 10):
        if first and block.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
            block = block.lstrip(b"\xff\xfe\x00").replace(b"\x00", b"")
        elif first:
            block = block.removeprefix(b"\xef\xbb\xbf")
        first = False
        if block.strip(_WHITE):
            return False
    return True
