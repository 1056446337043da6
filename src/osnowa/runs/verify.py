"""Check every published file of a run against its checksums, and a resumed run against one never stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from osnowa import files
from osnowa.errors import DamagedError, InputMissingError
from osnowa.files import nearest_parent
from osnowa.runs.given_text import data_folder
from osnowa.runs.machine import set_up
from osnowa.runs.prepare import open_prepared
from osnowa.runs.recipe import Recipe
from osnowa.runs.run_folder import RUN_FILE
from osnowa.runs.workshop import Workshop
from osnowa.train import checkpoints
from osnowa.train.budget import plan_for_steps
from osnowa.train.snapshots import kept_snapshots


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
    """Read the record and every file of the data, checkpoints, snapshots and model of a run (or of one such folder) and compare.

    Raises:
        InputMissingError: no such folder.
        DamagedError: nothing in it was ever published.
    """
    folder = Path(run)
    if not folder.is_dir():
        raise InputMissingError(str(folder), "no such folder", nearest_parent(folder))
    candidates = [folder, folder / "data", folder / "model", *checkpoints.published(folder), *kept_snapshots(folder)]
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
    record = folder / RUN_FILE
    if record.exists():
        verdict.checked.append(str(record))
        try:
            files.read_sealed(record, "put it back from a copy")
            num_bytes += record.stat().st_size
        except DamagedError as error:
            verdict.damaged.append(str(error))
    if not verdict.checked:
        raise DamagedError(str(folder), "holds nothing that osnowa published", "name a run folder")
    return Verdict(verdict.checked, verdict.damaged, num_bytes)


def verify_resume(run: str | Path, steps: int = 4) -> bool:
    """Train a few steps from the run's data and recipe twice, once saved and taken up again half way: the same bits?

    Works in a scratch folder; the run is only read.

    Raises:
        OsnowaError: the run can't be read.
    """
    folder = Path(run)
    recipe = Recipe.build(recipe_file=folder / "recipe.toml")
    workshop = Workshop(recipe, open_prepared(data_folder(folder, recipe)), set_up(recipe))
    plan = plan_for_steps(recipe.training.changed(warmup_steps=None), 2 * steps, "trial")
    whole, first, second = (workshop.trainer(plan) for _ in range(3))
    for _ in range(2 * steps):
        whole.step()
    for _ in range(steps):
        first.step()
    with files.scratch() as scratch:
        checkpoints.save(scratch, first.checkpoint(), workshop.identity, 1)
        saved = checkpoints.load_newest(scratch, workshop.identity, lambda _: None)
    assert saved is not None
    second.restore(saved)
    for _ in range(steps):
        second.step()
    return all(torch.equal(tensor, second.weights()[name]) for name, tensor in whole.weights().items())
