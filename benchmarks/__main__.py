"""All benchmarks of speed, one after the other: `make bench`, or `make bench QUICK=1`.

    python -m benchmarks [--quick]

Results go to benchmarks/results; `make docs` makes the README's table of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

ALL = ("training", "generation", "data_path", "preparation", "start_up", "beside_the_step")
QUICK = {
    "generation": ("--rounds", "3", "--tokens", "48", "--quality", "10"),
    "preparation": ("--rounds", "1"),
    "start_up": ("--rounds", "2"),
    "beside_the_step": ("--steps", "30"),
}


def main() -> int:
    """Run them; 1 when one failed."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--quick", action="store_true", help="fewer rounds and no large model: under ten minutes")
    chosen = words.parse_args()
    failed = []
    for name in ALL:
        began = time.monotonic()
        extra = QUICK.get(name, ("--quick",)) if chosen.quick else ()
        print(f"--- {name}", flush=True)  # noqa: T201
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *extra], check=False)
        print(f"--- {name}: {time.monotonic() - began:.0f} s\n", flush=True)  # noqa: T201
        failed += [name] if done.returncode else []
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)  # noqa: T201
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main())
