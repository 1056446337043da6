"""Remarks that follow from the numbers of a run; each says the numbers it rests on."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import NamedTuple

from osnowa.runs.report_data import Point, Run, at_start, last, number, section, series
from osnowa.runs.report_format import digits, loss, share, times, whole
from osnowa.runs.report_html import clean
from osnowa.runs.report_text import Measure


class Remark(NamedTuple):
    """One sentence, and whether it is a reason to worry."""

    words: str
    worry: bool = False


def remarks(run: Run, measure: Measure) -> list[Remark]:
    """What the numbers of `run` say about `measure`, beyond the curve itself."""
    rule = _RULES.get(measure)
    return [remark for remark in rule(run) if remark] if rule else []


def _token_loss(run: Run) -> list[Remark | None]:
    return [_turn(run), _beside_frequencies(run), _still_falling(run)]


def _turn(run: Run) -> Remark | None:
    """The held-out loss turned up while the train loss went on falling."""
    held, train = series(run.held_out, "token_loss"), series(run.train, "token_loss")
    if len(held) < 3:
        return None
    step, lowest = min(held, key=lambda point: point[1])
    if held[-1][1] - lowest < 0.01 * lowest:
        return None
    before, after = _mean_around(train, step), _mean_around(train, held[-1][0])
    if before is None or after is None or after >= before:
        return Remark(
            f"The held-out loss was lowest at step {whole(step)} ({loss(lowest)}) and is {loss(held[-1][1])} at the end.",
            True,
        )
    return Remark(
        f"The held-out loss stopped falling at step {whole(step)} ({loss(lowest)}; {loss(held[-1][1])} at the end) while "
        f"the train loss kept falling ({loss(before)} → {loss(after)}): the model is starting to memorise.",
        True,
    )


def _mean_around(points: list[Point], step: float, count: int = 10) -> float | None:
    """The mean of the last `count` values up to `step`: one batch alone says little."""
    values = [value for place, value in points if place <= step][-count:]
    return statistics.fmean(values) if values else None


def _beside_frequencies(run: Run) -> Remark | None:
    final, level = last(run.held_out, "token_loss"), number(run.facts, "baselines", "unigram_loss")
    if final is None or level is None or run.untrained:
        return None
    if final > level - 0.05:
        return Remark(
            f"At {loss(final)} the model is no better than the token frequencies alone ({loss(level)}): it does not use "
            "the context yet.",
            True,
        )
    return Remark(f"The model is {loss(level - final)} nats better than the token frequencies alone ({loss(level)}).")


def _still_falling(run: Run) -> Remark | None:
    held = series(run.held_out, "token_loss")
    if len(held) < 4 or not run.finished:
        return None
    (before, earlier), (_, final) = held[-2:]
    if final < earlier * 0.985 and final == min(value for _, value in held):
        return Remark(
            f"The loss was still falling at the end ({loss(earlier)} at step {whole(before)}, then {loss(final)}): a longer "
            "run would get further."
        )
    return None


def _token_accuracy(run: Run) -> list[Remark | None]:
    final, first = last(run.held_out, "token_accuracy"), at_start(run.held_out, "token_accuracy")
    level = number(run.facts, "baselines", "most_frequent_share")
    if final is None or run.untrained:
        return []
    asked = last(run.held_out, "num_asked")
    right = f"{share(final)} of {whole(asked)} {run.words.tokens}" if asked else share(final)
    untrained = f" Before training it was {share(first)}." if first is not None else ""
    if not level:
        return [Remark(f"{right} at the end.{untrained}")]
    token = clean(section(run.facts, "baselines").get("most_frequent_token", ""))
    always = f"always saying “{token}”" if token else "always saying the most frequent token"
    if final < 1.2 * level:
        return [Remark(f"{right} is about what {always} gives ({share(level)}).{untrained}", True)]
    return [Remark(f"{right} is {times(final / level)} times what {always} gives ({share(level)}).{untrained}")]


def _next_sentence(run: Run) -> list[Remark | None]:
    final, pairs = last(run.held_out, "next_sentence_accuracy"), last(run.held_out, "num_pairs")
    if final is None or run.untrained:
        return []
    told = f"{share(final)} of {whole(pairs)} pairs" if pairs else share(final)
    # Three standard errors of a coin tossed once per pair; without their number, five points.
    chance = 0.5 + (1.5 / math.sqrt(pairs) if pairs else 0.05)
    if final < chance:
        return [Remark(f"{told} is not clearly above chance: this model has not learned the order of sentences.")]
    return [Remark(f"{told} is clearly above chance, which would stay below {share(chance)}.")]


def _perplexity(run: Run) -> list[Remark | None]:
    points = series(run.held_out, "perplexity")
    if len(points) < 2 or points[-1][1] <= 0 or points[-1][1] >= points[0][1]:
        return []
    (step, first), (_, final) = points[0], points[-1]
    return [
        Remark(
            f"From {digits(first, 3)} at step {whole(step)} to {digits(final, 3)}: {times(first / final)} times fewer."
        )
    ]


def _learning_rate(run: Run) -> list[Remark | None]:
    points = series(run.train, "learning_rate")
    if len(points) < 2:
        return []
    step, highest = max(points, key=lambda point: point[1])
    return [
        Remark(
            f"Highest at step {whole(step)} ({digits(highest, 3)}), {digits(points[-1][1], 3)} at the last logged step."
        )
    ]


def _gradient_norm(run: Run) -> list[Remark | None]:
    points = series(run.train, "gradient_norm")
    if len(points) < 10:
        return []
    usual = statistics.median(value for _, value in points)
    spikes = [point for point in points if point[1] > 10 * usual]
    settled = [point for point in spikes if point[0] > points[-1][0] * 0.1]
    if usual > 0 and settled:
        step, highest = max(settled, key=lambda point: point[1])
        return [
            Remark(
                f"After the first tenth of the run {len(settled)} logged step(s) had a norm over ten times the usual "
                f"{digits(usual, 3)}; the largest, {digits(highest, 3)}, came at step {whole(step)}.",
                True,
            )
        ]
    return [Remark(f"Usually {digits(usual, 3)}; no large spikes after the start.")]


def _speed(run: Run) -> list[Remark | None]:
    values = [value for _, value in series(run.train, "tokens_per_second")]
    if len(values) < 10:
        return []
    quarter = max(1, len(values) // 4)
    usual, begun, ended = (statistics.median(part) for part in (values, values[:quarter], values[-quarter:]))
    told = f"Half of the logged steps ran at {whole(usual)} tokens per second or more."
    if ended < 0.8 * begun:
        told += f" The last quarter of the run was slower ({whole(ended)}) than the first ({whole(begun)})."
        return [Remark(told, True)]
    return [Remark(told)]


def initial_loss(run: Run) -> Remark | None:
    """The loss before training against what guessing evenly must give; None where either is not known."""
    expected, measured = (number(run.facts, "baselines", f"{kind}_initial_loss") for kind in ("expected", "measured"))
    if expected is None or measured is None:
        return None
    told = f"Before training the loss should be about {loss(expected)} (guessing evenly); measured: {loss(measured)}."
    if abs(measured - expected) > 0.05 * abs(expected):
        return Remark(
            f"{told} The gap of {loss(measured - expected)} means that the model does not start neutral.", True
        )
    return Remark(f"{told} As it should be.")


def even_guess(run: Run) -> float | None:
    """ln V, the loss of guessing evenly among the vocabulary."""
    size = run.vocab_size
    return math.log(size) if size and size > 1 else None


_RULES: dict[Measure, Callable[[Run], list[Remark | None]]] = {
    "token_loss": _token_loss,
    "token_accuracy": _token_accuracy,
    "next_sentence_accuracy": _next_sentence,
    "perplexity": _perplexity,
    "learning_rate": _learning_rate,
    "gradient_norm": _gradient_norm,
    "tokens_per_second": _speed,
}
