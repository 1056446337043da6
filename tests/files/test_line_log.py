"""The log of a run: it never stops the work, and what it holds can always be read."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from osnowa import files
from osnowa.errors import StorageError
from osnowa.files import system


def records(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def log(tmp_path: Path, warnings: list[str]) -> files.LineLog:
    return files.LineLog(tmp_path / "metrics.jsonl", warnings.append)


def test_each_record_is_one_line_at_once(log: files.LineLog) -> None:
    for step in range(3):
        log.append({"step": step, "słowo": "zażółć"})
        assert records(log.path) == [{"step": s, "słowo": "zażółć"} for s in range(step + 1)]
    assert "zażółć" in log.path.read_text(encoding="utf-8")


def test_a_full_disk_is_told_once_and_the_work_goes_on(
    log: files.LineLog, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append({"step": 0})
    with monkeypatch.context() as patch:
        patch.setattr(system, "write", _almost_full)
        for step in range(1, 4):
            log.append({"step": step})
    assert warnings == [
        f"{log.path}: no space left on the disk; free some space and run the same command again "
        "(training goes on; lines are lost until this is mended)"
    ]
    log.append({"step": 4})
    assert records(log.path) == [{"step": 0}, {"step": 4}]
    with monkeypatch.context() as patch:
        patch.setattr(system, "write", _almost_full)
        log.append({"step": 5})
    assert len(warnings) == 2, "a second time of trouble is told again"


def _almost_full(descriptor: int, data: memoryview) -> int:
    if len(data) > 5:
        return os.write(descriptor, data[:5])
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_torn_line_that_could_not_be_taken_back_hides_no_later_one(
    log: files.LineLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(descriptor: int, size: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    log.append({"step": 0})
    with monkeypatch.context() as patch:
        patch.setattr(system, "write", _almost_full)
        patch.setattr(system, "truncate", fails)
        log.append({"step": 1})
    log.append({"step": 2})
    lines = log.path.read_bytes().split(b"\n")
    assert lines == [b'{"step": 0}', b'{"step": 1', b'{"step": 2}', b""]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no device that is always full")
def test_a_really_full_device_is_told_once(warnings: list[str]) -> None:
    log = files.LineLog(Path("/dev/full"), warnings.append)
    log.append({"step": 0})
    log.append({"step": 1})
    assert len(warnings) == 1
    assert "no space left on the disk" in warnings[0]


def test_a_folder_that_went_away_is_told_and_the_work_goes_on(tmp_path: Path, warnings: list[str]) -> None:
    log = files.LineLog(tmp_path / "gone/metrics.jsonl", warnings.append)
    log.append({"step": 0})
    assert len(warnings) == 1
    (tmp_path / "gone").mkdir()
    log.append({"step": 1})
    assert records(log.path) == [{"step": 1}]


def test_a_line_torn_by_a_kill_hides_no_later_one(log: files.LineLog) -> None:
    log.path.write_bytes(b'{"step": 0}\n{"step": 1, "te')
    log.append({"step": 1})
    log.append({"step": 2})
    assert log.path.read_bytes() == b'{"step": 0}\n{"step": 1, "te\n{"step": 1}\n{"step": 2}\n'


def test_numbers_that_are_none_become_null(log: files.LineLog) -> None:
    log.append({"loss": float("nan"), "norms": [1.0, float("inf")], "more": {"x": float("-inf")}, "n": 1})
    assert records(log.path) == [{"loss": None, "norms": [1.0, None], "more": {"x": None}, "n": 1}]


def test_half_a_surrogate_is_an_escape(log: files.LineLog) -> None:
    log.append({"file": "nie-utf8-\udcff"})
    assert records(log.path) == [{"file": "nie-utf8-\udcff"}]


def test_keep_drops_what_is_not_wanted_and_what_is_torn(log: files.LineLog) -> None:
    strange = {"step": 1, "text": "a\u2028b\x85c\x0bd"}
    log.append({"step": 0})
    log.append(strange)
    log.append({"step": 2})
    with log.path.open("ab") as handle:
        handle.write(b'3\n"x"\n\xff\xfe\n' + b"[" * 100_000 + b"\n\n" + '{"step": 1, "x": "ż'.encode()[:-1])
    log.keep(lambda record: record["step"] < 2)
    assert records(log.path) == [{"step": 0}, strange]
    log.append({"step": 2})
    assert records(log.path) == [{"step": 0}, strange, {"step": 2}]


def test_keep_without_a_log_makes_none(log: files.LineLog) -> None:
    log.keep(lambda record: True)
    assert not log.path.exists()


def test_keep_passes_on_the_error_of_a_wrong_question(log: files.LineLog) -> None:
    log.append({"step": 0})
    with pytest.raises(KeyError):
        log.keep(lambda record: record["no such key"] > 1)
    assert records(log.path) == [{"step": 0}]


def test_keep_that_fails_leaves_the_log(log: files.LineLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append({"step": 0})
    monkeypatch.setattr(system, "write", _almost_full)
    with pytest.raises(StorageError):
        log.keep(lambda record: True)
    assert records(log.path) == [{"step": 0}]


def test_an_appended_file_takes_a_failed_write_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with files.open_append(tmp_path / "events") as handle:
        handle.write(b"first")
        with monkeypatch.context() as patch:
            patch.setattr(system, "write", _almost_full)
            with pytest.raises(OSError, match="No space left") as caught:
                handle.write(b"second record")
        assert caught.value.filename == str(tmp_path / "events")
        handle.write(b"third")
    assert (tmp_path / "events").read_bytes() == b"firstthird"
