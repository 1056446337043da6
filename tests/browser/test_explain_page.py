"""The explain page in a real browser: in both languages, at any width, by keyboard, by its address, saved to files."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import numpy as np
import pytest

import chromium
import explain_payloads as payloads
from devtools import Page
from explain_in_browser import MAKERS, WIDE, checked, ids, opened, write

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed")

PAPER = {False: [251, 250, 246], True: [18, 21, 24]}


def test_both_languages(page: Page, files: dict[str, Path]) -> None:
    opened(page, files["encoder"])
    assert page.ask("document.documentElement.lang") == "pl"
    assert "Macierz kontekstualizacji" in page.ask("document.getElementById('matrix').textContent")
    page.ask("document.querySelector('[data-key=lang]').click()")
    page.wait("document.documentElement.lang === 'en'")
    page.wait("document.getElementById('matrix').textContent.includes('Contextual matrix')")
    assert "lang=en" in page.ask("location.hash")
    page.wait("document.querySelector('.badge.fine')")
    assert "numbers checked, 0 mismatches" in page.ask("document.querySelector('.badge').textContent")
    words = page.ask("document.getElementById('app').innerText.normalize('NFC')")
    assert "sprawdzon" not in words
    assert page.complaints == []


# What is wider than its section and can't be scrolled to (a section out of sight hides what sticks out of it).
CUT_OFF = """(section => [...section.querySelectorAll('*')].filter(one => {
  if (one.getBoundingClientRect().right <= section.getBoundingClientRect().right + 1) return false;
  for (let box = one.parentElement; box !== section; box = box.parentElement)
    if (getComputedStyle(box).overflowX !== 'visible') return false;
  return !one.closest('.hidden');
}).map(one => one.outerHTML.slice(0, 120)))(document.getElementById('%s'))"""


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("width", [320, WIDE])
def test_nothing_sticks_out(page: Page, files: dict[str, Path], name: str, width: int) -> None:
    page.size(width, 800)
    try:
        opened(page, files[name])
        page.wait("document.querySelector('.badge.fine')")
        page.ask("document.documentElement.style.scrollBehavior = 'auto'")
        for section in ids(page):
            page.ask(f"document.getElementById('{section}').scrollIntoView()")
            page.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            assert page.ask("document.documentElement.scrollWidth") <= width, section
            assert page.ask(CUT_OFF % section) == [], section
    finally:
        page.size(WIDE, 900)


@pytest.mark.parametrize("dark", [False, True])
def test_it_follows_the_colours_of_the_system(page: Page, files: dict[str, Path], tmp_path: Path, dark: bool) -> None:
    page.size(700, 400, dark=dark)
    try:
        opened(page, files["encoder"])
        row = chromium.read_png(page.picture(tmp_path / "picture.png").read_bytes())[395]
        assert list(row[:3]) == PAPER[dark]
        page.ask("document.querySelector('[data-key=theme]').click()")
        page.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        row = chromium.read_png(page.picture(tmp_path / "picture.png").read_bytes())[395]
        assert list(row[:3]) == PAPER[not dark]
    finally:
        page.size(WIDE, 900)


HOSTILE = ["</script><script>document.title='ran'</script>", "\u202eabc\u202c", "x" * 10_000, "👩\u200d👩\u200d👧", "\0", "[MASK]",
           '"><img src=x onerror=document.title="ran">', "<!--", "]]>"]  # fmt: skip


def test_hostile_tokens_stay_text(page: Page, tmp_path: Path) -> None:
    record, made = payloads.encoder(HOSTILE)
    made["facts"]["folder"] = HOSTILE[0]
    target = write(tmp_path / "hostile.html", record, made)
    opened(page, target)
    assert page.ask("document.title") != "ran"
    assert page.ask("document.querySelectorAll('img, #app script, [onerror]').length") == 0
    texts = page.ask("[...document.querySelectorAll('#tokens tbody th')].map(one => one.textContent)")
    assert texts[0] == HOSTILE[0]
    assert texts[1] == "⟨202E⟩abc⟨202C⟩"
    assert texts[2].endswith("… (10000)")
    assert texts[3] == HOSTILE[3]
    assert texts[4] == "␀"
    assert page.ask("document.documentElement.scrollWidth") <= WIDE
    assert checked(page)["bad"] == 0
    assert page.complaints == []


CONTROLS = (
    "[...document.querySelectorAll('button:not([tabindex=\"-1\"]), select, input, summary, canvas.heat, a[href]')]"
    ".filter(one => one.checkVisibility({visibilityProperty: true, contentVisibilityAuto: false}) && !one.closest('[hidden], details:not([open]) > :not(summary)'))"
)


def test_the_keyboard_reaches_every_control(page: Page, tmp_path: Path) -> None:
    record, made = payloads.encoder(payloads.words(5), layers=1)
    opened(page, write(tmp_path / "small.html", record, made))
    page.wait("document.querySelector('.badge.fine')")
    page.ask(f"window.left = new Set({CONTROLS}), document.activeElement.blur(), window.left.size")
    total = page.ask("window.left.size")
    assert total > 40
    for _ in range(3 * total):
        page.press("Tab")
        if page.ask(
            "(left.delete(document.activeElement), document.activeElement === document.body || left.size === 0)"
        ):
            break
    assert page.ask("[...left].map(one => one.outerHTML.slice(0, 200))") == []


def test_arrows_walk_the_numbers_of_a_table_and_the_cells_of_a_picture(page: Page, files: dict[str, Path]) -> None:
    opened(page, files["encoder"], "#t=2")
    page.ask("document.querySelector('#attention .tablebox .n[tabindex=\"0\"]').focus()")
    first = page.ask("document.activeElement.dataset.i")
    page.press("ArrowDown")
    second = page.ask("document.activeElement.dataset.i")
    page.press("ArrowRight")
    third = page.ask("document.activeElement.dataset.i")
    assert [first, second, third] == ["0,0,0", "0,1,0", "0,1,1"]
    page.ask("document.querySelector('#attention canvas.heat').focus()")
    page.press("ArrowRight")
    page.press("ArrowDown")
    assert "Natura" in page.ask("document.querySelector('#attention .reading').textContent")
    assert page.ask("document.getElementById('live').textContent") != ""
    page.press("Enter")
    page.wait("location.hash.includes('t=3')")


def test_the_address_is_the_view(page: Page, files: dict[str, Path]) -> None:
    opened(page, files["both"], "#t=1&l=1&h=2&s=dec&lang=en")
    assert page.ask("JSON.stringify(window.__explain.state())").count('"l":1') == 1
    assert "dec.1.attn" in page.ask("document.querySelector('#attention .n').dataset.n")
    page.ask("location.hash = '#t=3&l=0&h=0&s=enc&lang=en'")
    page.wait("document.querySelector('#attention .n').dataset.n.startsWith('enc.0.attn')")


def test_the_temperature_is_recomputed_live(page: Page, files: dict[str, Path]) -> None:
    record, made = payloads.decoder()
    opened(page, files["decoder"])
    place = made["answers"]["next"]["place"]
    page.ask(
        "(k => { k.value = 0.5; k.dispatchEvent(new Event('input')); })(document.querySelector('[data-key=temperature]'))"
    )
    text = page.ask("document.querySelector('#next .card tbody tr').cells[4].textContent")
    expected = payloads.softmax(record["next.logits"][place] / 0.5).max()
    assert float(text) == pytest.approx(expected, abs=5.1e-5)


def saved(page: Page, folder: Path, box: str, kind: str) -> bytes:
    """What the button of that name writes to the disk."""
    session, page.session = page.session, None
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    page.session = session
    before = set(folder.iterdir())
    page.ask(f"(box => [...box.querySelectorAll('button')].find(one => one.textContent === '{kind}').click())({box})")
    until = time.monotonic() + 20
    while time.monotonic() < until:
        new = [path for path in set(folder.iterdir()) - before if path.suffix != ".crdownload"]
        if new and (content := new[0].read_bytes()):
            return content
        time.sleep(0.05)
    raise AssertionError(f"{kind} was not saved")


def test_tables_and_pictures_are_saved_in_full_precision(page: Page, files: dict[str, Path], tmp_path: Path) -> None:
    record, _ = payloads.encoder()
    opened(page, files["encoder"], "#t=2")
    box = "document.querySelector('#attention .tablebox .save')"
    rows = list(csv.DictReader(saved(page, tmp_path, box, "CSV").decode("utf-8-sig").splitlines()))
    assert [row["Patrzy na"] for row in rows] == payloads.words(13)
    np.testing.assert_allclose([float(row["softmax"]) for row in rows], record["enc.0.attn.weights"][0, 2], rtol=1e-8)
    told = json.loads(saved(page, tmp_path, box, "JSON"))
    assert [row["softmax"] for row in told] == [row["softmax"] for row in rows]
    lines = saved(page, tmp_path, box, "Markdown").decode().splitlines()
    assert len(lines) == 2 + 13
    assert rows[0]["softmax"] in lines[2]
    picture = saved(page, tmp_path, "document.querySelector('#attention .heatbox .save')", "PNG")
    assert picture.startswith(b"\x89PNG")
    whole = json.loads(saved(page, tmp_path, "document.querySelector('#export .tools')", "JSON"))
    np.testing.assert_allclose(np.reshape(whole["values"], whole["shape"]), record[whole["name"]], rtol=1e-6)
