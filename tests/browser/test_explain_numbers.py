"""The explain page in a real browser: complete, quiet, and true to its numbers, each of which has its equation."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import chromium
import explain_payloads as payloads
from devtools import Page
from explain_in_browser import MAKERS, checked, ids, opened, shown_wrong, write

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed")

SECTIONS = {
    "encoder": ["mlm", "nsp"],
    "decoder": ["next"],
    "both": ["next", "across"],
}
ALWAYS = ["model", "tokens", "inputs", "layers", "attention", "heads", "joining", "addnorm", "ffn", "matrix", "export"]


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
