"""What a run tells the world: complete, readable back, and never in the way of the training."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import pty
import statistics
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

import pytest
from tensorboardX.proto import event_pb2
from tensorboardX.record_writer import RecordWriter, masked_crc32c

from osnowa import files
from osnowa.files import system
from osnowa.train import tensorboard
from osnowa.train.monitor import Monitor
from osnowa.train.pace import Pace
from osnowa.train.phase_bar import PhaseBar
from osnowa.train.screen import duration

VALUES = {"loss": 7.5, "token_loss": 6.8, "learning_rate": 0.003, "tokens": 20480, "tokens_per_second": 25000.0}
GUESSES = [[{"token": "stwarza", "id": 315, "probability": 0.125}, {"token": "[b]", "id": 9, "probability": 0.1}]]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def monitor(folder: Path, **changes: Any) -> Monitor:
    return Monitor(folder, **{"total_steps": 100, "stream": io.StringIO(), **changes})


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_bytes().split(b"\n") if line]


def events(folder: Path) -> list[Any]:
    """The event file parsed here by the format's description, every checksum verified."""
    content, place, found = (folder / "tensorboard" / tensorboard.NAME).read_bytes(), 0, []
    while place < len(content):
        length, check = struct.unpack_from("<QI", content, place)
        assert check == masked_crc32c(content[place : place + 8])
        record = content[place + 12 : place + 12 + length]
        assert struct.unpack_from("<I", content, place + 12 + length)[0] == masked_crc32c(record)
        found.append(event_pb2.Event.FromString(record))
        place += 16 + length
    return found


def scalars(folder: Path) -> list[tuple[int, str, float]]:
    return [(event.step, value.tag, value.simple_value) for event in events(folder) for value in event.summary.value]


def run(folder: Path, first: int, last: int, **changes: Any) -> None:
    with monitor(folder, **changes) as log:
        for step in range(first, last + 1):
            log.train(step, **VALUES)
            if step % 5 == 0:
                log.held_out(step, token_loss=6.0, token_accuracy=step / 100)
                log.probe(step, "Natura [MASK].", GUESSES)


# --- metrics.jsonl ---


def test_each_call_is_one_line_with_its_values(tmp_path: Path) -> None:
    with monitor(tmp_path) as log:
        log.held_out(0, token_loss=9.0)
        log.train(1, **VALUES)
        log.probe(1, "Natura [MASK].", GUESSES)
        log.event(1, "the loss was not finite")
        log.probe(2, "Natura [MASK].", GUESSES, answer="stwarza")
    assert lines(tmp_path) == [
        {"kind": "held_out", "step": 0, "token_loss": 9.0},
        {"kind": "train", "step": 1, **VALUES},
        {"kind": "probe", "step": 1, "text": "Natura [MASK].", "masks": GUESSES},
        {"kind": "event", "step": 1, "message": "the loss was not finite"},
        {"kind": "probe", "step": 2, "text": "Natura [MASK].", "answer": "stwarza", "masks": GUESSES},
    ]


def test_values_that_are_not_finite_or_not_known_are_left_out(tmp_path: Path) -> None:
    with monitor(tmp_path) as log:
        log.train(1, loss=float("nan"), token_loss=float("inf"), gradient_norm=None, learning_rate=0.5)
    assert lines(tmp_path) == [{"kind": "train", "step": 1, "learning_rate": 0.5}]
    assert scalars(tmp_path) == [(1, "train/learning_rate", 0.5)]


def test_a_resumed_run_leaves_the_log_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    run(whole, 1, 20)
    run(cut, 1, 13)
    run(cut, 11, 20, resume_step=10)
    assert lines(cut) == lines(whole)
    assert scalars(cut) == scalars(whole)


def test_an_evaluation_repeated_at_the_resumed_step_is_not_written_twice(tmp_path: Path) -> None:
    run(tmp_path, 1, 10)
    before = lines(tmp_path)
    with monitor(tmp_path, resume_step=10) as log:
        log.held_out(10, token_loss=6.0, token_accuracy=0.1)
        log.probe(10, "Natura [MASK].", GUESSES)
        log.probe(10, "Another [MASK].", GUESSES)
    assert lines(tmp_path)[:-1] == before
    assert lines(tmp_path)[-1]["text"] == "Another [MASK]."


def test_a_run_from_step_0_begins_a_new_log(tmp_path: Path) -> None:
    with monitor(tmp_path) as log:
        log.held_out(0, token_loss=9.0)
        log.train(1, loss=8.0)
    run(tmp_path, 1, 1)
    assert lines(tmp_path) == [{"kind": "train", "step": 1, **VALUES}]
    assert {(step, tag.partition("/")[0]) for step, tag, _ in scalars(tmp_path)} == {(1, "train")}


