"""Checkpoints: published whole or not at all, checked before they are used, no pickle in them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from osnowa import files
from osnowa.data import Place
from osnowa.errors import DamagedError, DataError, OsnowaError, SettingsError

FOLDER = "checkpoints"


@dataclass(frozen=True)
class TrainingState:
    """Where a run stands. Randomness is a function of the place, so there is no random state to keep."""

    step: int = 0
    place: Place = field(default_factory=Place)
    tokens: int = 0
    seconds: float = 0.0
    rate_scale: float = 1.0  # halved when a run was rolled back
    bad_steps: int = 0  # in a row
    rollbacks: int = 0

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def moved(self, place: Place) -> TrainingState:
        """The same at another place in the data."""
        return dataclasses.replace(self, place=place)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingState:
        return cls(**{**values, "place": Place(**values["place"])})


@dataclass(frozen=True)
class Checkpoint:
    """What was saved: float32 master weights and the optimizer's tensors by name."""

    state: TrainingState
    weights: dict[str, Tensor]
    optimiser: dict[str, Tensor]


def name_of(step: int) -> str:
    return f"step-{step:09d}"


class Saver:
    """Saves checkpoints of one run while it goes on training; never two at once.

    `save` comes back when the tensors are written, but not yet safe: checksums, syncing, renaming and the removal of
    the oldest beyond `keep` follow in a thread. A checkpoint that fails is told by the next call.
    """

    def __init__(self, run: Path, identity: str, keep: int) -> None:
        self.run, self.identity, self.keep = run, identity, keep
        self._rest: Future[None] | None = None

    def save(self, checkpoint: Checkpoint) -> None:
        """Begin to save; the tensors may change as soon as it returns.

        Raises:
            StorageError, CannotCreateError: of this or the last checkpoint; earlier ones are untouched.
        """
        self.wait()
        rest = _write(self.run, checkpoint, self.identity)
        thread = ThreadPoolExecutor(1, "checkpoint")
        self._rest = thread.submit(_publish, rest, self.run, self.keep)
        thread.shutdown(wait=False)  # it ends with this one piece of work

    def wait(self) -> None:
        """Come back when everything is saved.

        Raises:
            StorageError, CannotCreateError: the last checkpoint is not.
        """
        if self._rest is not None:
            rest, self._rest = self._rest, None
            rest.result()


def save(run: Path, checkpoint: Checkpoint, identity: str, keep: int) -> None:
    """Publish a checkpoint, then remove the oldest beyond `keep`.

    Raises:
        StorageError, CannotCreateError: earlier checkpoints are untouched.
    """
    _publish(_write(run, checkpoint, identity), run, keep)


def _write(run: Path, checkpoint: Checkpoint, identity: str) -> contextlib.ExitStack:
    """All of a checkpoint in a work folder; closing the stack publishes it."""
    final = files.make_folder(run / FOLDER) / name_of(checkpoint.state.step)
    with contextlib.ExitStack() as stack:
        facts = {"kind": "checkpoint", "identity": identity, "step": checkpoint.state.step}
        work = stack.enter_context(files.publish(final, facts))
        files.save_tensors(work / "weights.safetensors", checkpoint.weights)
        files.save_tensors(work / "optimiser.safetensors", checkpoint.optimiser)
        files.write(work / "state.json", files.json_text(checkpoint.state.as_dict()))
        return stack.pop_all()
    raise AssertionError  # nothing above swallows an error


def _publish(written: contextlib.ExitStack, run: Path, keep: int) -> None:
    written.close()
    for old in published(run)[keep:]:
        files.remove(old)


def published(run: Path) -> list[Path]:
    """The checkpoint folders, the newest step first (by number: clocks lie)."""
    found = [path for path in (run / FOLDER).glob("step-*") if path.name.removeprefix("step-").isdigit()]
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")), reverse=True)


def load_newest(run: Path, identity: str, warn: Callable[[str], None]) -> Checkpoint | None:
    """The newest sound checkpoint; damaged ones are named through `warn` and passed over. None: there is none at all.

    Raises:
        DataError: checkpoints are there, but not one is sound.
        SettingsError: written by a newer osnowa, or by a run with another identity.
    """
    tried: list[str] = []
    for folder in published(run):
        try:
            return load(folder, identity)
        except DamagedError as error:
            tried.append(str(error))
            warn(f"{error}; the checkpoint before it is used")
    if tried:
        raise DataError(
            str(run / FOLDER), f"holds no sound checkpoint ({'; '.join(tried)})", "start again with another --out"
        )
    return None


def load(folder: Path, identity: str) -> Checkpoint:
    """One checkpoint, every file checked.

    Raises:
        DamagedError, SettingsError
    """
    manifest = files.verify(folder)
    if manifest.facts.get("identity") != identity:
        raise SettingsError(str(folder), "belongs to another run", "remove it or choose another --out")
    try:
        state = TrainingState.from_dict(json.loads((folder / "state.json").read_bytes()))
        return Checkpoint(state, load_file(folder / "weights.safetensors"), load_file(folder / "optimiser.safetensors"))
    except OsnowaError:
        raise
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DamagedError(str(folder), f"can't be read ({error})") from None
