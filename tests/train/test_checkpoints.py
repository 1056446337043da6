"""Checkpoints: damaged ones are named and passed over, the last sound one is used, none is ever lost to a new one."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import threading
from pathlib import Path

import pytest

from osnowa import files
from osnowa.errors import DataError, SettingsError, StorageError
from osnowa.train import checkpoints
from osnowa.train.checkpoints import Checkpoint, Saver
from osnowa.train.monitor import Monitor
from small_training import make_trainer, same


def save_some(folder: Path, steps: int = 3, keep: int = 5) -> list[Checkpoint]:
    trainer = make_trainer()
    saved = []
    for _ in range(steps):
        trainer.step()
        checkpoint = trainer.checkpoint()
        saved.append(dataclasses.replace(checkpoint, weights={k: v.clone() for k, v in checkpoint.weights.items()}))
        checkpoints.save(folder, checkpoint, "me", keep)
    return saved


def load(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    warnings: list[str] = []
    return checkpoints.load_newest(folder, "me", warnings.append), warnings


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    trainer = make_trainer()
    trainer.step()
    checkpoints.save(tmp_path, trainer.checkpoint(), "me", 2)
    loaded, warnings = load(tmp_path)
    assert loaded is not None
    assert loaded.state == trainer.state
    assert same(loaded.weights, trainer.weights())
    assert same(loaded.optimiser, trainer.optimiser.state())
    assert warnings == []


def test_only_safetensors_and_json_are_written(tmp_path: Path) -> None:
    save_some(tmp_path, 1)
    (folder,) = checkpoints.published(tmp_path)
    assert {path.name for path in folder.iterdir()} == {
        "weights.safetensors",
        "optimiser.safetensors",
        "state.json",
        "MANIFEST.json",
    }


def test_the_newest_is_chosen_by_step_number_not_by_time(tmp_path: Path) -> None:
    import os

    save_some(tmp_path)
    newest, middle, oldest = checkpoints.published(tmp_path)
    os.utime(oldest, (4e9, 4e9))
    loaded, _ = load(tmp_path)
    assert loaded is not None
    assert loaded.state.step == 3
    assert [path.name for path in (newest, middle, oldest)] == [f"step-{n:09d}" for n in (3, 2, 1)]


@pytest.mark.parametrize("name", ["weights.safetensors", "optimiser.safetensors", "state.json", "MANIFEST.json"])
def test_one_flipped_bit_is_named_and_the_checkpoint_before_is_used(tmp_path: Path, name: str) -> None:
    saved = save_some(tmp_path)
    path = checkpoints.published(tmp_path)[0] / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    loaded, warnings = load(tmp_path)
    assert loaded is not None
    assert loaded.state.step == 2
    assert same(loaded.weights, saved[1].weights)
    assert len(warnings) == 1
    assert "step-000000003" in warnings[0]


def test_damage_is_walked_back_over_and_each_one_is_named(tmp_path: Path) -> None:
    save_some(tmp_path)
    newest, middle, _ = checkpoints.published(tmp_path)
    (newest / "MANIFEST.json").unlink()
    with (middle / "weights.safetensors").open("ab") as handle:
        handle.truncate(100)
    loaded, warnings = load(tmp_path)
    assert loaded is not None
    assert loaded.state.step == 1
    assert len(warnings) == 2


def test_files_swapped_between_checkpoints_are_refused(tmp_path: Path) -> None:
    save_some(tmp_path)
    newest, middle, _ = checkpoints.published(tmp_path)
    (newest / "weights.safetensors").write_bytes((middle / "weights.safetensors").read_bytes())
    loaded, warnings = load(tmp_path)
    assert loaded is not None
    assert loaded.state.step == 2
    assert "weights.safetensors" in warnings[0]


def test_when_none_is_sound_that_is_an_error_not_a_fresh_start(tmp_path: Path) -> None:
    save_some(tmp_path)
    for folder in checkpoints.published(tmp_path):
        (folder / "state.json").write_text("{}")
    with pytest.raises(DataError, match="no sound checkpoint") as error:
        load(tmp_path)
    assert error.value.exit_code == 65


def test_none_at_all_is_a_fresh_start(tmp_path: Path) -> None:
    assert load(tmp_path) == (None, [])


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    save_some(tmp_path)
    with pytest.raises(SettingsError, match="another run"):
        checkpoints.load_newest(tmp_path, "somebody else", pytest.fail)


def test_old_ones_go_only_after_the_new_one_is_whole(tmp_path: Path) -> None:
    save_some(tmp_path, steps=6, keep=2)
    assert [path.name for path in checkpoints.published(tmp_path)] == ["step-000000006", "step-000000005"]


def test_retention_never_deletes_the_last_sound_one_when_the_newest_is_damaged(tmp_path: Path) -> None:
    trainer = make_trainer()
    trainer.step()
    checkpoints.save(tmp_path, trainer.checkpoint(), "me", 1)
    trainer.step()
    checkpoints.save(tmp_path, trainer.checkpoint(), "me", 1)
    loaded, warnings = load(tmp_path)
    assert loaded is not None
    assert (loaded.state.step, warnings) == (2, [])


# --- while training goes on ---------------------------------------------------------------------------------------


class Slow:
    """In the place of the last part of saving: each waits for its turn, and says when it begins and ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str] = []
        self.turn, publish = threading.Semaphore(0), checkpoints._publish

        def slow(written: contextlib.ExitStack, run: Path, keep: int) -> None:
            self.said.append("begins")
            assert self.turn.acquire(timeout=20)
            publish(written, run, keep)
            self.said.append("ends")

        monkeypatch.setattr(checkpoints, "_publish", slow)


