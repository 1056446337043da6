"""The ledger of the corpus as a table that adds up before the reader's eyes."""

from __future__ import annotations

from dataclasses import dataclass

from osnowa.runs.report_data import Record, number, numbers
from osnowa.runs.report_format import share, whole
from osnowa.runs.report_html import Child, Html, code, element, join


@dataclass(frozen=True)
class Account:
    """Documents, or bytes: what came in and where it went; `amiss` is what no row accounts for."""

    word: str
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


def read_account(ledger: Record, word: str) -> Account | None:
    """The "documents" or the "bytes" of corpus.json; None where it does not say what came in."""
    came = number(ledger, word, "in")
    if came is None:
        return None
    return Account(
        word=word,
        came=came,
        train=number(ledger, word, "train") or 0,
        held_out=number(ledger, word, "held_out") or 0,
        dropped=numbers(ledger, word, "dropped"),
        removed=numbers(ledger, word, "removed"),
    )


def show_ledger(ledger: Record) -> Html | None:
    """A bar of all bytes, the table, and a line per account that says whether it adds up."""
    documents, volume = read_account(ledger, "documents"), read_account(ledger, "bytes")
    accounts = [account for account in (documents, volume) if account is not None]
    if not accounts:
        return None
    head = element("tr", [element("th", word, scope="col") for word in ("", "documents", "bytes", "share of bytes")])
    body = element("table", element("thead", head), element("tbody", _rows(ledger, documents, volume)), class_="ledger")
    frame = element("div", body, class_="scroll", tabindex="0", role="region", aria_label="Ledger of the corpus")
    return join(_track(volume) if volume else None, frame, [_balance(account) for account in accounts])


def _rows(ledger: Record, documents: Account | None, volume: Account | None) -> list[Html]:
    came_in = volume.came if volume else 0

    def row(name: Child, counted: float | None, size: float | None, sign: int = 1, class_: str | None = None) -> Html:
        cells = [
            _signed(counted, sign),
            _signed(size, sign),
            share(size / came_in) if size is not None and came_in else "",
        ]
        return element("tr", element("th", name, scope="row"), [element("td", cell) for cell in cells], class_=class_)

    def both(name: str, attribute: str, class_: str | None = None) -> Html:
        counted, size = (getattr(account, attribute, None) for account in (documents, volume))
        return row(name, counted, size, 1, class_)

    dropped, removed = (
        [account.dropped if account else {} for account in (documents, volume)],
        volume.removed if volume else {},
    )
    changed = numbers(ledger, "changed")
    return [
        both("read", "came"),
        *(
            row(join("dropped: ", code(rule)), dropped[0].get(rule), dropped[1].get(rule), -1, "part")
            for rule in dict.fromkeys([*dropped[0], *dropped[1]])
        ),
        *(
            row(join("removed inside ", _documents(changed.get(rule)), ": ", code(rule)), None, size, -1, "part")
            for rule, size in removed.items()
        ),
        both("kept", "kept", "sum"),
        both("of these for training", "train", "part"),
        both("of these held out, never trained on", "held_out", "part"),
    ]


def _documents(changed: float | None) -> str:
    return "documents" if changed is None else f"{whole(changed)} document{'' if changed == 1 else 's'}"


def _signed(value: float | None, sign: int) -> str:
    """What leaves has a minus before it; a rule that made texts longer shows what it added."""
    if value is None:
        return ""
    return whole(value) if sign > 0 else f"{'−' if value >= 0 else '+'}{whole(abs(value))}"


def _track(volume: Account) -> Html | None:
    """One bar for all bytes: kept for training, held out, dropped, removed."""
    parts = [
        ("for training", volume.train),
        ("held out", volume.held_out),
        ("dropped", sum(volume.dropped.values())),
        ("removed inside documents", sum(volume.removed.values())),
    ]
    if volume.came <= 0 or any(value < 0 for _, value in parts):
        return None
    shares = [value / volume.came for _, value in parts]
    bars = [element("i", class_=f"t{place}", style=f"width:{100 * part:.3f}%") for place, part in enumerate(shares, 1)]
    names = [
        element("li", element("span", class_=f"swatch t{place}"), f"{name} {share(part)}")
        for place, ((name, _), part) in enumerate(zip(parts, shares, strict=True), 1)
    ]
    return join(element("div", bars, class_="track", aria_hidden="true"), element("ul", names, class_="key"))


def _balance(account: Account) -> Html:
    dropped, removed = sum(account.dropped.values()), sum(account.removed.values())
    told = f"{whole(account.came)} {account.word} read = {whole(account.kept)} kept + {whole(dropped)} dropped"
    if account.removed:
        told += f" {'+' if removed >= 0 else '−'} {whole(abs(removed))} removed"
    return verdict(
        account.amiss == 0, told, f"{whole(abs(account.amiss))} {account.word} are {_direction(account.amiss)}"
    )


def _direction(amiss: float) -> str:
    return "missing" if amiss > 0 else "counted twice"


def verdict(sound: bool, told: str, amiss: str) -> Html:
    """A sum in words, with a sign for whether it adds up and what is wrong where it does not."""
    if sound:
        return element("p", element("span", "✓ ", class_="sound"), f"{told}: it adds up.", class_="note")
    return element("p", element("span", "✗ ", class_="unsound"), f"{told}: {amiss}.", class_="note unsound")
