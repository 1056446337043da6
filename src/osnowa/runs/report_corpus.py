"""The text of a run: its ledger, its sources and languages, and examples of what the rules took out."""

from __future__ import annotations

from osnowa.runs.report_data import Record, Run, entries, number, numbers, section
from osnowa.runs.report_facts import spoken
from osnowa.runs.report_format import share, size, whole
from osnowa.runs.report_html import Child, Html, clean, code, details, element, given, join, table
from osnowa.runs.report_ledger import show_ledger

_MANY = 50  # rows of a table of sources


def corpus(run: Run) -> Html | None:
    """The section about the text; None where there is no ledger."""
    if not run.ledger:
        return None
    return element(
        "section",
        element("h2", "The text it learned from"),
        element("p", "Everything that was read is accounted for: kept, dropped or removed, each under a named rule."),
        show_ledger(run.ledger),
        _overlap(run.ledger),
        _languages(run.ledger),
        _sources(run.ledger),
        _refused(run.ledger),
        _examples(run.ledger),
        id="text",
    )


def _overlap(ledger: Record) -> Html | None:
    found = number(ledger, "split", "overlap")
    overlap = number(ledger, "overlap") if found is None else found
    if overlap is None:
        return None
    told = f"Documents that are both in the training and in the held-out text: {whole(overlap)}."
    return element("p", told, class_="note" if overlap == 0 else "note unsound")


def _languages(ledger: Record) -> Html | None:
    rows = []
    for language, told in section(ledger, "languages").items():
        documents, volume = number(told, "documents"), number(told, "bytes")
        rows.append((language, number(told) if documents is None else documents, volume))
    if not rows:
        return None
    rows.sort(key=lambda row: (-(row[2] or 0), -(row[1] or 0), row[0]))
    by_bytes = any(row[2] for row in rows)
    total = sum((row[2] if by_bytes else row[1]) or 0 for row in rows)
    body = [
        [
            given(language),
            "" if documents is None else whole(documents),
            "" if volume is None else whole(volume),
            share(((volume if by_bytes else documents) or 0) / total) if total else "",
        ]
        for language, documents, volume in rows[:_MANY]
    ]
    return join(element("h3", "Languages"), table(["language", "documents", "bytes", "share"], body))


def _sources(ledger: Record) -> Html | None:
    found = [source for source in entries(ledger, "sources") if isinstance(source, dict)]
    if not found:
        return None
    count = next(
        (n for n in (number(ledger, "num_sources"), number(ledger, "files", "count")) if n is not None), len(found)
    )
    rows = [
        [
            given(source.get("name", "")),
            "" if (volume := number(source, "bytes")) is None else size(volume),
            given(source.get("encoding") or ""),
            join(
                given(source.get("document") or ""),
                element("div", given(because), class_="note")
                if (because := source.get("because") or source.get("explanation"))
                else None,
            ),
            _notes(source.get("notes")),
        ]
        for source in found[:_MANY]
    ]
    left = count - len(rows)
    return join(
        element("h3", f"Sources ({whole(count)})"),
        table(["source", "size", "encoding", "a document is", "notes"], rows, class_="words-left"),
        element("p", f"{whole(left)} more stand in corpus.json.", class_="note") if left > 0 else None,
    )


def _notes(notes: object) -> Child:
    if isinstance(notes, list):
        return join([element("div", given(note)) for note in notes])
    return given(notes) if notes else ""


def _refused(ledger: Record) -> Html | None:
    """Records and files that could not be read, by reason."""
    kinds = (("record", numbers(ledger, "rejected")), ("file", numbers(ledger, "skipped")))
    rows = [[given(reason), kind, whole(count)] for kind, reasons in kinds for reason, count in reasons.items()]
    if not rows:
        return None
    return join(element("h3", "Refused"), table(["reason", "what", "how many"], rows))


def _examples(ledger: Record) -> Html | None:
    blocks = []
    for rule, found in section(ledger, "examples").items():
        rows = [[_place(e), _excerpt(e)] for e in (found if isinstance(found, list) else []) if isinstance(e, dict)]
        if rows:
            summary = join(code(rule), f": {len(rows)} example{'' if len(rows) == 1 else 's'}")
            blocks.append(details(summary, table(["where", "what"], rows, class_="words-left")))
    if not blocks:
        return None
    return join(element("h3", "Examples of what the rules took out"), blocks)


def _place(example: Record) -> Html:
    line = example.get("line")
    return join(given(example.get("source", "")), f", line {clean(line)}" if line is not None else None)


def _excerpt(example: Record) -> Html:
    """Everything an example says beside its place: an excerpt, or what stood before and after a rule."""
    told = {key: value for key, value in example.items() if key not in ("source", "line")}
    named = len(told) > 1
    return join([element("div", f"{spoken(key)}: " if named else None, _told(value)) for key, value in told.items()])


def _told(value: object) -> Html:
    """An excerpt, or the place of another document."""
    return _place(value) if isinstance(value, dict) else given(value)
