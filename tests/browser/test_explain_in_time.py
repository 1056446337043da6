"""How long an explain page takes, small and large; measured alone (`make tests`)."""

from __future__ import annotations

import copy
import itertools
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chromium
import explain_payloads as payloads
from devtools import Page
from explain_in_browser import checked, opened, write

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed")


def large(folder: Path) -> Path:
    """512 tokens, 12 layers, 12 heads: numbers for 4 tokens, pictures of 128 x 128 for all."""
    record, made = payloads.encoder(payloads.words(512), layers=1, d_model=96, heads=12, kv_heads=12)
    one = [name for name in record.tensors if name.startswith("enc.0.")]
    steps = copy.deepcopy(record.steps)
    for layer in range(1, 12):
        for name in one:
            record.tensors[name.replace("enc.0.", f"enc.{layer}.")] = record.tensors[name]
            record.axes[name.replace("enc.0.", f"enc.{layer}.")] = record.axes[name]
        for step in steps:
            if step["out"].startswith("enc.0."):
                other = copy.deepcopy(step)
                other["out"] = other["out"].replace("enc.0.", f"enc.{layer}.")
                other["in"] = [name.replace("enc.0.", f"enc.{layer}.") if name in one else name for name in other["in"]]
                record.steps.append(other)
    made["sides"]["enc"]["layers"] = 12
    made["focus"]["enc"] = rows = [0, 1, 2, 3]
    keep: dict[str, list[Any]] = {}
    for name, value in record.tensors.items():
        axes = record.axes[name]
        if 512 in value.shape and not name.startswith("w."):
            keep[name] = [
                rows if axis in ("seq", "query") and value.shape[i] == 512 else None for i, axis in enumerate(axes)
            ]
        if name.endswith((".attn.k", ".attn.v")):
            keep[name] = [None, None, None]
    codes = {}
    for layer in range(12):
        weights = record.tensors[f"enc.{layer}.attn.weights"].reshape(12, 128, 4, 128, 4).max((2, 4))
        codes[f"enc.{layer}.attn.weights"] = np.round(255 * np.sqrt(weights)).astype(np.uint8)
    packed, blob = payloads.pack(record, made, keep)
    for name, code in codes.items():
        packed["pictures"][name] = {
            "shape": [12, 128, 128],
            "of": name,
            "at": len(blob),
            "count": code.size,
            "max": None,
        }
        blob += code.tobytes()
    target = folder / "large.html"
    target.write_text(payloads.document(packed, blob), encoding="utf-8")
    return target


def fastest(measure: Callable[[], float], enough: float, tries: int = 15) -> float:
    """The shortest of up to `tries` times, in ms: others may work on the machine, and what they take is not the page's."""
    best = math.inf
    for _ in range(tries):
        best = min(best, measure())
        if best < enough:
            break
        time.sleep(0.2)
    return best


def ready(page: Page, path: Path) -> float:
    """Milliseconds from navigation until all is drawn."""
    return float(opened(page, path).ask("window.__explain.readyAfter"))


def switched(page: Page, heads: Iterator[int]) -> float:
    """Milliseconds until the next head stands there, laid out."""
    page.ask("new Promise(done => setTimeout(done, 300))")
    return float(
        page.ask(
            f"(from => (window.__explain.set({{ h: {next(heads)} }}), document.body.offsetHeight, performance.now() - from))(performance.now())"
        )
    )


@pytest.mark.budget
def test_sixteen_tokens_are_ready_in_half_a_second(page: Page, tmp_path: Path) -> None:
    record, made = payloads.encoder(payloads.words(16))
    path = write(tmp_path / "sixteen.html", record, made)
    assert fastest(lambda: ready(page, path), 500) < 500


@pytest.mark.budget
def test_512_tokens_are_ready_in_three_seconds_and_heads_change_at_once(page: Page, tmp_path: Path) -> None:
    path = large(tmp_path)
    assert fastest(lambda: ready(page, path), 3000) < 3000
    assert checked(page)["bad"] == 0
    assert page.ask("document.querySelectorAll('#heads canvas').length") == 144
    page.ask(
        "document.documentElement.style.scrollBehavior = 'auto', document.getElementById('attention').scrollIntoView()"
    )
    page.ask("new Promise(done => setTimeout(done, 300))")
    page.wait("document.querySelector('.badge.fine')", 60)
    heads = itertools.cycle((1, 5, 11, 3, 7, 2, 9))
    assert fastest(lambda: switched(page, heads), 50) < 50
    rows = page.ask("document.querySelectorAll('#attention .tall tbody tr').length")
    assert 10 < rows < 80, "only the rows in sight are in the document"
    page.ask("document.querySelector('#attention .tall').scrollTop = 1e6")
    page.wait("[...document.querySelectorAll('#attention .tall tr[data-row]')].at(-1).dataset.row === '511'")
    assert page.complaints == []