def test_a_line_torn_inside_a_letter_and_strange_separators_survive_a_resume(tmp_path: Path) -> None:
    text = "a\u2028b\x85c [MASK]"
    with monitor(tmp_path) as log:
        log.probe(1, text, GUESSES)
    with files.open_append(tmp_path / "metrics.jsonl") as handle:
        handle.write('{"kind": "probe", "step": 1, "text": "ż'.encode()[:-1])
    with monitor(tmp_path, resume_step=1) as log:
        log.train(2, loss=1.0)
    assert [line.get("text") for line in lines(tmp_path)] == [text, None]


# --- TensorBoard ---


def test_event_files_are_framed_as_tensorboardx_frames_them(tmp_path: Path) -> None:
    writer = RecordWriter(str(tmp_path / "reference"))
    writer.write(b"some record")
    writer.close()
    assert tensorboard.frame(b"some record") == (tmp_path / "reference").read_bytes()


def test_the_event_file_begins_with_the_version_tensorboard_asks_for(tmp_path: Path) -> None:
    run(tmp_path, 1, 1)
    run(tmp_path, 2, 2, resume_step=1)
    assert [event.file_version for event in events(tmp_path)] == ["brain.Event:2", "", ""]
    assert events(tmp_path)[1].wall_time == pytest.approx(time.time(), abs=60)


def test_a_torn_event_does_not_hide_later_ones(tmp_path: Path) -> None:
    run(tmp_path, 1, 3)
    path = tmp_path / "tensorboard" / tensorboard.NAME
    with files.open_append(path) as handle:
        handle.write(tensorboard.frame(b"x" * 50)[:30])
    run(tmp_path, 3, 4, resume_step=2)
    assert sorted({step for step, _, _ in scalars(tmp_path)}) == [1, 2, 3, 4]


# --- nothing stops the training (C12) ---


@contextlib.contextmanager
def abandoned(descriptor: int) -> Iterator[TextIO]:
    """A text stream on `descriptor`, whose own closing may fail."""
    stream = os.fdopen(descriptor, "w", buffering=1)
    yield stream
    with contextlib.suppress(OSError):
        stream.close()


