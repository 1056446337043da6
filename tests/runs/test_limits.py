"""How many threads, processes and bytes a run may take: settings, environment, affinity, cores, a container's limits."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from osnowa.cli.main import main
from osnowa.runs import limits, memory
from osnowa.runs.api import recipe_of
from osnowa.runs.machine import set_up

GROUPS_1 = "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n1:name=systemd:/\n0::/\n"
Machine = Callable[..., Path]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A system that tells what its files say; `allowed` are the processors of the affinity."""

    def make(allowed: set[int], told: dict[str, str]) -> Path:
        for path, text in told.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n")
        monkeypatch.setattr(limits, "_ROOT", tmp_path)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _process: allowed)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        return tmp_path

    return make


def topology(siblings: list[str], name: str = "core_cpus_list") -> dict[str, str]:
    return {f"sys/devices/system/cpu/cpu{number}/topology/{name}": text for number, text in enumerate(siblings)}


@pytest.mark.parametrize(
    ("asked", "expected"), [("1", 1), ("3", 3), (" 2,1 ", 2), ("", None), ("0", None), ("x", None)]
)
def test_the_environment_is_asked_before_the_cores_are_counted(
    asked: str, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert limits.threads() == (expected or limits.cores())


def test_a_setting_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    try:
        assert set_up(recipe_of(preset="encoder-tiny", steps=1, settings={"training": {"threads": 2}})).threads == 2
        assert torch.get_num_threads() == 2
        assert set_up(recipe_of(preset="encoder-tiny", steps=1)).threads == 1
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["core_cpus_list", "thread_siblings_list"])
def test_two_threads_of_a_core_count_once_for_products_and_twice_for_processes(name: str, machine: Machine) -> None:
    machine(set(range(8)), topology(["0,4", "1,5", "2,6", "3,7"] * 2, name))
    assert (limits.cores(), limits.threads(), limits.processors()) == (4, 4, 8)


def test_only_processors_of_the_affinity_count(machine: Machine) -> None:
    machine({0, 4, 5}, topology(["0,4", "1,5", "2,6", "3,7"] * 2))
    assert (limits.cores(), limits.processors()) == (2, 3)


def test_where_nothing_is_told_every_processor_is_a_core(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine({0, 1, 2}, {})
    assert (limits.cores(), limits.processors(), limits.memory()) == (3, 3, None)
    monkeypatch.delattr(os, "sched_getaffinity")  # not Linux
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert (limits.cores(), limits.processors()) == (5, 5)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "200000 100000"}, 2),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "150000 100000"}, 2),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "1000 100000"}, 1),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, 8),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "900000 100000"}, 8),
        (  # the group's own limit is wider than that of the group around it
            {
                "proc/self/cgroup": "0::/outer/inner",
                "sys/fs/cgroup/outer/cpu.max": "300000 100000",
                "sys/fs/cgroup/outer/inner/cpu.max": "500000 100000",
            },
            3,
        ),
        (  # a container sees its own group as the outermost, under a path that is not there
            {
                "proc/self/cgroup": GROUPS_1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            4,
        ),
        (
            {
                "proc/self/cgroup": GROUPS_1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            8,
        ),
    ],
)
def test_a_quota_of_time_counts(told: dict[str, str], expected: int, machine: Machine) -> None:
    machine(set(range(8)), told)
    assert (limits.cores(), limits.processors()) == (expected, expected)


def test_memory_is_what_the_narrowest_group_leaves(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    top = machine(
        {0},
        {
            "proc/self/cgroup": "0::/outer/inner",
            "sys/fs/cgroup/memory.max": "max",
            "sys/fs/cgroup/memory.current": "300000",
            "sys/fs/cgroup/outer/memory.max": "1000000",
            "sys/fs/cgroup/outer/memory.current": "300000",
            "sys/fs/cgroup/outer/memory.stat": "anon 7\ninactive_file 100000\nactive_file 9",
            "sys/fs/cgroup/outer/inner/memory.max": "5000000",
            "sys/fs/cgroup/outer/inner/memory.current": "300000",
        },
    )
    assert limits.memory() == 800_000
    (top / "sys/fs/cgroup/outer/memory.current").write_text("2000000\n")
    assert limits.memory() == 0


def test_a_training_counts_on_no_more_memory_than_its_container_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "resident", lambda: 5)
    monkeypatch.setattr(limits, "memory", lambda: None)
    free = memory.available()
    assert free is None or free > 1_000_005
    monkeypatch.setattr(limits, "memory", lambda: 1_000_000)
    assert memory.available() == (None if free is None else 1_000_005)


def test_memory_of_version_1(machine: Machine) -> None:
    machine(
        {0},
        {
            "proc/self/cgroup": GROUPS_1,
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "500000",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "450000",
            "sys/fs/cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 50000",
        },
    )
    assert limits.memory() == 100_000


def test_a_verb_that_asks_a_model_takes_no_more_threads(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine({0, 1, 2}, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "200000 100000"})
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    assert main(["fill", "no-such-model", "a [MASK]"]) != 0
    assert asked == [2]
    capsys.readouterr()
