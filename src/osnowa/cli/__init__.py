"""The command line: one table of words, errors without a traceback, documented exit codes."""

from __future__ import annotations

from osnowa.cli.main import main

__all__ = ["main"]