def test_a_broken_pipe_does_not_stop_the_training(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with abandoned(writing) as stream:
        run(tmp_path, 1, 20, stream=stream)
    assert lines(tmp_path)[-1]["step"] == 20


def test_a_terminal_that_closes_does_not_stop_the_training(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    with abandoned(follower) as stream, monitor(tmp_path, stream=stream) as log:
        log.train(1, **VALUES)
        assert log.screen.live
        os.close(leader)
        log.phase("evaluate")
        log.held_out(1, token_loss=6.0)
        log.phase("train")
        log.train(2, **VALUES)
        assert log.screen.sink.broken
    assert [line["step"] for line in lines(tmp_path)] == [1, 1, 2]


def test_a_closed_stream_does_not_stop_the_training(tmp_path: Path) -> None:
    stream = io.StringIO()
    log = monitor(tmp_path, stream=stream)
    stream.close()
    log.train(1, **VALUES)
    log.close()
    assert len(lines(tmp_path)) == 1


def test_a_stream_that_fails_only_when_flushed_does_not_stop_the_training(tmp_path: Path) -> None:
    class Failing(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.EIO, "Input/output error")

    run(tmp_path, 1, 20, stream=Failing())
    assert lines(tmp_path)[-1]["step"] == 20


@pytest.mark.parametrize("taken", [0, 10])
def test_a_full_disk_is_reported_once_and_later_lines_are_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    room = [taken]

    def write(descriptor: int, data: memoryview) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        room[0] = 0
        return os.write(descriptor, data[:taken])

    stream = io.StringIO()
    with monitor(tmp_path, stream=stream, quiet=True) as log:
        log.train(1, loss=1.0)
        with monkeypatch.context() as full:
            full.setattr(system, "write", write)
            log.train(2, loss=2.0)
            room[0] = taken
            log.train(3, loss=3.0)
        log.train(4, loss=4.0)
    assert [line["step"] for line in lines(tmp_path)] == [1, 4]
    assert [step for step, _, _ in scalars(tmp_path)] == [1, 4]
    told = stream.getvalue().splitlines()
    assert ["metrics.jsonl" in line and "no space left" in line.lower() for line in told] == [True, False]
    assert tensorboard.NAME in told[1]


def test_a_folder_that_cannot_be_made_for_tensorboard_does_not_stop_the_training(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("in the way")
    stream = io.StringIO()
    run(tmp_path, 1, 2, stream=stream)
    assert len(lines(tmp_path)) == 2
    assert stream.getvalue().count("warning: ") == 1


def test_a_clock_set_back_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monitor(tmp_path) as log:
        log.train(1, **VALUES)
        monkeypatch.setattr(time, "time", lambda: 0.0)
        log.train(2, **VALUES)
    times = [event.wall_time for event in events(tmp_path)]
    assert times == sorted(times)


def test_a_logged_step_costs_less_than_0_3_milliseconds(tmp_path: Path) -> None:
    costs = []
    with monitor(tmp_path, total_steps=10_000, clock=Clock()) as log:
        for step in range(1, 501):
            start = time.perf_counter()
            log.train(step, **VALUES)
            costs.append(time.perf_counter() - start)
    assert statistics.median(costs) < 0.3e-3  # measured: 0.05 ms


# --- the screen ---


def test_without_a_terminal_a_plain_line_comes_every_five_seconds(tmp_path: Path) -> None:
    clock, stream = Clock(), io.StringIO()
    with monitor(tmp_path, total_steps=1000, stream=stream, clock=clock) as log:
        for step in range(1, 13):
            clock.now += 1
            log.train(step, loss=6.214, tokens_per_second=21_300.0)
    assert stream.getvalue().splitlines() == [
        "step 1/1000 loss 6.21 21,300 tokens/s",
        "step 6/1000 loss 6.21 21,300 tokens/s, 16:34 left",
        "step 11/1000 loss 6.21 21,300 tokens/s, 16:29 left",
        "step 12/1000 loss 6.21 21,300 tokens/s, 16:28 left",
    ]


def test_on_a_terminal_the_bar_shows_phase_loss_speed_and_time_and_mask_is_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    clock, stream = Clock(), Terminal()
    with monitor(tmp_path, stream=stream, clock=clock) as log:
        for step in range(1, 21):
            clock.now += 1
            log.train(step, loss=6.214, tokens_per_second=21_300.0)
        log.phase("evaluate [dev]")
        log.probe(20, "Natura [MASK].", GUESSES)
    shown = stream.getvalue()
    for part in (
        "train",
        "evaluate [dev]",
        "20/100",
        "loss 6.21",
        "21,300 tokens/s",
        "1:20 left",
        "0:20",
        "[MASK]",
        "[b]",
    ):
        assert part in shown


def test_quiet_shows_nothing_and_logs_everything(tmp_path: Path) -> None:
    stream = io.StringIO()
    run(tmp_path, 1, 10, stream=stream, quiet=True)
    assert stream.getvalue() == ""
    assert len(lines(tmp_path)) == 14


def test_time_left_counts_evaluations_apart_from_the_pace() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.go_on(0)
    for step in range(1, 101):
        clock.now += 1.0
        pace.step(step)
        if step % 10 == 0:
            pace.pause()
            clock.now += 20.0
            pace.go_on(step)
    assert pace.seconds_per_step() == pytest.approx(1.0)
    assert pace.seconds_left(50) == pytest.approx(50 * 1.0 + 5 * 20.0)


def test_a_stopped_process_does_not_spoil_the_pace() -> None:
    clock = Clock()
    pace = Pace(clock)
    for step in range(1, 41):
        clock.now += 3600.0 if step == 20 else 0.5
        pace.step(step)
    assert pace.seconds_per_step() == pytest.approx(0.5)


def test_the_pace_follows_a_lasting_change_of_speed() -> None:
    clock = Clock()
    pace = Pace(clock)
    for step in range(1, 201):
        clock.now += 0.5 if step <= 100 else 2.0
        pace.step(step)
    assert pace.seconds_per_step() == pytest.approx(2.0)


def test_preparation_phases_are_shown_one_after_the_other() -> None:
    clock, stream = Clock(), io.StringIO()
    with PhaseBar(stream=stream, clock=clock) as bar:
        for done in (0, 406, 812):
            bar(SimpleNamespace(phase="read", done=done, total=812, unit="files"))
            clock.now += 6
        bar(SimpleNamespace(phase="tokenize", done=3_400_000, total=14_200_000, unit="bytes"))
        bar(SimpleNamespace(phase="split", done=7, total=None, unit="documents"))
    assert stream.getvalue().splitlines() == [
        "read: 0/812 files",
        "read: 406/812 files, 0:06 left",
        "read: 812/812 files",
        "tokenize: 3.4/14.2 MB",
        "split: 7 documents",
    ]


@pytest.mark.parametrize(("seconds", "shown"), [(6.6, "0:07"), (130, "2:10"), (3730, "1:02:10"), (-1, "0:00")])
def test_durations_read_like_a_clock(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
