"""The text of a run: a ledger that adds up, sources, languages, examples of what was removed."""

from __future__ import annotations

from dataclasses import dataclass

from osnowa.runs.report_data import Record, Run, entries, number, numbers, section
from osnowa.runs.report_format import share, size, whole
from osnowa.runs.report_html import Child, Html, clean, code, details, element, given, join, table

_MANY = 50  # rows of a table of sources


@dataclass(frozen=True)
class Ledger:
    """One column of the ledger: what came in and where it went; `amiss` is what no row accounts for."""

    came: float
    train: float
    held_out: float
    dropped: dict[str, float]
    removed: dict[str, float]

    @property
    def kept(self) -> float:
        return self.train + self.held_out

    @property
    def amiss(self) -> float:
        return self.came - self.kept - sum(self.dropped.values()) - sum(self.removed.values())


def read_ledger(ledger: Record, column: str) -> Ledger | None:
    """The `documents` or `bytes` of corpus.json; None where it does not say what came in."""
    came = number(ledger, column, "in")
    if came is None:
        return None
    return Ledger(
        came=came,
        train=number(ledger, column, "train") or 0,
        held_out=number(ledger, column, "held_out") or 0,
        dropped=numbers(ledger, column, "dropped"),
        removed=numbers(ledger, column, "removed"),
    )


def corpus(run: Run) -> Html | None:
    """The section about the text; None where there is no ledger."""
    if not run.ledger:
        return None
    documents, size_ = read_ledger(run.ledger, "documents"), read_ledger(run.ledger, "bytes")
    overlap = number(run.ledger, "overlap")
    return element(
        "section",
        element("h2", "The text it learned from"),
        element(
            "p", "Everything that was read is accounted for: it was kept, or dropped or removed under a named rule."
        ),
        _track(size_) if size_ else None,
        _table(documents, size_),
        element("p", f"Documents found both in the training and in the held-out text: {whole(overlap)}.", class_="note")
        if overlap is not None
        else None,
        _languages(run.ledger),
        _sources(run.ledger),
        _examples(run.ledger),
        id="text",
    )


def _track(column: Ledger) -> Html | None:
    """One bar for all bytes: kept for training, held out, dropped, removed."""
    parts = [
        ("for training", column.train),
        ("held out", column.held_out),
        ("dropped", sum(column.dropped.values())),
        ("removed inside documents", sum(column.removed.values())),
    ]
    if column.came <= 0 or any(value < 0 for _, value in parts):
        return None
    bars, names = [], []
    for place, (name, value) in enumerate(parts, 1):
        bars.append(element("i", class_=f"t{place}", style=f"width:{100 * value / column.came:.3f}%"))
        told = f"{name} {share(value / column.came)}"
        names.append(element("li", element("span", class_=f"swatch t{place}"), told))
    return join(element("div", bars, class_="track", aria_hidden="true"), element("ul", names, class_="key"))


def _table(documents: Ledger | None, size_: Ledger | None) -> Html | None:
    columns = [column for column in (documents, size_) if column is not None]
    if not columns:
        return None
    rows = [_row("read", documents, size_, lambda column: column.came, "")]
    for kind, word in (("dropped", "dropped: "), ("removed", "removed inside documents: ")):
        rules = dict.fromkeys(rule for column in columns for rule in getattr(column, kind))
        for rule in rules:
            rows.append(
                _row(
                    join(word, code(rule)),
                    documents,
                    size_,
                    lambda column, kind=kind, rule=rule: getattr(column, kind).get(rule),
                    "−",
                    "part",
                )
            )
    rows.append(_row("kept", documents, size_, lambda column: column.kept, "", "sum"))
    rows.append(_row("of these for training", documents, size_, lambda column: column.train, "", "part"))
    rows.append(
        _row("of these held out, never trained on", documents, size_, lambda column: column.held_out, "", "part")
    )
    head = [element("th", word, scope="col") for word in ("", "documents", "bytes", "share of bytes")]
    body = element("table", element("thead", element("tr", head)), element("tbody", rows), class_="ledger")
    frame = element("div", body, class_="scroll", tabindex="0", role="region", aria_label="Ledger of the corpus")
    return join(
        frame, [_balance(column, word) for column, word in ((documents, "documents"), (size_, "bytes")) if column]
    )


