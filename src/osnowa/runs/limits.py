"""What this process may use of the machine: processors and memory, by affinity and by the limits of a container."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_ROOT = Path("/")


def threads() -> int:
    """What the environment asks for (OMP_NUM_THREADS), else one a core that this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(asked) if asked.isdecimal() and int(asked) else cores()


def processors() -> int:
    """Processors for independent processes: those that the affinity allows, or fewer by a quota of time."""
    return _by_quota(len(_allowed()))


def cores() -> int:
    """Processors for the threads of one product: one a core, since two threads of a core share its multipliers.

    A quota of one processor costs a training with 2 threads 10 % of its speed and one with 32 threads 44 %; the
    generation of text takes 1.6 and 3.3 times as long (measured on 2 cores).
    """
    return _by_quota(len({_siblings(number) for number in _allowed()}))


def memory() -> int | None:
    """Bytes that the limits of memory leave to this process on top of what it holds; None where there are none.

    What the group holds of files that were read is given back on demand, so it counts as free.
    """
    left = [found for group in _groups("memory") if (found := _left(group)) is not None]
    return min(left) if left else None


def _allowed() -> list[int]:
    """Numbers of the processors; all where the system knows no affinity."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _siblings(number: int) -> str:
    """The processors of the same core as Linux lists them: '0,8'; the number itself where it does not say."""
    topology = f"sys/devices/system/cpu/cpu{number}/topology"
    return _read(f"{topology}/core_cpus_list") or _read(f"{topology}/thread_siblings_list") or str(number)


def _by_quota(amount: int) -> int:
    shares = [share for group in _groups("cpu") if (share := _share(group)) is not None]
    return max(1, min([amount, *map(math.ceil, shares)]))


def _share(group: str) -> float | None:
    """Processors whose whole time a group may use: of version 2, of version 1; None: as many as there are."""
    quota, _, period = _read(f"{group}/cpu.max").partition(" ")
    if not quota:
        quota, period = _read(f"{group}/cpu.cfs_quota_us"), _read(f"{group}/cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(period) else None


def _left(group: str) -> int | None:
    """Bytes that a group has not used yet: of version 2, of version 1; None: it has no limit."""
    for most, used, files in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit, now = _read(f"{group}/{most}"), _read(f"{group}/{used}")
        if limit.isdecimal() and now.isdecimal():
            told = dict(line.split(" ", 1) for line in _read(f"{group}/memory.stat").splitlines() if " " in line)
            return max(0, int(limit) - int(now) + int(told.get(files, 0)))
    return None


def _groups(controller: str) -> Iterator[str]:
    """Folders of the control groups of this process, its own first; a container sees its own as the outermost."""
    for line in _read("proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        if not names or controller in names.split(","):
            top = f"sys/fs/cgroup/{controller}" if names else "sys/fs/cgroup"
            place = PurePosixPath(path.lstrip("/"))
            yield from (f"{top}/{each}" for each in (place, *place.parents))


def _read(path: str) -> str:
    try:
        return (_ROOT / path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
