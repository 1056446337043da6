"""Check every published file of a run against its checksums, and a resumed run against one never stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from osnowa import files
from osnowa.errors import DamagedError, InputMissingError
from osnowa.files import nearest_parent
from osnowa.train import checkpoints


@dataclass(frozen=True)
class Verdict:
    """What was looked at, and what was found wrong."""

    checked: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    bytes_checked: int = 0

    @property
    def sound(self) -> bool:
        return not self.damaged


def verify(run: str | Path) -> Verdict:
    """Read every file of the data, the checkpoints and the model of a run (or of one such folder) and compare.

    Raises:
        InputMissingError: no such folder.
        DamagedError: nothing in it was ever published.
    """
    folder = Path(run)
    if not folder.is_dir():
        raise InputMissingError(str(folder), "no such folder", nearest_parent(folder))
    candidates = [folder, folder / "data", folder / "model", *checkpoints.published(folder)]
    verdict, num_bytes = Verdict(), 0
    for published in candidates:
        if not (published / files.MANIFEST).exists() and (published == folder or not published.exists()):
            continue
        verdict.checked.append(str(published))
        try:
            manifest = files.verify(published)
            num_bytes += sum(size for size, _ in manifest.files.values())
        except DamagedError as error:
            verdict.damaged.append(str(error))
    if not verdict.checked:
        raise DamagedError(str(folder), "holds nothing that osnowa published", "name a run folder")
    return Verdict(verdict.checked, verdict.damaged, num_bytes)
