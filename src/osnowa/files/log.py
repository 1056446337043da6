"""Logs of JSON lines that never stop the work they tell of."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from osnowa.errors import OsnowaError
from osnowa.files.failures import reading_errors, translate
from osnowa.files.single import open_append, write


class LineLog:
    """An append-only file of JSON lines that never stops the work: a full disk is reported once and training goes on."""

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self.path, self.warn = path, warn
        self.broken = False
        self._checked = False

    def append(self, record: Mapping[str, Any]) -> None:
        """One line; numbers that are not finite become null, which JSON has in their place."""
        text = json.dumps(_finite(record), ensure_ascii=False, allow_nan=False) + "\n"
        line = text.encode("utf-8", "backslashreplace")  # half a surrogate as the escape that JSON has for it
        try:
            with open_append(self.path) as handle:
                if not self._checked and _ends_torn(handle):
                    line = b"\n" + line
                handle.write(line)
            self.broken, self._checked = False, True
        except (OSError, OsnowaError) as error:
            problem = translate(error, self.path) if isinstance(error, OSError) else error
            if not self.broken:
                self.warn(f"{problem} (training goes on; lines are lost until this is mended)")
            self.broken, self._checked = True, False

    def keep(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Rewrite the log with the lines for which `wanted` is true (a resumed run drops what it will repeat).

        Raises:
            StorageError, CannotCreateError, InputMissingError: the log is as it was.
        """
        if not self.path.exists():
            return
        with reading_errors(self.path):
            content = self.path.read_bytes()
        lines = []
        for line in content.split(b"\n"):  # not splitlines: a text may hold U+2028
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):  # torn by a kill, perhaps inside a letter
                continue
            if isinstance(record, dict) and wanted(record):
                lines.append(line + b"\n")
        write(self.path, b"".join(lines))
        self._checked = True


def _ends_torn(handle: BinaryIO) -> bool:
    """Whether a kill left the last line without its end."""
    size = handle.seek(0, os.SEEK_END)
    return size > 0 and os.pread(handle.fileno(), 1, size - 1) != b"\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
