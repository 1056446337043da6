"""The explain page in a real browser: complete, quiet, true to its numbers, in both languages, by keyboard, in time."""

from __future__ import annotations

import copy
import csv
import itertools
import json
import math
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chromium
import explain_payloads as payloads
from devtools import Page, browser

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed")

MAKERS = {"encoder": payloads.encoder, "decoder": payloads.decoder, "both": payloads.both}
SECTIONS = {
    "encoder": ["mlm", "nsp"],
    "decoder": ["next"],
    "both": ["next", "across"],
}
ALWAYS = ["model", "tokens", "inputs", "layers", "attention", "heads", "joining", "addnorm", "ffn", "matrix", "export"]
PAPER = {False: [251, 250, 246], True: [18, 21, 24]}
WIDE = 1280


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as made:
        made.size(WIDE, 900)
        yield made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    return {name: write(folder / f"{name}.html", *maker()) for name, maker in MAKERS.items()}


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


@pytest.mark.parametrize("name", MAKERS)
def test_it_opens_complete_and_quiet_and_every_number_agrees(page: Page, files: dict[str, Path], name: str) -> None:
    opened(page, files[name])
    assert sorted(ids(page)) == sorted(ALWAYS + SECTIONS[name])
    assert page.ask("[...document.querySelectorAll('section .body')].every(one => one.textContent.length > 60)")
    result = checked(page)
    assert result["bad"] == 0
    assert result["checked"] > 5000
    page.wait("document.querySelector('.badge.fine')")
    assert re.search(
        r"✓ [\d\s]+ liczb\w* sprawdzon\w+, 0 niezgodnych", page.ask("document.querySelector('.badge').textContent")
    )
    assert page.complaints == []
    assert [url for url in page.requests if url != "about:blank"] == [files[name].as_uri()]


def test_the_measures_notice_complaints_and_requests(page: Page, files: dict[str, Path]) -> None:
    opened(page, files["encoder"])
    page.ask("console.error('seen'), fetch('http://127.0.0.1:9/asked').catch(() => 0)")
    assert any("seen" in line for line in page.complaints)
    assert any("Content Security Policy" in line for line in page.complaints), "the policy stops the request"


@pytest.mark.parametrize("name", MAKERS)
def test_every_element_of_every_step_is_counted(page: Page, files: dict[str, Path], name: str) -> None:
    record, _ = MAKERS[name]()
    assert checked(opened(page, files[name]))["checked"] == sum(record[step["out"]].size for step in record.steps)


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


@pytest.mark.parametrize("name", MAKERS)
def test_each_number_shown_is_the_files_number(page: Page, files: dict[str, Path], name: str) -> None:
    opened(page, files[name], "#t=1&l=1&h=2")
    assert page.ask("document.querySelectorAll('.n[data-n]').length") > 300
    assert shown_wrong(page) == []
    page.ask("document.querySelector('#attention .n[data-n]').textContent = '9.1234'")
    assert len(shown_wrong(page)) == 1, "the comparison itself can fail"


def test_tables_hold_what_the_trace_holds(page: Page, files: dict[str, Path]) -> None:
    record, _ = payloads.encoder()
    opened(page, files["encoder"], "#t=2&l=1&h=3")
    rows = page.ask(
        """[...document.querySelectorAll('#attention .tablebox tbody tr')].map(row => [...row.cells].map(cell => cell.textContent))"""
    )
    made = np.array([float(row[5]) for row in rows])
    np.testing.assert_allclose(made, record["enc.1.attn.weights"][3, 2], atol=5.1e-5)
    dots = np.array([float(row[2]) for row in rows])
    np.testing.assert_allclose(dots, record["enc.1.attn.dots"][3, 2], rtol=1e-4, atol=6e-4)
    keys = np.array([[float(part) for part in row[1].strip("[]").split(",")] for row in rows])
    np.testing.assert_allclose(keys, record["enc.1.attn.k"][3], rtol=6e-3, atol=5.1e-5)


