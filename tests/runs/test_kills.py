"""Killed at any moment and started again, a run ends in the same bytes as one never stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from texts import documents

HARNESS = Path(__file__).with_name("kill_harness.py")


def test_a_run_killed_at_random_moments_in_all_phases_ends_in_the_same_bytes(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(documents()), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(HARNESS), str(tmp_path), str(text), "7", "7"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    phases = {kill["phase"] for kill in found["kills"]}
    assert len(found["kills"]) >= 20, found
    assert {"preparing", "planning", "training"} <= phases, found
    assert all(found["equal"]), found
