"""Every call that changes the disk fails once, or from then on: the old content is intact and the error says what to do."""

from __future__ import annotations

import errno
import itertools
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from disk_cases import CALLS, CASES, NEW, OLD, no_exchange, publish, published
from osnowa import files
from osnowa.errors import CannotCreateError, OsnowaError, StorageError
from osnowa.files import system

ERRORS = {
    errno.ENOSPC: (StorageError, 74, "no space left on the disk; free some space and run the same command again"),
    errno.EDQUOT: (StorageError, 74, "no space left on the disk"),
    errno.EIO: (StorageError, 74, "input/output error (Input/output error); check the disk and run again"),
    errno.EMFILE: (StorageError, 74, "too many open files; close other programs or raise `ulimit -n`"),
    errno.EFBIG: (StorageError, 74, "is larger than this disk or `ulimit -f` allows"),
    errno.EACCES: (CannotCreateError, 73, "can't be written (Permission denied); choose another --out"),
    errno.EROFS: (CannotCreateError, 73, "can't be written (Read-only file system); choose another --out"),
    errno.ENAMETOOLONG: (CannotCreateError, 73, "can't be written (File name too long)"),
    errno.EEXIST: (CannotCreateError, 73, "can't be written (File exists); choose another --out"),
    errno.ENOENT: (CannotCreateError, 73, "can't be written, its folder is not there"),
    errno.EBUSY: (StorageError, 74, "input/output error (Device or resource busy)"),
}


WRITING = [name for name, case in CASES.items() if case.new is not None]


class Faults:
    """Call number `point` of `system` fails with `number`; with `lasting`, all after it as well."""

    def __init__(self, patch: pytest.MonkeyPatch, point: int, number: int, *, lasting: bool = False) -> None:
        self.point, self.number, self.lasting, self.count = point, number, lasting, 0
        for name in CALLS:
            patch.setattr(system, name, self.wrap(getattr(system, name)))

    def wrap(self, call: Callable[..., object]) -> Callable[..., object]:
        def faulty(*arguments: object) -> object:
            here, self.count = self.count, self.count + 1
            if here == self.point or (self.lasting and here > self.point):
                raise OSError(self.number, os.strerror(self.number))
            return call(*arguments)

        return faulty

    @property
    def happened(self) -> bool:
        return self.count > self.point


@pytest.mark.parametrize("number", ERRORS, ids=lambda number: errno.errorcode[number])
def test_each_error_of_the_system_has_its_class_its_code_and_its_advice(number: int) -> None:
    kind, exit_code, message = ERRORS[number]
    with pytest.raises(kind) as caught, files.storage_errors(Path("RUN")):
        raise OSError(number, os.strerror(number))
    assert caught.value.exit_code == exit_code
    assert str(caught.value).startswith(f"RUN: {message}")


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE], ids=lambda number: errno.errorcode[number]
)
@pytest.mark.parametrize("name", WRITING)
def test_one_failing_call_leaves_the_old_content_and_no_leftovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    case = CASES[name]
    kind, exit_code, message = ERRORS[number]
    raised = 0
    for point in itertools.count():
        folder = tmp_path / str(point)
        folder.mkdir()
        target = folder / "cel"
        case.prepare(target)
        with monkeypatch.context() as patch:
            if not case.exchange:
                patch.setattr(system, "exchange", no_exchange)
            faults = Faults(patch, point, number)
            error = None
            try:
                case.act(target)
            except OsnowaError as caught:
                error = caught
        if not faults.happened:
            break
        if error is None:  # only tidying up afterwards failed
            assert case.read(target) == case.new, f"point {point}"
        else:
            raised += 1
            assert type(error) is kind
            assert error.exit_code == exit_code
            assert message in str(error)
            assert ".tmp-" not in str(error), "the user knows no work folder"
            assert case.read(target) in ([case.old] if case.can_undo else [case.old, case.new]), f"point {point}"
            assert os.listdir(folder) == ([] if case.old is None else ["cel"]), f"point {point}"
        files.clean_leftovers(folder)
        case.act(target)
        assert case.read(target) == case.new
        assert os.listdir(folder) == ["cel"]
    assert raised >= 4


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("name", WRITING)
def test_when_nothing_works_from_some_call_on_the_old_or_the_new_content_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    case = CASES[name]
    for point in itertools.count():
        folder = tmp_path / str(point)
        folder.mkdir()
        target = folder / "cel"
        case.prepare(target)
        with monkeypatch.context() as patch:
            if not case.exchange:
                patch.setattr(system, "exchange", no_exchange)
            faults = Faults(patch, point, number, lasting=True)
            failed = False
            try:
                case.act(target)
            except StorageError:
                failed = True
        if not faults.happened:
            break
        files.clean_leftovers(folder)  # the disk is mended
        assert case.read(target) in ((case.old, case.new) if failed else (case.new,)), f"point {point}"
        case.act(target)
        assert case.read(target) == case.new
        assert os.listdir(folder) == ["cel"]


