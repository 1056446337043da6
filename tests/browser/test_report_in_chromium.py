"""A report opens by double click in a real browser: complete, quiet, without the network, light and dark, on a phone."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

import chromium
from fake_run import hostile_run, write_run
from osnowa.runs.report import write_report

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed")

PAPER = {False: (0xFB, 0xFA, 0xF6), True: (0x14, 0x17, 0x1A)}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(write_run(tmp_path_factory.mktemp("runs") / "Mój bieg ż", log_every=5))


def without_policy(page: Path, script: str, target: Path) -> Path:
    """A copy of the page that may run `script`, which writes what it measured into the title."""
    content = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    target.write_text(content.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    return target


def title(tree: str) -> str:
    found = re.search(r"<title>(.*?)</title>", tree)
    assert found is not None
    return found.group(1)


def test_it_opens_from_the_disk_complete_and_quiet_and_asks_for_nothing_else(report: Path, tmp_path: Path) -> None:
    visit = chromium.visit(report, tmp_path)
    assert visit.tree.replace("\n", "").endswith("</footer></main></body></html>")
    assert "It guesses 30.1" in visit.tree
    assert visit.tree.count("<svg") == report.read_text(encoding="utf-8").count("<svg")
    assert visit.complaints == []
    assert visit.requests == []


def test_the_measures_notice_a_page_that_complains_and_asks_the_network(report: Path, tmp_path: Path) -> None:
    script = "console.error('seen'); fetch('http://127.0.0.1:9/asked').catch(() => 0)"
    visit = chromium.visit(without_policy(report, script, tmp_path / "loud.html"), tmp_path)
    assert any("seen" in line for line in visit.complaints)
    assert "http://127.0.0.1:9/asked" in visit.requests


def test_the_policy_stops_any_script_that_gets_in(report: Path, tmp_path: Path) -> None:
    copy = tmp_path / "injected.html"
    content = report.read_text(encoding="utf-8")
    copy.write_text(content.replace("</body>", "<script>document.title='ran'</script></body>"), encoding="utf-8")
    assert title(chromium.visit(copy, tmp_path).tree) == "Mój bieg ż – osnowa"


def test_hostile_texts_stay_text(tmp_path: Path) -> None:
    page = write_report(hostile_run(tmp_path / "run"))
    script = "document.title = [...document.querySelectorAll('script,img,[onload],[onerror]')].length - 1"
    visit = chromium.visit(without_policy(page, script, tmp_path / "copy.html"), tmp_path)
    assert title(visit.tree) == "0"
    assert visit.complaints == []


@pytest.mark.parametrize("dark", [False, True])
def test_it_follows_the_colours_of_the_system(report: Path, tmp_path: Path, dark: bool) -> None:
    row = chromium.picture(report, tmp_path, width=700, height=300, dark=dark)[250]
    assert tuple(row[:3]) == PAPER[dark]


@pytest.mark.parametrize(("width", "shape"), [(390, "narrow"), (1280, "wide")])
def test_nothing_sticks_out_and_the_fitting_charts_are_shown(
    report: Path, tmp_path: Path, width: int, shape: str
) -> None:
    script = """
      const root = document.documentElement;
      const shown = [...document.querySelectorAll('svg.chart')].filter(svg => svg.getBoundingClientRect().width > 0);
      const out = [...document.querySelectorAll('svg.chart text')].filter(text => {
        const box = text.getBoundingClientRect(), frame = text.ownerSVGElement.getBoundingClientRect();
        return box.width && (box.left < frame.left - 1 || box.right > frame.right + 1);
      });
      const small = shown.map(svg => 12 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width);
      document.title = [root.clientWidth, root.scrollWidth, [...new Set(shown.map(svg => svg.classList[1]))].join(),
        out.map(text => text.textContent).join('|'), Math.min(...small) >= 10].join(';');
    """
    copy = without_policy(report, script + "parent.document.title = document.title;", tmp_path / "copy.html")
    frame = tmp_path / "frame.html"  # the browser's own window is never narrower than 500 pixels
    inner = html.escape(copy.read_text(encoding="utf-8"), quote=True)
    frame.write_text(
        f'<title></title><iframe width="{width}" height="900" srcdoc="{inner}"></iframe>', encoding="utf-8"
    )
    told = title(chromium.visit(frame, tmp_path, width=1400).tree).split(";")
    assert int(told[1]) <= int(told[0]) <= width
    assert told[2:] == [shape, "", "true"]


def test_it_can_be_told_apart_without_colours_and_read_without_sight(report: Path, tmp_path: Path) -> None:
    script = """
      const contrast = (one, two) => { const light = c => { const [r, g, b] = c.match(/\\d+/g).map(v => v / 255)
        .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b };
        const [a, b] = [light(one), light(two)].sort((x, y) => y - x); return (a + .05) / (b + .05) };
      const paper = getComputedStyle(document.body).backgroundColor, low = new Set();
      document.querySelectorAll('p,dt,dd,th,td,li,a,h1,h2,h3,summary').forEach(node => {
        if (contrast(getComputedStyle(node).color, paper) < 4.5) low.add(node.tagName) });
      document.querySelectorAll('svg.chart text').forEach(node => {
        if (contrast(getComputedStyle(node).fill, paper) < 4.5) low.add(node.getAttribute('class')) });
      const named = [...document.querySelectorAll('svg[role=img]')].every(svg =>
        svg.getAttribute('aria-labelledby').split(' ').every(id => document.getElementById(id).textContent));
      document.title = [[...low].join(), named].join(';');
    """
    copy = without_policy(report, script, tmp_path / "copy.html")
    for dark in (False, True):
        assert title(chromium.visit(copy, tmp_path, dark=dark).tree) == ";true"