def test_training_goes_on_while_a_checkpoint_is_made_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, trainer = Slow(monkeypatch), make_trainer()
    trainer.step()
    saver, wanted = Saver(tmp_path, "me", 2), {k: v.clone() for k, v in trainer.weights().items()}
    saver.save(trainer.checkpoint())
    assert checkpoints.published(tmp_path) == []
    trainer.step()
    assert not same(wanted, trainer.weights())
    slow.turn.release()
    saver.wait()
    loaded, _ = load(tmp_path)
    assert loaded is not None
    assert loaded.state.step == 1
    assert same(loaded.weights, wanted)


def test_two_checkpoints_are_never_written_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, trainer = Slow(monkeypatch), make_trainer()
    saver = Saver(tmp_path, "me", 1)
    threading.Timer(0.3, slow.turn.release, [3]).start()
    for _ in range(3):
        trainer.step()
        saver.save(trainer.checkpoint())
    saver.wait()
    assert slow.said == ["begins", "ends"] * 3
    assert [path.name for path in checkpoints.published(tmp_path)] == ["step-000000003"]


def test_a_checkpoint_that_fails_is_told_at_the_next_call_and_the_last_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, saver = make_trainer(), Saver(tmp_path, "me", 2)
    saver.save(trainer.checkpoint())
    saver.wait()
    trainer.step()
    with monkeypatch.context() as full:
        sync = files.system.sync

        def no_space(descriptor: int) -> None:
            if threading.current_thread().name.startswith("checkpoint"):
                raise OSError(errno.ENOSPC, "No space left on device")
            sync(descriptor)

        full.setattr(files.system, "sync", no_space)
        saver.save(trainer.checkpoint())
        with pytest.raises(StorageError, match="no space left"):
            saver.wait()
    saver.wait()
    assert [path.name for path in (tmp_path / checkpoints.FOLDER).iterdir()] == ["step-000000000"]
    saver.save(trainer.checkpoint())
    saver.wait()
    assert [path.name for path in checkpoints.published(tmp_path)] == ["step-000000001", "step-000000000"]


def test_a_run_whose_last_checkpoint_fails_does_not_end_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.system, "sync", no_space)
    trainer = make_trainer(steps=2)
    with Monitor(tmp_path, total_steps=2, quiet=True) as monitor, pytest.raises(StorageError, match="no space left"):
        trainer.run(tmp_path, monitor, "me", on_evaluation=lambda *_: None, interrupted=lambda: False)
