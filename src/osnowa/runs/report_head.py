"""The top of a report: what was trained, on what, and the result in one plain sentence."""

from __future__ import annotations

from typing import NamedTuple

from osnowa.runs.report_data import Run, at_start, last, number, section, series
from osnowa.runs.report_format import loss, perplexity, share, short, size, span, whole
from osnowa.runs.report_html import Child, Html, clean, element, given, join
from osnowa.runs.report_ledger import read_account


def head(run: Run) -> Html:
    """Title, one-sentence result, what was trained on what, and the figures."""
    return element(
        "header",
        element(
            "p", element("strong", "osnowa"), " · report of the run ", given(run.folder.resolve().name), class_="over"
        ),
        element("h1", result(run)),
        element("p", _story(run), class_="lede"),
        element("p", state, class_="remark") if (state := _state(run)) else None,
        _figures(run),
    )


def result(run: Run) -> Html:
    """The result in one or two sentences, as good as the numbers allow."""
    right = last(run.held_out, "token_accuracy")
    if right is None:
        return join("Nothing has been measured on held-out text yet.")
    guesses = "Untrained, it guesses" if run.untrained else "It guesses"
    told: list[Child] = [f"{guesses} {share(right)} of {run.words.words} on text it never saw"]
    level, token = number(run.facts, "baselines", "most_frequent_share"), most_frequent(run)
    if level is not None:
        told += ["; always saying ", *token, f" would be right {share(level)}"]
    return join(*told, ".")


def most_frequent(run: Run) -> list[Child]:
    token = section(run.facts, "baselines").get("most_frequent_token")
    return ["“", given(token), "”"] if token else ["the most frequent token"]


def _story(run: Run) -> Html:
    """'encoder-mini, 7.4 M parameters, trained from nothing on 812 documents ...'."""
    told: list[Child] = []
    parameters = number(run.facts, "model", "parameters")
    told.append(given(run.preset) if run.preset else "A model")
    if parameters is not None:
        told.append(f" with {short(parameters)} parameters")
    told.append(", trained from nothing")
    documents, volume = read_account(run.ledger, "documents"), read_account(run.ledger, "bytes")
    if documents:
        told.append(f" on {whole(documents.train)} documents")
        told.append(f" ({size(volume.train)})" if volume else None)
    tokens, seconds = last(run.train, "tokens"), last(run.train, "seconds")
    if run.last_step:
        told.append(f": {whole(run.last_step)} steps")
        told.append(f", {short(tokens)} tokens" if tokens is not None else None)
        told.append(f", {span(seconds)}" if seconds is not None else None)
    return join(*told, ". Words here are tokens: words or pieces of words.")


def _state(run: Run) -> str | None:
    if run.finished:
        return None
    where = f"step {whole(run.last_step)}" + (f" of {whole(run.total_steps)}" if run.total_steps else "")
    return f"This run is not finished: it stands at {where}. The same command goes on; this page shows what there is so far."


class Figure(NamedTuple):
    name: str
    value: Child
    note: Child = None


def _figures(run: Run) -> Html | None:
    found = [figure for make in (_results, _effort, _means) for figure in make(run)]
    blocks = [
        element(
            "div",
            element("dt", figure.name),
            element("dd", figure.value, class_="value"),
            element("dd", figure.note, class_="note") if figure.note else None,
            class_="main" if place == 0 else None,
        )
        for place, figure in enumerate(found)
    ]
    return element("dl", blocks, class_="figures") if blocks else None


def _results(run: Run) -> list[Figure]:
    found = []
    for key, name, show in (
        ("token_accuracy", run.words.right, share),
        ("token_loss", "held-out loss, nats", loss),
        ("perplexity", run.words.figures.perplexity, perplexity),
        ("bits_per_byte", "bits per byte", loss),
        ("next_sentence_accuracy", "sentence pairs judged right", share),
    ):
        value, first = last(run.held_out, key), at_start(run.held_out, key)
        if value is None:
            continue
        note = f"{show(first)} before training" if first is not None and not run.untrained else ""
        chance = "; 50\u202f% by chance" if key == "next_sentence_accuracy" else ""
        found.append(Figure(name, show(value), (note + chance).lstrip("; ")))
    return found


def _effort(run: Run) -> list[Figure]:
    found = []
    tokens, epoch = last(run.train, "tokens"), last(run.train, "epoch")
    if tokens is not None:
        passes = f", {epoch:.2f} times through the text" if epoch is not None else ""
        found.append(Figure("tokens trained on", short(tokens), f"{whole(run.last_step)} steps{passes}"))
    seconds, speeds = last(run.train, "seconds"), sorted(value for _, value in series(run.train, "tokens_per_second"))
    if seconds is not None:
        speed = f"{whole(speeds[len(speeds) // 2])} tokens per second (median)" if speeds else None
        found.append(Figure("time", span(seconds), speed))
    return found


def _means(run: Run) -> list[Figure]:
    found = []
    model = section(run.facts, "model")
    parameters, flops = number(model, "parameters"), number(model, "flops_per_token")
    if parameters is not None:
        work = f"{short(flops)} operations per token" if flops is not None else None
        found.append(Figure("parameters", short(parameters), work))
    kind = section(run.facts, "tokenizer").get("kind")
    if run.vocab_size is not None:
        found.append(Figure("tokens in the vocabulary", whole(run.vocab_size), clean(kind) if kind else None))
    documents, volume = read_account(run.ledger, "documents"), read_account(run.ledger, "bytes")
    if documents:
        note = f"of {whole(documents.came)} read" + (f"; {size(volume.kept)}" if volume else "")
        found.append(Figure("documents kept", whole(documents.kept), note))
    return found
