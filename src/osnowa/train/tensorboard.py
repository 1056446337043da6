"""An event file for TensorBoard that is cut back on resume and whose failures never stop the training."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from osnowa import files
from osnowa.errors import OsnowaError

NAME = "events.out.tfevents.0.osnowa"  # one file under a constant name: a resumed run continues it
_HEADER = struct.Struct("<QI")  # length of the record, checksum of the length
_FOOTER = struct.Struct("<I")  # checksum of the record


class EventFile:
    """Scalars for TensorBoard, written at once by the caller's thread.

    tensorboardX lends its message classes and checksum, not its `SummaryWriter`: that hands events to a thread through
    a queue of ten, the thread dies on a full disk, and the eleventh event then blocks the training for ever (seen with
    tensorboardX 2.6.5). On resume the events after `resume_step` are removed from the file itself, so that every
    reader sees each step once, whether or not it knows TensorBoard's restart marks.
    """

    def __init__(self, folder: Path, *, resume_step: int, warn: Callable[[str], None]) -> None:
        self.path, self.warn, self.broken = folder / NAME, warn, False
        self._handle: BinaryIO | None = None
        # The events carry wall time for display; it moves on by the monotonic clock, so it never runs backwards.
        self._origin = time.time() - time.monotonic()
        try:
            files.make_folder(folder)
            self._cut_back(resume_step)
            self._handle = files.open_append(self.path)
            if self._handle.seek(0, 2) == 0:
                self._append(_event(self._now(), file_version="brain.Event:2"))
        except (OsnowaError, OSError) as error:
            self._report(error)

    def _now(self) -> float:
        return self._origin + time.monotonic()

    def _cut_back(self, resume_step: int) -> None:
        if not self.path.exists():
            return
        kept = [] if resume_step == 0 else [frame(r) for r in read_records(self.path) if _step(r) <= resume_step]
        files.write(self.path, b"".join(kept))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One event with all `values` (tag -> number) at `step`."""
        if self._handle is None or not values:
            return
        try:
            self._append(_event(self._now(), step=step, values=values))
            self.broken = False
        except OSError as error:
            self._report(error)

    def _append(self, record: bytes) -> None:
        assert self._handle is not None
        self._handle.write(frame(record))  # whole or not at all: a torn record would hide all later ones

    def _report(self, error: Exception) -> None:
        if not self.broken:
            problem = files.translate(error, self.path) if isinstance(error, OSError) else error
            self.warn(f"{problem} (training goes on; TensorBoard will lack some steps)")
        self.broken = True

    def close(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None


def _event(wall_time: float, *, step: int = 0, values: Mapping[str, float] | None = None, **fields: str) -> bytes:
    from tensorboardX.proto import event_pb2, summary_pb2  # 0.3 s beside torch; only a training run needs it

    event = event_pb2.Event(wall_time=wall_time, step=step, **fields)
    for tag, value in (values or {}).items():
        event.summary.value.append(summary_pb2.Summary.Value(tag=tag, simple_value=value))
    return bytes(event.SerializeToString())


def _step(record: bytes) -> int:
    from tensorboardX.proto import event_pb2

    return int(event_pb2.Event.FromString(record).step)


def _checksum(data: bytes) -> int:
    from tensorboardX.record_writer import masked_crc32c

    return int(masked_crc32c(data))


def frame(record: bytes) -> bytes:
    """`record` as it stands in an event file: length, checksum of the length, record, checksum of the record."""
    length = struct.pack("<Q", len(record))
    return length + struct.pack("<I", _checksum(length)) + record + _FOOTER.pack(_checksum(record))


def read_records(path: Path) -> Iterator[bytes]:
    """The sound records of an event file, up to the first that is torn or damaged."""
    content: Any = memoryview(path.read_bytes())
    place = 0
    while place + _HEADER.size <= len(content):
        length, check = _HEADER.unpack_from(content, place)
        end = place + _HEADER.size + length
        if _checksum(bytes(content[place : place + 8])) != check or end + _FOOTER.size > len(content):
            return
        record = bytes(content[place + _HEADER.size : end])
        if _checksum(record) != _FOOTER.unpack_from(content, end)[0]:
            return
        yield record
        place = end + _FOOTER.size
