"""The small pictures of all heads: a click chooses the head, and the number on its tag says where it is from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import chromium
import explain_payloads as payloads
from devtools import Page, browser

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("browser")
    record, made = payloads.encoder()
    heads = made["sides"]["enc"]["heads"]
    tags = [[{"tag": "previous", "value": 0.61} for _ in range(heads)], [{"tag": None, "value": 0.2}] * heads]
    path = folder / "page.html"
    path.write_text(
        payloads.document(*payloads.pack(record, {**made, "analysis": {"tags": {"enc": tags}}})), encoding="utf-8"
    )
    with browser(folder) as opened:
        opened.size(1280, 900)
        opened.open(path)
        yield opened


def test_a_picture_chooses_its_head(page: Page) -> None:
    page.ask("document.querySelector('#heads .thumb[data-r=\"1,1\"]').click()")
    page.wait("document.querySelector('#heads .thumb[data-r=\"1,1\"]').getAttribute('aria-current') === 'true'")
    assert page.complaints == []


def test_the_number_of_a_tag_says_where_it_is_from_and_a_head_without_one_has_none(page: Page) -> None:
    assert page.ask("document.querySelectorAll('#heads .headed .n').length") == page.ask(
        "document.querySelectorAll('#heads .thumb[data-r^=\"0,\"]').length"
    )
    assert "0.61" in page.ask("document.querySelector('#heads .headed .n').textContent")
    page.ask("document.querySelector('#heads .headed .n').click()")
    assert page.ask("document.querySelector('.equation').hidden") is False
    assert len(page.ask("document.querySelector('.equation').textContent")) > 40
    page.press("Escape")
    assert page.complaints == []
