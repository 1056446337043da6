"""Explain pages of made-up models, opened in a browser, and what tests ask of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import explain_payloads as payloads
from devtools import Page

MAKERS = {"encoder": payloads.encoder, "decoder": payloads.decoder, "both": payloads.both}
WIDE = 1280


def write(target: Path, record: payloads.Record, made: Any, keep: Any = None) -> Path:
    target.write_text(payloads.document(*payloads.pack(record, made, keep)), encoding="utf-8")
    return target


def opened(page: Page, path: Path, state: str = "") -> Page:
    page.complaints.clear()
    page.requests.clear()
    page.open(path, state)
    return page


def ids(page: Page) -> list[str]:
    return page.ask("[...document.querySelectorAll('section')].map(one => one.id)")


def checked(page: Page) -> dict[str, Any]:
    return page.ask("window.__explain.verify()")


def shown_wrong(page: Page) -> list[Any]:
    """Numbers on the page that are not the file's number to the digits shown."""
    return page.ask(
        """[...document.querySelectorAll('.n[data-n]')].filter(one => {
          const value = window.__explain.trace.at(one.dataset.n, one.dataset.i.split(',').map(Number));
          const text = one.textContent;
          if (text === '−∞') return value > -3e38;
          const share = text.endsWith('%') ? 100 : 1;
          const plain = text.replace(/\\s?%/, '').replace(share > 1 ? ',' : '', share > 1 ? '.' : '');
          const places = plain.includes('e') ? null : (plain.split('.')[1] || '').length;
          const off = Math.abs(Number(plain) - share * value);
          return !(off <= (places === null ? 0.005 * Math.abs(value) : 0.5000001 * 10 ** -places));
        }).map(one => [one.dataset.n, one.dataset.i, one.textContent])"""
    )
