"""A folder for things that nobody needs afterwards."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from osnowa.files.failures import storage_errors
from osnowa.files.single import remove


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A new folder where the system keeps such things ($TMPDIR), gone after the block."""
    with storage_errors(Path(tempfile.gettempdir())):
        folder = Path(tempfile.mkdtemp(prefix="osnowa-"))
    try:
        yield folder
    finally:
        remove(folder)
