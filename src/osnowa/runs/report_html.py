"""HTML and SVG built from elements, so that every text is escaped unless it was built here."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any


class Html(str):
    """Markup that is finished: it is put into a page as it stands."""

    __slots__ = ()


Child = Html | str | int | None

_VOID = frozenset({"meta", "br", "col"})
# Control characters become their pictures (U+2400 ...), so that nothing in a token or file name is invisible.
_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {127: 0x2421}


def clean(value: object) -> str:
    """`value` as text that any file can hold: control characters visible, lone surrogates replaced."""
    text = str(value).translate(_PICTURES)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def escape(value: object) -> Html:
    return value if isinstance(value, Html) else Html(html.escape(clean(value), quote=True))


def element(tag: str, *children: Child | Iterable[Child], **attributes: Any) -> Html:
    """`<tag attributes>children</tag>`; `class_` is class, `_` in a name is `-`; None leaves an attribute out.

    >>> element("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _VOID:
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{join(*children)}</{tag}>")


def join(*children: Child | Iterable[Child]) -> Html:
    parts: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, (str, int)):
            parts.append(escape(child))
        else:
            parts.append(join(*child))
    return Html("".join(parts))


def given(value: object, tag: str = "bdi") -> Html:
    """Text that came with the data: isolated, so that right-to-left marks in it can't reorder the page."""
    return element(tag, clean(value))


def code(value: object) -> Html:
    return element("code", element("bdi", clean(value)))


def table(
    head: Iterable[Child], rows: Iterable[Iterable[Child]], *, caption: Child = None, class_: str | None = None
) -> Html:
    """A table in a frame that scrolls by itself on a narrow screen; the first cell of a row is its heading."""
    body = [
        element(
            "tr", [element("td", cell) if place else element("th", cell, scope="row") for place, cell in enumerate(row)]
        )
        for row in rows
    ]
    columns = [element("th", cell, scope="col") for cell in head]
    return element(
        "div",
        element(
            "table",
            element("caption", caption) if caption else None,
            element("thead", element("tr", columns)) if columns else None,
            element("tbody", body),
            class_=class_,
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption if isinstance(caption, str) and not isinstance(caption, Html) else "table",
    )


def details(summary: Child, *content: Child | Iterable[Child]) -> Html:
    return element("details", element("summary", summary), join(*content))