def _row(name, documents, size_, pick, sign: str, class_: str | None = None) -> Html:  # type: ignore[no-untyped-def]
    cells: list[Child] = []
    for column in (documents, size_):
        value = pick(column) if column is not None else None
        cells.append("" if value is None else (f"{sign}{whole(value)}" if value >= 0 else f"+{whole(-value)}"))
    value = pick(size_) if size_ is not None else None
    cells.append(share(value / size_.came) if value is not None and size_.came else "")
    return element("tr", element("th", name, scope="row"), [element("td", cell) for cell in cells], class_=class_)


def _balance(column: Ledger, word: str) -> Html:
    dropped, removed = sum(column.dropped.values()), sum(column.removed.values())
    told = f"{whole(column.came)} {word} read = {whole(column.kept)} kept + {whole(dropped)} dropped"
    told += f" + {whole(removed)} removed" if column.removed else ""
    if column.amiss == 0:
        return element("p", element("span", "✓ ", class_="sound"), f"{told}: it adds up.", class_="note")
    amiss = f"{told}: {whole(abs(column.amiss))} {word} are {'missing' if column.amiss > 0 else 'counted twice'}."
    return element("p", element("span", "✗ ", class_="unsound"), amiss, class_="note unsound")


def _languages(ledger: Record) -> Html | None:
    found = section(ledger, "languages")
    if not found:
        return None
    rows = []
    for language, told in found.items():
        documents, size_ = number(told, "documents"), number(told, "bytes")
        plain = number(found, language)
        rows.append((language, documents if documents is not None else plain, size_))
    rows.sort(key=lambda row: -(row[2] or row[1] or 0))
    total = sum(row[2] or 0 for row in rows) or sum(row[1] or 0 for row in rows)
    body = [
        [
            given(language),
            "" if documents is None else whole(documents),
            "" if size_ is None else whole(size_),
            share((size_ or documents or 0) / total) if total else "",
        ]
        for language, documents, size_ in rows[:_MANY]
    ]
    return join(element("h3", "Languages"), table(["language", "documents", "bytes", "share"], body))


def _sources(ledger: Record) -> Html | None:
    found = [source for source in entries(ledger, "sources") if isinstance(source, dict)]
    if not found:
        return None
    count, volume = number(ledger, "files", "count"), number(ledger, "files", "bytes")
    rows = [
        [
            given(source.get("name", "")),
            whole(number(source, "bytes") or 0) if number(source, "bytes") is not None else "",
            given(source.get("encoding") or ""),
            join(
                given(source.get("document") or ""),
                element("div", given(source["explanation"]), class_="note") if source.get("explanation") else None,
            ),
            _notes(source.get("notes")),
        ]
        for source in found[:_MANY]
    ]
    left = len(found) - _MANY
    told = f"{whole(count)} file(s), {size(volume)}. " if count is not None and volume is not None else ""
    return join(
        element("h3", "Sources"),
        element("p", told + "A document is what the last-but-one column says.", class_="note"),
        table(["source", "bytes", "encoding", "a document is", "notes"], rows, class_="words-left"),
        element("p", f"{whole(left)} more are listed in corpus.json.", class_="note") if left > 0 else None,
    )


def _notes(notes: object) -> Child:
    if isinstance(notes, list):
        return join([element("div", given(note)) for note in notes])
    return given(notes) if notes else ""


def _examples(ledger: Record) -> Html | None:
    blocks = []
    for rule, found in section(ledger, "examples").items():
        rows = [
            [
                join(
                    given(example.get("source", "")),
                    f", line {clean(example['line'])}" if example.get("line") else None,
                ),
                given(example.get("excerpt", "")),
            ]
            for example in (found if isinstance(found, list) else [])
            if isinstance(example, dict)
        ]
        if rows:
            head = join(code(rule), f": {len(rows)} example(s)")
            blocks.append(details(head, table(["where", "what"], rows, class_="words-left")))
    if not blocks:
        return None
    return join(element("h3", "Examples of what the rules took out"), blocks)
