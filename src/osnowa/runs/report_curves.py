"""The curves of a run, each with its plain words, its remark and its numbers as a table."""

from __future__ import annotations

from collections.abc import Callable

from osnowa.runs.chart import Baseline, Chart, Line, draw, spaced, thin
from osnowa.runs.report_data import Point, Run, number, section, series
from osnowa.runs.report_format import digits, loss, perplexity, share, short, whole
from osnowa.runs.report_html import Html, clean, details, element, join, table
from osnowa.runs.report_remark import even_guess, initial_loss, remarks
from osnowa.runs.report_text import MEASURES, Measure, explain

CHANCE = Baseline("chance: 50\u202f%", 0.5)
COIN = Baseline("a coin: ln 2 = 0.693", 0.6931471805599453)
_ROWS = 24  # in the table under a chart


def curves(run: Run) -> Html:
    """The section with every curve for which the run has numbers."""
    blocks = [_block(run, measure) for measure in _order(run)]
    drawn = [block for block in blocks if block is not None]
    if not drawn:
        drawn = [element("p", "Nothing has been measured yet.")]
    return element("section", element("h2", "How the learning went"), element("p", _INTRODUCTION), drawn, id="learning")


_INTRODUCTION = (
    "Each curve runs from the first step to the last. Point at one to read the values of a step; under each chart are "
    "the same numbers as a table, and all of them are in metrics.jsonl."
)


def _order(run: Run) -> list[Measure]:
    """The story's order; the total loss only where it says more than the loss on tokens."""
    measures: list[Measure] = [measure for measure in MEASURES if measure != "loss"]
    pairs = bool(series(run.train, "next_sentence_loss"))
    if pairs or not series(run.train, "token_loss"):
        measures.insert(2 if pairs else 0, "loss")
    return measures


def _block(run: Run, measure: Measure) -> Html | None:
    words, chart = explain(measure, run.words), make_chart(run, measure)
    if chart is None:
        return None
    told = remarks(run, measure)
    first = initial_loss(run) if measure == "token_loss" else None
    notes = [
        element("p", remark.words, class_="remark warn" if remark.worry else "remark")
        for remark in (*told, *([first] if first else []))
    ]
    answers = (("What it is.", words.what), ("Good:", words.good), ("Otherwise:", words.otherwise))
    return element(
        "div",
        element("h3", words.title),
        element("figure", _key(chart), draw(chart), _numbers(chart)),
        element("div", notes, [element("p", element("b", name), " ", told) for name, told in answers], class_="words"),
        class_="measure",
        id=measure.replace("_", "-"),
    )


def make_chart(run: Run, measure: Measure) -> Chart | None:
    """The chart of one measure, or None where nothing was logged."""
    held, train = series(run.held_out, measure), series(run.train, measure)
    lines = [Line("held-out", held, "held")] if held else []
    if train:
        lines.append(Line("train", train, "train" if held or measure in ("loss", "token_loss") else "plain"))
    if not lines:
        return None
    show, percent = _SHOWN[measure], measure.endswith("accuracy")
    words = explain(measure, run.words)
    values = [value for line in lines for _, value in line.points]
    spread = min(values) > 0 and max(values) / min(values) > 30
    return Chart(
        key=measure.replace("_", "-"),
        title=words.title,
        unit=words.unit,
        lines=lines,
        show=show,
        summary=_summary(lines, show),
        baselines=_levels(run, measure),
        scale="log" if spread and measure in ("perplexity", "gradient_norm") else "linear",
        from_zero=measure in ("token_accuracy", "learning_rate", "gradient_norm", "tokens_per_second", "bits_per_byte"),
        percent=percent,
    )


def _levels(run: Run, measure: Measure) -> list[Baseline]:
    if measure == "token_loss":
        even, frequent = even_guess(run), number(run.facts, "baselines", "unigram_loss")
        return [
            *([Baseline(f"guessing evenly: ln V = {loss(even)}", even)] if even else []),
            *([Baseline(f"token frequencies: {loss(frequent)}", frequent)] if frequent else []),
        ]
    if measure == "token_accuracy":
        level = number(run.facts, "baselines", "most_frequent_share")
        token = clean(section(run.facts, "baselines").get("most_frequent_token", "the same"))
        return [Baseline(f"always “{token[:24]}”: {share(level)}", level)] if level is not None else []
    if measure == "next_sentence_accuracy":
        return [CHANCE]
    return [COIN] if measure == "next_sentence_loss" else []


def _summary(lines: list[Line], show: Callable[[float], str]) -> str:
    parts = []
    for line in lines:
        (start, first), (end, final) = line.points[0], line.points[-1]
        parts.append(f"{line.name}: {show(first)} at step {whole(start)}, {show(final)} at step {whole(end)}")
    return "; ".join(parts)


def _key(chart: Chart) -> Html:
    """What the lines mean; a thinned line says how many values each point stands for."""
    items = []
    for line in chart.lines:
        group = thin(line.points).group
        note = f" (mean of every {group} logged steps; the band spans lowest to highest)" if group > 1 else ""
        items.append(element("li", _sample("line", line.role), f"{line.name}{note}"))
    items += [element("li", _sample("level", None), level.name) for level in chart.baselines]
    return element("ul", items, class_="key")


def _sample(kind: str, role: str | None) -> Html:
    stroke = element("path", d="M0 4H22", class_=kind)
    return element("svg", element("g", stroke, class_=role), viewBox="0 0 22 8", aria_hidden="true")


def _numbers(chart: Chart) -> Html:
    steps = _chosen(chart.lines)
    logged = [dict(line.points) for line in chart.lines]
    rows = [
        [whole(step), *(chart.show(points[step]) if step in points else "–" for points in logged)] for step in steps
    ]
    total = len({step for line in chart.lines for step, _ in line.points})
    left_out = f" ({len(steps)} of {whole(total)} logged steps)" if len(steps) < total else ""
    return details(
        join("The numbers", left_out),
        table(["step", *(line.name for line in chart.lines)], rows, caption=f"{chart.title}, {chart.unit}"),
    )


def _chosen(lines: list[Line]) -> list[float]:
    """The steps of a table: those of the line with the fewest points, thinned to about `_ROWS`, first and last kept."""
    fewest = min((line.points for line in lines), key=len)
    steps = sorted({_pick(fewest, place) for place in spaced(len(fewest) - 1, _ROWS)})
    ends = {line.points[-1][0] for line in lines}
    return sorted({*steps, *ends})


def _pick(points: list[Point], place: float) -> float:
    return points[round(place)][0]


_SHOWN: dict[Measure, Callable[[float], str]] = {
    "token_loss": loss,
    "loss": loss,
    "next_sentence_loss": loss,
    "token_accuracy": share,
    "perplexity": perplexity,
    "bits_per_byte": loss,
    "next_sentence_accuracy": share,
    "learning_rate": lambda value: digits(value, 3),
    "gradient_norm": lambda value: digits(value, 3),
    "tokens_per_second": lambda value: whole(value) if value < 1e6 else short(value),
}