@pytest.mark.parametrize(
    ("name", "tensor"), [("encoder", "w.embedding.token.weight"), ("decoder", "dec.1.attn.v"), ("both", "next.p")]
)
def test_one_changed_number_turns_the_badge_red(page: Page, tmp_path: Path, name: str, tensor: str) -> None:
    record, made = MAKERS[name]()
    packed, blob = payloads.pack(record, made)
    entry = packed["tensors"][tensor]
    values = np.frombuffer(blob, np.float32).copy()
    place = entry["at"] // 4 + entry["count"] // 2
    values[place] *= 1.001
    target = tmp_path / "changed.html"
    target.write_text(payloads.document(packed, values.tobytes()), encoding="utf-8")
    opened(page, target)
    page.wait("document.querySelector('.badge.wrong')")
    assert "✗" in page.ask("document.querySelector('.badge').textContent")
    assert checked(page)["bad"] >= 1


def test_a_step_that_is_wrong_is_found_without_checksums(page: Page, tmp_path: Path) -> None:
    record, made = payloads.encoder()
    record.tensors["enc.1.attn.dots"][0, 0, 0] += 1.0
    target = write(tmp_path / "wrong.html", record, made)
    result = checked(opened(page, target))
    assert result["broken"] == []
    assert result["first"][0] == {"name": "enc.1.attn.dots", "index": [0, 0, 0]}


def test_a_number_opens_its_equation_and_each_operand_its_own(page: Page, files: dict[str, Path]) -> None:
    opened(page, files["encoder"], "#t=2")
    page.ask("document.querySelector('#attention td .n[data-n$=\"attn.dots\"]').focus()")
    page.press("Enter")
    assert page.ask("document.querySelector('.equation').hidden") is False
    assert page.ask("document.querySelector('.equation h2').textContent").startswith("enc.0.attn.dots[0, 2, 0]")
    assert page.ask("document.querySelector('.equation .again.fine') !== null")
    assert page.ask("document.querySelectorAll('.equation .terms tr').length") == 4
    page.ask("document.querySelector('.equation .terms .n').click()")
    assert page.ask("document.querySelector('.equation h2').textContent").startswith("enc.0.attn.q[0, 2, 0]")
    page.press("Escape")
    assert page.ask("document.querySelector('.equation').hidden") is True
    assert page.ask("document.activeElement.dataset.n").endswith("attn.dots"), "the focus goes back to the number"


@pytest.mark.parametrize("name", MAKERS)
def test_every_number_has_an_equation(page: Page, files: dict[str, Path], name: str) -> None:
    opened(page, files[name], "#t=1")
    silent = page.ask(
        """[...document.querySelectorAll('section .n[data-n], section .n[data-e]')].filter((one, i) => i % 7 === 0).filter(one => {
          one.click();
          const panel = document.querySelector('.equation');
          return panel.hidden || panel.textContent.length < 30 || panel.querySelector('.wrong');
        }).map(one => one.outerHTML)"""
    )
    assert silent == []
    assert page.complaints == []


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


