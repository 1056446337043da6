"""A process that stops, or loses power, at any call that changes the disk: the old or the new content, never neither."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from disk_cases import CALLS, CASES, NEW, OLD, no_exchange, publish
from osnowa import files
from osnowa.errors import DamagedError
from osnowa.files import system

STOPPED = 17


class Stop:
    """Numbers the calls of `system`; at number `point` the process is gone.

    kind "before": the call never happened. "torn": half of what it should write was written. "power": it happened, but
    of what no sync has reached only half is on the disk.
    """

    def __init__(self, point: int, kind: str) -> None:
        self.point, self.kind, self.count = point, kind, 0
        self.unsynced: dict[tuple[int, int], int] = {}  # inode -> a descriptor of our own

    def install(self) -> None:
        for name in CALLS:
            setattr(system, name, self.wrap(name, getattr(system, name)))

    def wrap(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        def numbered(*arguments: object) -> object:
            here, self.count = self.count == self.point, self.count + 1
            if here and self.kind == "before":
                os._exit(STOPPED)
            if here and self.kind == "torn" and name == "write":
                descriptor, data = arguments
                os.write(descriptor, data[: len(data) // 2])  # type: ignore[arg-type, index]
                os._exit(STOPPED)
            try:
                result = call(*arguments)
                if name in ("write", "sync"):
                    self.remember(name, arguments[0])  # type: ignore[arg-type]
                return result
            finally:  # also when the call found nothing to do
                if here:
                    self.lose_power()
                    os._exit(STOPPED)

        return numbered

    def remember(self, name: str, descriptor: int) -> None:
        status = os.fstat(descriptor)
        inode = (status.st_dev, status.st_ino)
        if name == "write" and inode not in self.unsynced:
            self.unsynced[inode] = os.dup(descriptor)
        elif name == "sync" and inode in self.unsynced:
            os.close(self.unsynced.pop(inode))

    def lose_power(self) -> None:
        if self.kind == "power":
            for descriptor in self.unsynced.values():
                os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)


@pytest.mark.parametrize("kind", ["before", "torn", "power"])
@pytest.mark.parametrize("name", CASES)
def test_a_process_stopped_at_any_call_leaves_the_old_or_the_new(
    tmp_path: Path, in_child: Callable[..., int], record_property: Callable[..., None], name: str, kind: str
) -> None:
    case = CASES[name]
    seen = []
    for point in itertools.count():
        folder = tmp_path / f"{point} zażółć [x]*"
        folder.mkdir()
        target = folder / "cel"
        case.prepare(target)

        def body(target: Path = target, point: int = point) -> None:
            if not case.exchange:
                system.exchange = no_exchange  # only in this child
            Stop(point, kind).install()
            case.act(target)

        code = in_child(body)
        if code == 0:
            break
        assert code == STOPPED, f"point {point} ended with {code}"
        if case.exchange:  # a reader needs no cleaning first
            assert case.read(target) in (case.old, case.new), f"point {point}"
        files.clean_leftovers(folder)
        left = case.read(target)
        assert left in (case.old, case.new), f"point {point}"
        seen.append(left == case.new)
        case.act(target)  # the same command again
        assert case.read(target) == case.new, f"point {point}"
        assert os.listdir(folder) == ([] if case.new is None else [target.name]), f"point {point}"
    assert len(seen) >= case.fewest_points
    assert seen == sorted(seen), "after the new content was there the old one came back"
    assert kind != "before" or seen[0] is False
    record_property("points", len(seen))


def test_power_lost_before_the_data_is_synced_would_be_seen(tmp_path: Path, in_child: Callable[..., int]) -> None:
    """The loss above is real: a publish whose syncs do nothing is damaged by it."""

    def body() -> None:
        stop = Stop(-1, "power")
        remember = stop.remember
        stop.remember = lambda name, descriptor: remember(name, descriptor) if name == "write" else None  # type: ignore[method-assign]
        stop.install()
        publish(tmp_path / "cel", NEW)
        stop.lose_power()

    assert in_child(body) == 0
    with pytest.raises(DamagedError):
        files.verify(tmp_path / "cel")


@pytest.mark.parametrize("old", [None, OLD])
def test_everything_is_synced_before_it_becomes_visible_and_the_step_itself_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: dict[str, bytes] | None
) -> None:
    final = tmp_path / "cel"
    if old is not None:
        publish(final, old)
    events: list[tuple[str, Path]] = []

    def traced(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def trace(subject: object, *rest: object) -> object:
            path = os.readlink(f"/proc/self/fd/{subject}") if isinstance(subject, int) else str(subject)
            events.append((name, Path(path)))
            return call(subject, *rest)

        return trace

    for name in CALLS:
        monkeypatch.setattr(system, name, traced(name, getattr(system, name)))
    publish(final, NEW)
    (work,) = {path for call, path in events if call == ("exchange" if old else "rename") and path.parent == tmp_path}
    step = events.index(("exchange" if old else "rename", work))
    for name in (*NEW, files.MANIFEST):
        last_write = max(
            i for i, event in enumerate(events) if event[0] == "write" and event[1].name.startswith(Path(name).name)
        )
        assert any(last_write < i < step for i, event in enumerate(events) if event == ("sync", work / name)), name
    for folder in (work, work / "deep", work / "deep/er"):
        last_change = max(
            i for i, event in enumerate(events[:step]) if event[0] != "sync" and event[1].parent == folder
        )
        assert any(last_change < i < step for i, event in enumerate(events) if event == ("sync", folder)), folder
    assert ("sync", tmp_path) in events[step:]
