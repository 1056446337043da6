"""The watchdog speaks when a step hangs, and not when steps are slow."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_loop import run

from osnowa.train import watchdog
from osnowa.train.loop import StepResult
from osnowa.train.watchdog import Watchdog
from small_training import make_trainer


def test_its_patience_follows_the_slowest_step_and_never_falls_below_two_minutes() -> None:
    dog = Watchdog()
    assert dog.seconds == 120
    for seconds, waits in ((0.5, 120), (11.0, 120), (30.0, 300), (20.0, 300), (60.0, 600)):
        dog.saw(seconds)
        assert dog.seconds == waits


def test_the_loop_arms_it_before_each_step_with_what_it_has_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    armed: list[float] = []
    monkeypatch.setattr(watchdog.faulthandler, "dump_traceback_later", lambda seconds, file: armed.append(seconds))
    monkeypatch.setattr(watchdog, "SILENT_SECONDS", 0.0)
    rested: list[bool] = []
    monkeypatch.setattr(watchdog.faulthandler, "cancel_dump_traceback_later", lambda: rested.append(True))
    trainer = make_trainer(steps=5)
    step = trainer.step

    def slow_step() -> StepResult:
        time.sleep(0.4 if trainer.state.step == 2 else 0)
        return step()

    monkeypatch.setattr(trainer, "step", slow_step)
    run(trainer, tmp_path)
    assert len(armed) == 5
    assert armed[0] > 0
    assert armed[3] >= 4.0
    assert armed == sorted(armed)
    assert rested == [True]


@pytest.mark.parametrize(("slowest", "speaks"), [(0.0, True), (10.0, False)])
def test_a_hang_prints_the_stacks_and_a_slow_machine_does_not(slowest: float, speaks: bool) -> None:
    code = (
        "import time; from osnowa.train import watchdog; watchdog.SILENT_SECONDS = 0.2; dog = watchdog.Watchdog();"
        f"dog.saw({slowest}); dog.arm(); time.sleep(0.8); dog.rest()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ("most recent call first" in done.stderr) is speaks
