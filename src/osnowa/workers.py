"""Worker processes that share the corpus work: own interpreters, JSON tasks over pipes, answers in order.

A worker is `python -m MODULE`, whose `__main__` part calls `serve`. It needs no fork (safe after threads), does not
import the user's script, and ends by itself when the parent is gone, because its standard input closes. A worker that
dies (out of memory, segmentation fault, kill) is replaced and its task tried once more; order never changes.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from osnowa import errors
from osnowa.errors import OsnowaError, StorageError

Task = Mapping[str, Any]


def serve(actions: Mapping[str, Callable[..., Any]]) -> None:
    """Answer tasks `{"action": name, "arguments": {...}}` from standard input until it closes."""
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever a library prints goes to standard error, not into the answers
    for line in sys.stdin.buffer:
        task = json.loads(line)
        try:
            answer = {"result": actions[task["action"]](**task["arguments"])}
        except OsnowaError as error:
            answer = {"error": [type(error).__name__, error.where, error.what, error.instead]}
        except MemoryError:
            answer = {"error": ["StorageError", task["action"], "ran out of memory", "use fewer workers"]}
        output.write(json.dumps(answer).encode() + b"\n")


class _Worker:
    def __init__(self, module: str) -> None:
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self.index: int | None = None

    def send(self, index: int, task: Task) -> None:
        self.index = index
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(task).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it died while idle: the empty answer says so

    def answer(self) -> dict[str, Any] | None:
        """The answer, or None when the worker died."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def stop(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def run(module: str, tasks: Sequence[Task], num_workers: int) -> Iterator[Any]:
    """Results of `tasks` in their order, worked on by `num_workers` processes of `module`.

    Raises:
        OsnowaError: the first failed task's error (by task order).
        StorageError: a worker died twice on the same task.
    """
    results: dict[int, Any] = {}
    attempts = [0] * len(tasks)
    waiting = list(range(len(tasks)))[::-1]
    workers = [_Worker(module) for _ in range(min(num_workers, len(tasks)))]
    selector = selectors.DefaultSelector()
    try:
        for worker in workers:
            selector.register(worker.process.stdout, selectors.EVENT_READ, worker)  # type: ignore[arg-type]
            worker.send(waiting[-1], tasks[waiting.pop()])
        for wanted in range(len(tasks)):
            while wanted not in results:
                for key, _ in selector.select():
                    worker = key.data
                    index, answer = worker.index, worker.answer()
                    if answer is None:
                        selector.unregister(key.fileobj)
                        worker.stop()
                        attempts[index] += 1
                        if attempts[index] > 1:
                            name = tasks[index]["arguments"].get("name", tasks[index]["action"])
                            raise StorageError(
                                str(name), f"a worker process died twice on it (exit {worker.process.returncode})"
                            )
                        workers.remove(worker)
                        worker = _Worker(module)
                        workers.append(worker)
                        selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
                        waiting.append(index)
                    else:
                        results[index] = answer
                    if waiting:
                        worker.send(waiting[-1], tasks[waiting.pop()])
            answer = results.pop(wanted)
            if "error" in answer:
                kind, *parts = answer["error"]
                raise getattr(errors, kind)(*parts)
            yield answer["result"]
    finally:
        selector.close()
        for worker in workers:
            worker.stop()
