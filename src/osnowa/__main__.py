"""`python -m osnowa` is `osnowa`."""

from __future__ import annotations

from osnowa.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
