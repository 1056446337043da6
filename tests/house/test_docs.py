"""The generated parts of the documents are those that the code gives now, and what the README shows can be run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from osnowa.cli.arguments import parse

ROOT = Path(__file__).resolve().parents[2]


def test_generated_parts_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "write_docs.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_commands_of_the_readme_are_understood() -> None:
    import shlex

    commands = re.findall(r"^osnowa (.*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert len(commands) >= 5
    for command in commands:
        arguments, _ = parse(shlex.split(command, comments=True))
        assert arguments.verb


def test_make_targets_named_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for name in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"make ([a-z][a-z-]+) ", (ROOT / name).read_text(encoding="utf-8")))
        assert named <= targets | {"targets"}, (name, named - targets)
