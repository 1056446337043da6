"""Runs tests/compiled_cases.py in a process whose functions are not wrapped by checks of shapes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def unchecked(case: str) -> dict[str, Any]:
    """What the case found."""
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, here / "compiled_cases.py", case],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(here.parent / "src"), str(here)))},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found