def chapters(record: payloads.Record, made: Any) -> None:
    """A seed's table, a training step and a history beside the trace, small and made up."""
    record.part = "step"
    logits = record.given("step.logits", np.array([[1.0, 2.0, 0.5], [0.0, 0.5, 3.0]]), "seq vocab")
    p = record.step("softmax", "step.p", [logits], payloads.softmax(record[logits]), "seq vocab")
    nll = record.step("nll", "step.nll", [p], -np.log(record[p][[0, 1], [1, 2]]), "seq", labels=[1, 2])
    record.step("mean", "step.loss", [nll], np.array([record[nll].mean()]), "one")
    asked = [
        {"place": i, "id": 3, "token": "[MASK]", "label": i + 1, "label_token": f"słowo{i}", "kind": "mask"}
        for i in (0, 1)
    ]
    moved = {
        "name": "embedding.token.weight",
        "size": 640,
        "norm": 0.5,
        "grew": 0.01,
        "weight_norm": 4.0,
        "relative": 0.0025,
    }
    made["step"] = {
        "side": "enc", "plan": asked, "counts": {"tokens": 13, "chosen": 2, "mask": 2, "random": 0, "same": 0}, "p": "step.p",
        "nll": "step.nll", "loss": "step.loss", "parts": [{"name": "masked", "loss": 0.3, "weight": 1.0}], "gradients": [moved],
        "after": [{"place": 0, "token": "słowo0", "p_before": 0.6, "p_after": 0.7}], "rate": 1e-3, "optimiser": "adamw",
        "clip": {"norm": 2.0, "limit": 1.0, "factor": 0.5},
    }  # fmt: skip
    record.given("history.plane", np.array([[[0.0, 0.0], [1.0, 1.0]], [[2.0, 0.5], [1.5, 3.0]]]), "snapshot probe xy")
    near = [{"id": 1, "token": "las", "cosine": 0.25}]
    made["history"] = {
        "steps": [0, 10], "loss": {"step": [1, 10], "train": [4.0, 2.0], "held_out_step": [0, 10], "held_out": [4.5, 2.5]},
        "probes": {"tokens": [{"id": 1, "token": "las"}, {"id": 2, "token": "dom"}], "plane": "history.plane", "all": None,
                   "explained": [0.5, 0.25], "neighbours": [[near, near], [near, near]]},
        "sentences": [{"text": "Natura [MASK].", "answer": "żyje", "answers": [{"top": [{"token": "a", "p": 0.1}]}, {"text": "b"}],
                       "attention": None, "tokens": ["Natura"]}],
    }  # fmt: skip
    token = record.given("seed.token", np.array([[0.12, -0.87, 0.45, 0.33]]), "row dim")
    place = record.given("seed.position", np.array([[0.01, 0.02, 0.03, 0.04]]), "row dim")
    record.add("seed.sum", token, place, axes="row dim")
    x = record.given("seed.logits", np.array([2.5, -1.0, 0.5, -0.2, 1.8]), "word")
    record.step("softmax", "seed.p", [x], payloads.softmax(record[x]), "word")
    made["seed"] = {
        "tables": [{"key": "first", "rows": [{"position": 0, "token": "Natura", "id": 201, "segment": None}], "token": token,
                    "position": place, "segment": None, "sum": "seed.sum", "printed": [["0.13", "-0.85", "0.48", "0.37"]]}],
        "softmax": {"logits": [2.5, -1.0, 0.5, -0.2, 1.8], "labels": ["stwarza", "opona", "piękny", "dom", "las"],
                    "text_says": ["0.607", "0.018", "0.082", "0.041", "0.301"], "p": "seed.p", "why": {"pl": "bo", "en": "for"}},
        "division": {"d_model": 768, "heads": 8, "d_head": 96}, "remarks": [{"key": "sqrt", "pl": "pierwiastek", "en": "root"}],
    }  # fmt: skip


def test_seed_training_step_and_history_have_their_sections(page: Page, tmp_path: Path) -> None:
    record, made = payloads.encoder()
    chapters(record, made)
    opened(page, write(tmp_path / "chapters.html", record, made))
    assert {"seed", "training", "learned"} <= set(ids(page))
    assert page.ask("document.querySelectorAll('.failed').length") == 0
    assert checked(page)["bad"] == 0
    seed = page.ask("document.getElementById('seed').innerText")
    assert "[0.13, -0.85, 0.48, 0.37]" in seed
    assert "Zgodnych liczb: 4 z 4." in seed
    assert all(right in seed for right in ("0.578", "0.017", "0.078", "0.039", "0.287"))
    assert shown_wrong(page) == []
    step = page.ask("document.getElementById('training').innerText")
    assert f"{record['step.loss'][0]:.4f}" in step
    page.ask(
        "(k => { k.value = 0; k.dispatchEvent(new Event('input')); })(document.querySelector('[data-key=snapshot]'))"
    )
    assert "krok 0" in page.ask("document.getElementById('learned').innerText")
    assert page.complaints == []


def test_nothing_plays_by_itself_under_reduced_motion_and_controls_stay_off_paper(page: Page, tmp_path: Path) -> None:
    record, made = payloads.encoder()
    chapters(record, made)
    target = write(tmp_path / "chapters.html", record, made)
    buttons = "[...document.querySelectorAll('#learned button')].map(one => one.textContent)"
    assert "Odtwórz" in opened(page, target).ask(buttons)
    shown = "getComputedStyle(document.querySelector('.top')).display"
    assert page.ask(shown) != "none"
    try:
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
        assert "Odtwórz" not in opened(page, target).ask(buttons)
        page.call("Emulation.setEmulatedMedia", media="print")
        assert page.ask(shown) == "none"
        assert page.ask("document.getElementById('matrix').innerText.length") > 500
    finally:
        page.call("Emulation.setEmulatedMedia", media="")
        page.size(WIDE, 900)


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
