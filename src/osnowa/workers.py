"""Worker processes that share the corpus work: own interpreters, JSON tasks over pipes, answers in order.

A worker is `python -m MODULE`, whose `__main__` part calls `serve`. It needs no fork (safe after threads), does not
import the user's script, and ends by itself when the parent is gone, because its standard input closes. A worker that
dies (out of memory, segmentation fault, kill) is replaced and its task tried once more; order never changes.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import selectors
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any

from osnowa import errors
from osnowa.errors import OsnowaError, StorageError

Task = Mapping[str, Any]


# --- in the worker ----------------------------------------------------------------------------------------------


def serve(actions: Mapping[str, Callable[..., Any]]) -> None:
    """Answer tasks `{"action": name, "arguments": {...}}` from standard input until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints goes to standard error, not into the answers
    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    while True:
        answer = _work(actions, json.loads(tasks.get()))
        try:
            output.write(answer + b"\n")
            output.flush()
        except BrokenPipeError:  # the parent is gone
            os._exit(1)


def _listen(tasks: queue.SimpleQueue[bytes]) -> None:
    """Tasks for the main thread. When standard input closes the parent is done, or dead: end, also inside a task."""
    rest = b""
    while block := os.read(0, 1 << 20):  # not sys.stdin: its lock, held here, would abort an interpreter that ends
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            tasks.put(line)
    os._exit(0)


def _work(actions: Mapping[str, Callable[..., Any]], task: Task) -> bytes:
    try:
        return json.dumps({"result": actions[task["action"]](**task["arguments"])}).encode()
    except OsnowaError as error:
        # A room's own error class travels as the nearest one that the parent knows.
        kind = next(cls.__name__ for cls in type(error).__mro__ if hasattr(errors, cls.__name__))
        return json.dumps({"error": [kind, error.where, error.what, error.instead]}).encode()
    except MemoryError:
        return json.dumps({"error": ["StorageError", _name(task), "ran out of memory", "use fewer workers"]}).encode()
    except Exception:  # noqa: BLE001 - a bug must reach the parent with its traceback; dying would only repeat it
        return json.dumps({"bug": traceback.format_exc()}).encode()


def _name(task: Task) -> str:
    return str(task["arguments"].get("name", task["action"]))


# --- in the parent ----------------------------------------------------------------------------------------------


class _Worker:
    def __init__(self, module: str) -> None:
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
        # -P: a file of the user's that is called like a library, in the folder where the command runs, is not imported.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self.index: int | None = None  # the task it has, None when it is idle

    @property
    def answers(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def send(self, index: int, task: Task) -> None:
        self.index = index
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died while idle: the empty answer says so
            self.process.stdin.write(json.dumps(task).encode() + b"\n")
            self.process.stdin.flush()

    def answer(self) -> dict[str, Any] | None:
        """The answer, or None when the worker died."""
        line = self.answers.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def stop(self, *, after_seconds: float = 0) -> None:
        """End the process, now or when it has not ended by itself in time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(after_seconds)
        if self.process.poll() is None:
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self.process.wait()


class Pool:
    """Up to `num_workers` processes of `module`: started when there is work for them, kept for more until closed."""

    def __init__(self, module: str, num_workers: int) -> None:
        self.module, self.wanted_workers = module, max(1, num_workers)
        self.selector = selectors.DefaultSelector()
        self.workers: list[_Worker] = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in list(self.workers):
            self._end(worker)
        self.selector.close()

    def run(self, tasks: Sequence[Task]) -> Iterator[Any]:
        """Results of `tasks` in their order; one run at a time.

        Raises:
            OsnowaError: the first failed task's error (by task order).
            StorageError: a worker died twice on the same task.
            RuntimeError: a task failed in a way that is no user's fault; holds the worker's traceback.
        """
        work = _Work(tasks)
        try:
            for wanted in range(len(tasks)):
                while wanted not in work.results:
                    self._fill(work)
                    self._collect(work)
                self._fill(work)  # nobody is idle while the caller works on this answer
                answer = work.results.pop(wanted)
                if "error" in answer:
                    kind, *parts = answer["error"]
                    raise getattr(errors, kind)(*parts)
                if "bug" in answer:
                    raise RuntimeError(f"{_name(tasks[wanted])}: a worker failed\n{answer['bug']}")
                yield answer["result"]
        finally:
            for worker in [each for each in self.workers if each.index is not None]:
                self._end(worker)  # nobody waits for its answer any more

    def _fill(self, work: _Work) -> None:
        """Every waiting task that a worker can take has one; one that died idle must not cost a task an attempt."""
        for worker in self.workers:
            if worker.index is None and work.waiting and worker.process.poll() is None:
                self._give(worker, work)
        while work.waiting and len(self.workers) < self.wanted_workers:
            worker = _Worker(self.module)
            self.workers.append(worker)
            self.selector.register(worker.answers, selectors.EVENT_READ, worker)
            self._give(worker, work)

    @staticmethod
    def _give(worker: _Worker, work: _Work) -> None:
        index = work.waiting.pop()
        worker.send(index, work.tasks[index])

    def _collect(self, work: _Work) -> None:
        """Wait for at least one answer or death."""
        for key, _ in self.selector.select():
            worker: _Worker = key.data
            index, answer = worker.index, worker.answer()
            worker.index = None
            if answer is None:
                self._end(worker, after_seconds=5)  # its pipe closes a moment before it has its exit code
                work.died(index, worker.process.returncode)
            elif index is not None:
                work.results[index] = answer

    def _end(self, worker: _Worker, *, after_seconds: float = 0) -> None:
        self.selector.unregister(worker.answers)
        self.workers.remove(worker)
        worker.stop(after_seconds=after_seconds)


class _Work:
    """Tasks that wait, and the answers that are not yet asked for."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks
        self.waiting = list(range(len(tasks)))[::-1]
        self.deaths = [0] * len(tasks)
        self.results: dict[int, dict[str, Any]] = {}

    def died(self, index: int | None, code: int) -> None:
        """The worker that had the task is gone: the task waits again, once."""
        if index is None:
            return
        self.deaths[index] += 1
        if self.deaths[index] > 1:
            how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            where, what = _name(self.tasks[index]), f"a worker process died twice on it ({how})"
            raise StorageError(where, what, "give it more memory or fewer workers, and run the same command again")
        self.waiting.append(index)


def run(module: str, tasks: Sequence[Task], num_workers: int) -> Iterator[Any]:
    """`Pool.run` with processes of its own."""
    with Pool(module, num_workers) as pool:
        yield from pool.run(tasks)