def test_a_sync_that_fails_is_a_failed_save_and_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After EIO the system may have dropped the data and says so only once."""
    target = tmp_path / "cel"
    files.write(target, "old")
    synced = []

    def fails_once(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(system, "sync", fails_once)
    with pytest.raises(StorageError, match="input/output error"):
        files.write(target, "new")
    assert len(synced) == 1
    assert target.read_text() == "old"


@pytest.mark.parametrize("exchange", [True, False])
def test_a_replacement_whose_folder_can_not_be_synced_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    target = tmp_path / "cel"
    publish(target, OLD)
    if not exchange:
        monkeypatch.setattr(system, "exchange", no_exchange)

    def fails(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}") == str(tmp_path):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(system, "sync", fails)
    with pytest.raises(StorageError):
        publish(target, NEW)
    assert published(target) == OLD
    assert os.listdir(tmp_path) == ["cel"]


def test_a_file_system_that_can_not_sync_folders_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(system, "sync", refuses)
    publish(tmp_path / "cel", NEW)
    assert published(tmp_path / "cel") == NEW


def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "write", lambda descriptor, data: os.write(descriptor, data[:7]))
    publish(tmp_path / "cel", NEW)
    assert published(tmp_path / "cel") == NEW


def test_a_stream_that_fails_raises_our_error_at_once_or_when_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    handle = files.open_new(tmp_path / "part.bin")
    monkeypatch.setattr(system, "write", full)
    handle.write(b"small enough to be buffered")
    with pytest.raises(StorageError, match=r"part\.bin: no space left on the disk"):
        handle.close()
    with pytest.raises(StorageError, match=r"part\.bin: no space"), files.open_new(tmp_path / "part.bin") as handle:
        handle.write(b"x" * (1 << 22))


# --- the real thing ---------------------------------------------------------------------------------------------

REAL = pytest.mark.usefixtures("real_sync")


@REAL
def test_a_real_limit_on_file_size_leaves_the_old_file(tmp_path: Path, in_child: Callable[..., int]) -> None:
    target = tmp_path / "cel"
    files.write(target, "old")

    def body() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        with pytest.raises(StorageError, match="larger than this disk"):
            files.write(target, b"x" * 100_000)
        return 5

    assert in_child(body) == 5
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["cel"]


@REAL
def test_a_real_lack_of_file_handles_leaves_the_old_folder(tmp_path: Path, in_child: Callable[..., int]) -> None:
    target = tmp_path / "cel"
    publish(target, OLD)

    def body() -> int:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        with pytest.raises(StorageError, match="too many open files"):
            publish(target, NEW)
        return 5

    assert in_child(body) == 5
    assert published(target) == OLD
    files.clean_leftovers(tmp_path)  # without handles a folder can't be listed, so it could not be removed
    assert os.listdir(tmp_path) == ["cel"]


@REAL
def test_a_parent_that_may_not_be_written_is_a_cannot_create_error(in_child: Callable[..., int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:  # tmp_path lies in a folder that only its owner may enter
        parent = Path(name) / "tylko do odczytu"
        publish(parent / "cel", OLD)
        os.chmod(name, 0o755)
        parent.chmod(0o555)

        def body() -> int:
            if os.geteuid() == 0:  # no permission stops root
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            for act in (
                lambda: publish(parent / "cel", NEW),
                lambda: publish(parent / "new/er", NEW),
                lambda: files.write(parent / "file", "x"),
                lambda: files.open_new(parent / "file"),
                lambda: files.make_folder(parent / "folder/below"),
                lambda: files.remove(parent / "cel"),
                lambda: files.lock(parent).__enter__(),
            ):
                with pytest.raises(CannotCreateError, match=r"tylko do odczytu/.*\(Permission denied\)"):
                    act()
            return 5

        assert in_child(body) == 5
        parent.chmod(0o755)
        assert published(parent / "cel") == OLD
        assert os.listdir(parent) == ["cel"]
