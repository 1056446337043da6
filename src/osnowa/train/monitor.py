"""What a training run tells the world: metrics.jsonl, TensorBoard events, and the progress on the screen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TextIO

from osnowa import files
from osnowa.errors import OsnowaError
from osnowa.objective.words import Words, words_of
from osnowa.train.pace import Pace
from osnowa.train.screen import Screen, duration
from osnowa.train.tensorboard import EventFile

METRICS = "metrics.jsonl"
TENSORBOARD = "tensorboard"
Kind = Literal["train", "held_out", "probe", "event"]

# Shown as a percentage on the screen.
_SHARES = ("token_accuracy", "next_sentence_accuracy")


class Monitor:
    """Keeps the log of a run in `folder` and shows how it goes; nothing that fails here ever stops the training.

    metrics.jsonl gets one JSON object per call, RUN/tensorboard the same numbers. Values that are not finite are left
    out. On resume (`resume_step` > 0) lines and events after `resume_step` are dropped, and what the log already holds
    about earlier steps is not written twice; from step 0 the log begins anew.

    `total_steps` may be changed while the run goes on; `words` say what the figures are figures of. Use it as a context manager, or call `close`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        total_steps: int,
        quiet: bool = False,
        resume_step: int = 0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        words: Words | None = None,
    ) -> None:
        self._spoken = spoken(words or words_of(None))
        self.total_steps, self.resume_step, self.clock = total_steps, resume_step, clock
        self.screen = Screen(stream, quiet=quiet, clock=clock)
        self._seen: set[tuple[str, int, str]] = set()
        self._log = files.LineLog(folder / METRICS, self._warn)
        self._cut_back()
        self._events = EventFile(folder / TENSORBOARD, resume_step=resume_step, warn=self._warn)
        self._pace = Pace(clock)
        self._start = clock()
        self._step, self._shown, self._phase = resume_step, resume_step, "train"
        self._loss: float | None = None
        self._tokens_per_second: float | None = None
        self._spoken_phases = {"train"}

    # --- what the loop calls ---

    def train(self, step: int, **values: Any) -> None:
        """Step `step` (counted from 1) is done; `values` are logged."""
        numbers = finite(values)
        self._write("train", step, numbers)
        self._loss = numbers.get("loss", self._loss)
        self._tokens_per_second = numbers.get("tokens_per_second", self._tokens_per_second)
        self.advance(step)

    def advance(self, step: int) -> None:
        """Step `step` is done and nothing is logged: only the progress moves on."""
        self._step = step
        self._pace.step(step)
        if self.screen.due():
            self._show()

    def held_out(self, step: int, **values: Any) -> None:
        """Results on the held-out text after `step` steps."""
        numbers = finite(values)
        self._write("held_out", step, numbers)
        told = [key for key in self._spoken if key in numbers and not (key == "loss" and "token_loss" in numbers)]
        figures = ", ".join(f"{self._spoken[key]} {figure(key, numbers[key])}" for key in told)
        self.screen.say(f"step {step:,}  held-out: {figures}")
        self._rest(step)

    def continued(self, step: int, text: str, continuation: str, answer: str | None = None) -> None:
        """What the model says after, or in answer to, the fixed prompt `text`; `answer` is what stands in the corpus."""
        known = {} if answer is None else {"answer": answer}
        self._write("probe", step, {"text": text, **known, "continuation": continuation}, text)
        self.screen.say(f"step {step:,}  {' '.join(text.split())}  →  {' '.join(continuation.split())}")
        self._rest(step)

    def probe(
        self, step: int, text: str, masks: Sequence[Sequence[Mapping[str, Any]]], answer: str | None = None
    ) -> None:
        """The model's best tokens `{"token", "id", "probability"}` for each mask of the fixed sentence `text`.

        `answer` is the word that was hidden, where it is known.
        """
        plain = [[{**guess, "probability": float(guess["probability"])} for guess in mask] for mask in masks]
        known = {} if answer is None else {"answer": answer}
        self._write("probe", step, {"text": text, **known, "masks": plain}, text)
        best = [
            ", ".join(f"{guess['token']} {figure('token_accuracy', guess['probability'])}" for guess in mask[:3])
            for mask in masks
        ]
        self.screen.say(f"step {step:,}  {text}  →  {' | '.join(best)}")
        self._rest(step)

    def event(self, step: int, message: str) -> None:
        """Something worth knowing happened, such as a step that was not applied."""
        self._write("event", step, {"message": message}, message)
        self.screen.say(f"step {step:,}  {message}")

    def phase(self, name: str) -> None:
        """What goes on now: "train", or a pause such as "evaluate" or "save" that the speed does not count."""
        if name == "train":
            self._pace.go_on(self._step)
        else:
            self._pace.pause()
        self._phase = name
        if self.screen.live:
            self._show()
        elif name not in self._spoken_phases:
            self._spoken_phases.add(name)
            self.screen.say(name)

    def close(self) -> None:
        """The last state stays on the screen; files are closed."""
        if self._step != self._shown:
            self._show()
        self.screen.close()
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the log ---

    def _warn(self, message: str) -> None:
        self.screen.say(f"warning: {message}", even_if_quiet=True)

    def _cut_back(self) -> None:
        def wanted(line: dict[str, Any]) -> bool:
            step = line.get("step")
            if self.resume_step == 0 or not isinstance(step, int) or step > self.resume_step:
                return False
            self._seen.add(_key(line.get("kind"), step, line))
            return True

        try:
            self._log.keep(wanted)
        except (OsnowaError, OSError) as error:
            self._warn(f"{error} (training goes on; {METRICS} keeps old lines)")

    def _write(self, kind: Kind, step: int, values: dict[str, Any], text: str = "") -> None:
        if step <= self.resume_step and (kind, step, text) in self._seen:
            return
        self._log.append({"kind": kind, "step": step, **values})
        if not text:
            scalars = {
                f"{kind}/{key}": value for key, value in values.items() if key not in ("tokens", "epoch", "seconds")
            }
            self._events.scalars(step, scalars)

    # --- the screen ---

    def _rest(self, step: int) -> None:
        """An evaluation ends here; the pace begins a new interval."""
        self._pace.go_on(step)

    def _show(self) -> None:
        self._shown = self._step
        self.screen.show(
            name=self._phase, done=self._step, total=self.total_steps, fields=self._fields, line=self._line()
        )

    def _told(self) -> tuple[str, str, str]:
        """Loss, speed and time left in words; empty where not known."""
        seconds = self._pace.seconds_left(self.total_steps - self._step)
        return (
            "" if self._loss is None else f"loss {self._loss:.2f}",
            "" if self._tokens_per_second is None else f"{self._tokens_per_second:,.0f} tokens/s",
            "" if seconds is None or self._step >= self.total_steps else f"{duration(seconds)} left",
        )

    def _fields(self, narrow: bool) -> dict[str, str]:
        loss, speed, left = self._told()
        return {
            "count": f"{self._step:,}/{self.total_steps:,}",
            "detail": join(loss, "" if narrow else speed),
            "clock": left if narrow else join(left, duration(self.clock() - self._start)),
        }

    def _line(self) -> str:
        loss, speed, left = self._told()
        return join(f"step {self._step}/{self.total_steps}", loss, join(speed, left, between=", "), between=" ")


def spoken(words: Words) -> dict[str, str]:
    """What a line says for a figure of the log, in this order."""
    return {
        "loss": "loss",
        "token_loss": words.figures.loss,
        "token_accuracy": words.figures.accuracy,
        "next_sentence_accuracy": f"{words.pairs.tag} accuracy",
    }


def join(*parts: str, between: str = "  ") -> str:
    """The parts that are not empty."""
    return between.join(part for part in parts if part)


def figure(key: str, value: float) -> str:
    """A result as it is spoken: shares as '20.4 %', the rest with two decimals."""
    return f"{100 * value:.1f} %" if key in _SHARES else f"{value:,.2f}"


def finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` as plain numbers; what is None or not finite is left out."""
    numbers: dict[str, Any] = {}
    for key, value in values.items():
        if value is None:
            continue
        number = value if isinstance(value, int) else float(value)
        if math.isfinite(number):
            numbers[key] = number
    return numbers


def _key(kind: object, step: int, line: Mapping[str, Any]) -> tuple[str, int, str]:
    return str(kind), step, str(line.get("text", line.get("message", "")))
