"""Worker processes: the order is kept, and a failure of any kind ends in one clear error, never in a hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osnowa import workers
from osnowa.errors import DamagedError, SettingsError, StorageError

pytestmark = pytest.mark.timeout(60)

MODULE = '''
import os, signal, sys, time
from pathlib import Path
from osnowa import workers
from osnowa.errors import DamagedError, OsnowaError, SettingsError

class RoomError(DamagedError):
    """Known to its room only."""

def square(number, pause=0.0):
    time.sleep(pause)
    return number * number

def environment():
    return [os.environ["TOKENIZERS_PARALLELISM"], os.environ["OMP_NUM_THREADS"]]

def chatty(name):
    print("not an answer")
    os.write(1, b"neither")
    return name

def echo(text):
    return text

def wrong(kind):
    raise {"settings": SettingsError, "room": RoomError}[kind]("gdzie", "co\\nco", "zamiast")

def bug():
    return {}["no such key"]

def not_json():
    return {1, 2}

def no_memory(name):
    raise MemoryError

def leave():
    sys.exit(3)

def kill_once(marker, number):
    """Killed in the middle of its work the first time."""
    if not Path(marker).exists():
        Path(marker).write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return number

def kill_always(name):
    os.kill(os.getpid(), signal.SIGKILL)

def tell(folder, seconds):
    Path(folder, str(os.getpid())).write_text("")
    time.sleep(seconds)
    return os.getpid()

if __name__ == "__main__":
    workers.serve({name: thing for name, thing in globals().items() if callable(thing) and name != "Path"})
'''


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/play_worker.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"), prepend=os.pathsep)


def task(action: str, **arguments: Any) -> dict[str, Any]:
    return {"action": action, "arguments": arguments}


def run(tasks: list[dict[str, Any]], num_workers: int = 2) -> list[Any]:
    return list(workers.run("play_worker", tasks, num_workers))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until_dead(pids: list[int], seconds: float) -> list[int]:
    end = time.monotonic() + seconds
    while time.monotonic() < end and any(alive(pid) for pid in pids):
        time.sleep(0.05)
    return [pid for pid in pids if alive(pid)]


# --- results ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_workers", [0, 1, 2, 5])
def test_results_come_in_the_order_of_the_tasks(num_workers: int) -> None:
    pauses = [0.3, 0, 0.1, 0, 0, 0.2, 0, 0]
    tasks = [task("square", number=i, pause=pause) for i, pause in enumerate(pauses)]
    assert run(tasks, num_workers) == [i * i for i in range(8)]


def test_no_task_needs_no_worker() -> None:
    assert list(workers.run("no_such_module", [], 2)) == []


def test_both_workers_are_busy_at_once(tmp_path: Path) -> None:
    pids = run([task("tell", folder=str(tmp_path), seconds=0.5) for _ in range(2)])
    assert len(set(pids)) == 2


def test_large_tasks_and_answers_pass() -> None:
    text = "zażółć gęślą jaźń " * 100_000
    assert run([task("echo", text=text)] * 3) == [text] * 3


def test_what_libraries_print_is_no_answer() -> None:
    assert run([task("chatty", name=str(i)) for i in range(3)]) == ["0", "1", "2"]


def test_libraries_inside_a_worker_use_one_thread() -> None:
    assert run([task("environment")]) == [["false", "1"]]


def test_a_file_of_the_user_with_the_name_of_a_library_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert run([task("square", number=3)]) == [9]


# --- errors -----------------------------------------------------------------------------------------------------


def test_an_error_of_ours_comes_back_with_its_class_and_parts() -> None:
    with pytest.raises(SettingsError) as caught:
        run([task("wrong", kind="settings")])
    assert (caught.value.where, caught.value.what, caught.value.instead) == ("gdzie", "co\nco", "zamiast")
    assert caught.value.exit_code == 78


def test_an_error_class_of_a_room_comes_back_as_the_nearest_known_one() -> None:
    with pytest.raises(DamagedError) as caught:
        run([task("wrong", kind="room")])
    assert type(caught.value) is DamagedError


def test_the_first_error_by_task_order_is_raised_after_the_results_before_it() -> None:
    tasks = [
        task("square", number=2, pause=0.4),
        task("square", number=3, pause=0.4),
        task("wrong", kind="settings"),
        task("wrong", kind="room"),
    ]
    results: list[Any] = []
    with pytest.raises(SettingsError):
        take_all(workers.run("play_worker", tasks, 4), into=results)
    assert results == [4, 9]


def take_all(answers: Iterator[Any], into: list[Any]) -> None:
    for answer in answers:
        into.append(answer)


@pytest.mark.parametrize(
    ("action", "said"),
    [("bug", "KeyError: 'no such key'"), ("not_json", "not JSON serializable"), ("none", "KeyError")],
)
def test_a_bug_in_a_task_ends_at_once_with_its_traceback(action: str, said: str) -> None:
    with pytest.raises(RuntimeError, match=f"^{action}: a worker failed") as caught:
        run([task("square", number=1), task(action)])
    assert "Traceback" in str(caught.value)
    assert said in str(caught.value)


def test_a_task_without_memory_is_a_storage_error_with_advice() -> None:
    with pytest.raises(StorageError) as caught:
        run([task("no_memory", name="część 3")])
    assert str(caught.value) == "część 3: ran out of memory; use fewer workers"


def test_an_unknown_module_is_an_error_and_no_hang(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StorageError, match=r"a worker process died twice on it \(exit code 1\)"):
        list(workers.run("no_such_module", [task("x")], 2))
    assert "No module named no_such_module" in capfd.readouterr().err


def test_a_pool_keeps_its_processes_for_the_next_run_but_none_that_is_still_at_work(tmp_path: Path) -> None:
    short, long = (task("tell", folder=str(tmp_path), seconds=seconds) for seconds in (0.3, 30))
    with workers.Pool("play_worker", 2) as pool:
        first = set(pool.run([short, short]))
        assert set(pool.run([short, short])) == first
        answers = pool.run([short, long])
        kept = next(answers)
        answers.close()  # type: ignore[attr-defined]
        (dropped,) = first - {kept}
        assert wait_until_dead([dropped], 5) == []
        again = list(pool.run([short, short]))
        assert kept in again
        assert dropped not in again
    assert wait_until_dead(again, 5) == []


# --- death ------------------------------------------------------------------------------------------------------


def test_a_worker_killed_in_its_work_is_replaced_and_the_results_are_the_same(tmp_path: Path) -> None:
    tasks = [task("kill_once", marker=str(tmp_path / str(i % 3)), number=i) for i in range(9)]
    assert run(tasks) == list(range(9))


def test_every_worker_killed_from_outside_is_replaced_and_the_results_are_the_same(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    pids.mkdir()
    tasks = [task("tell", folder=str(pids), seconds=0.4) for _ in range(6)]
    answers = workers.run("play_worker", tasks, 2)
    first = next(answers)
    killed = {int(name) for name in os.listdir(pids)}
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    rest = list(answers)
    assert len(rest) == 5
    assert first in killed
    assert rest[-1] not in killed


def test_a_worker_killed_behind_its_answer_is_not_given_what_another_left(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    pids.mkdir()
    tasks = [task("tell", folder=str(pids), seconds=seconds) for seconds in (0.0, 0.5, 3.0)]
    answers = workers.run("play_worker", tasks, 2)
    next(answers)
    time.sleep(1.5)  # the answer to the second task is there; the third has been begun
    for name in os.listdir(pids):
        os.kill(int(name), signal.SIGKILL)
    time.sleep(0.2)
    assert len(list(answers)) == 2


def test_an_idle_worker_that_is_killed_costs_no_task_an_attempt(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    pids.mkdir()
    tasks = [task("tell", folder=str(pids), seconds=0.0), task("square", number=5, pause=0.8)]
    answers = workers.run("play_worker", tasks, 2)
    idle = next(answers)
    os.kill(idle, signal.SIGKILL)
    assert list(answers) == [25]


def test_two_deaths_on_one_task_are_a_storage_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        run([task("square", number=1), task("kill_always", name="część 7")])
    assert str(caught.value) == (
        "część 7: a worker process died twice on it (killed by SIGKILL); "
        "give it more memory or fewer workers, and run the same command again"
    )
    assert caught.value.exit_code == 74


def test_a_task_that_leaves_the_process_is_an_error_and_no_hang() -> None:
    with pytest.raises(StorageError, match=r"leave: a worker process died twice on it \(exit code 3\)"):
        run([task("leave")])


def test_no_worker_is_left_after_success_error_or_an_early_end(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    pids.mkdir()
    long = task("tell", folder=str(pids), seconds=30)
    short = task("tell", folder=str(pids), seconds=0)
    run([short, short])
    with pytest.raises(SettingsError):
        run([short, task("wrong", kind="settings"), long])
    answers = workers.run("play_worker", [short, long, long], 2)
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert wait_until_dead([int(name) for name in os.listdir(pids)], 5) == []


PARENT = """
import signal, sys
from osnowa import workers
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells let background jobs ignore it
tasks = [{"action": "tell", "arguments": {"folder": sys.argv[1], "seconds": 60}}] * 2
list(workers.run("play_worker", tasks, 2))
"""


def start_parent(pids: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
    pids.mkdir()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(pids)], start_new_session=True, stderr=subprocess.PIPE)
    end = time.monotonic() + 20
    while len(os.listdir(pids)) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    found = [int(name) for name in os.listdir(pids)]
    assert len(found) == 2
    return parent, found


def test_workers_end_within_seconds_when_the_parent_is_killed_also_inside_a_long_task(tmp_path: Path) -> None:
    parent, found = start_parent(tmp_path / "pids")
    assert all(alive(pid) for pid in found)
    parent.kill()
    parent.communicate()
    assert wait_until_dead(found, 5) == []


def test_ctrl_c_ends_the_workers_without_their_tracebacks(tmp_path: Path) -> None:
    parent, found = start_parent(tmp_path / "pids")
    os.killpg(parent.pid, signal.SIGINT)  # a terminal sends it to the whole group
    errors = parent.communicate()[1].decode()
    assert wait_until_dead(found, 5) == []
    assert errors.count("Traceback") == 1, "the parent's own, which the command line turns into one line"
