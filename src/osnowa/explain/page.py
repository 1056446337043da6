"""One self-contained HTML file: the index, the numbers, and the script that shows and checks them; no network."""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape
from importlib.resources import files as resources
from pathlib import Path

from osnowa import files
from osnowa.errors import DataError, SettingsError
from osnowa.explain.payload import Payload, build, index_text
from osnowa.explain.trace import Trace

LANGUAGES = {
    "pl": (
        "Liczby wewnątrz modelu",
        "Ta strona potrzebuje JavaScriptu: przelicza w nim każdą liczbę. Nie łączy się z siecią.",
    ),
    "en": ("Numbers inside a model", "This page needs JavaScript: it computes every number again. It uses no network."),
}

# The built script unpacks itself; its first line names the digest of what it unpacks.
_UNPACKS = re.compile(r"unpacks: (sha256-[A-Za-z0-9+/]{43}=)")


def save_page(trace: Trace, path: Path, *, lang: str, max_mb: float) -> None:
    """Write the page of `trace`, at most `max_mb` million bytes long.

    Raises:
        SettingsError: another language, or a page that can't be so small.
        StorageError, CannotCreateError
    """
    if lang not in LANGUAGES:
        raise SettingsError(f"lang = {lang}", "no such language", f"use {' or '.join(LANGUAGES)}")
    if not 0 < max_mb < 10_000:
        raise SettingsError(f"--max-mb {max_mb:g}", "is no size of a page", "use 12")
    script, style = asset("page.js"), asset("page.css")
    beside = len(html(Payload({"lang": lang, "title": ""}, b"", b""), script, style).encode())
    # A title is as long as the index allows it to be, twice escaped at most.
    payload = build(trace, lang=lang, max_bytes=int(max_mb * 1e6), beside=beside + 1000)
    files.write(path, html(payload, script, style))


def asset(name: str) -> str:
    """The page's script or style, as it was built.

    Raises:
        DataError: it is not in this installation.
    """
    source = resources("osnowa.explain") / "assets" / name
    if not source.is_file():
        raise DataError(str(source), "is missing from this installation", "install osnowa again, or use --format json")
    return source.read_text(encoding="utf-8")


def html(payload: Payload, script: str, style: str) -> str:
    """The whole file. Only this script, what it unpacks, and this style may run: their digests are the policy."""
    lang = payload.index["lang"]
    heading, hint = LANGUAGES[lang]
    scripts = " ".join(f"'{each}'" for each in (_digest(script), *_UNPACKS.findall(script.partition("\n")[0])))
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src '{_digest(style)}'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    title = escape(f"{payload.index['title']} · {heading}".strip(" ·"))
    return (
        f'<!doctype html>\n<html lang="{lang}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="referrer" content="no-referrer">\n<title>{title}</title>\n<style>{style}</style>\n</head>\n'
        f'<body>\n<noscript><p>{hint}</p></noscript>\n<div id="app"></div>\n'
        f'<script type="application/json" id="index">{index_text(payload.index)}</script>\n'
        f'<script type="text/plain" id="blob">{base64.b64encode(payload.packed).decode()}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
