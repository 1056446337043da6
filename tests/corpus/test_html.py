"""HTML pages: text as paragraphs, without what is no text."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from reading import read, read_text

from osnowa.corpus.html import read_page
from osnowa.errors import DataError

PAGE = """<!DOCTYPE html><html><head><title>Strona</title><style>p {}</style><script>var x = "<p>";</script></head>
<body><nav><ul><li>Menu</li></ul></nav><h1>Nagłówek</h1>
<p>Pierwszy <b>akapit</b>, z&nbsp;encją &quot;tak&quot;
i   drugim wierszem.<p>Niezamknięty<br>akapit
<div>Tekst w bloku<ul><li>jeden</li><li>dwa <a href="x">z odnośnikiem</a></li></ul>reszta bloku</div>
<table><tr><th>A</th><td>B</td></tr></table><pre>kod
   wcięty</pre><template>nic</template><noscript>nic</noscript><!-- nic --></body></html>"""


def test_blocks_are_paragraphs_and_what_is_no_text_is_left_out() -> None:
    assert read_page(PAGE).split("\n\n") == [
        "Nagłówek", "Pierwszy akapit, z\u00a0encją \"tak\" i drugim wierszem.", "Niezamknięty\nakapit", "Tekst w bloku",
        "jeden", "dwa z odnośnikiem", "reszta bloku", "A B", "kod\n   wcięty",
    ]  # fmt: skip


def test_a_page_is_a_document_and_may_be_cut_into_paragraphs(tmp_path: Path) -> None:
    outcome = read_text(tmp_path, PAGE, "a.html")
    assert len(outcome.texts) == 1
    assert outcome.surveys[0].because == "a page is one document"
    assert read(tmp_path / "a.html", document="block").texts == read_page(PAGE).split("\n\n")


def test_a_page_without_text_is_counted(tmp_path: Path) -> None:
    assert read_text(tmp_path, "<html><script>x</script></html>", "a.html").texts == [""]


def test_text_that_is_no_html_is_its_own_text() -> None:
    assert read_page("Zwykły tekst.") == "Zwykły tekst."
    assert read_page("") == ""
    assert read_page("<p>a\x00b</p>") == "ab"


@pytest.mark.parametrize(
    "head",
    ['<meta charset="iso-8859-2">', '<meta http-equiv="Content-Type" content="text/html; charset=ISO-8859-2">'],
)
def test_the_encoding_that_a_page_names_is_used_when_it_is_not_utf8(tmp_path: Path, head: str) -> None:
    page = f"<html><head>{head}</head><body><p>Köln, Ždár, Győr, żółw</p></body></html>"
    outcome = read_text(tmp_path, page.encode("iso8859-2"), "a.html")
    assert outcome.texts == ["Köln, Ždár, Győr, żółw"]
    assert "read as iso8859-2, as the page says" in outcome.notes
    assert read_text(tmp_path, page.encode(), "a.html").texts == outcome.texts


def test_latin1_of_the_web_is_cp1252(tmp_path: Path) -> None:
    page = "<meta charset=latin1><p>“Café” – naïve</p>".encode("cp1252")
    assert read_text(tmp_path, page, "a.html").texts == ["“Café” – naïve"]


@pytest.mark.parametrize("tag", ["<div>", "<b>", "<x-y/>", "<svg><div/>", "<svg><div/><path/>"])
def test_deep_nesting_is_refused_in_little_time(tmp_path: Path, tag: str) -> None:
    before = time.monotonic()
    with pytest.raises(DataError, match="nests more than 5,000 elements"):
        read_text(tmp_path, tag * 100_000 + "x", "a.html")
    assert time.monotonic() - before < 20  # the parser alone needs minutes


def test_a_drawing_of_many_shapes_is_no_nesting() -> None:
    assert read_page("<p>a</p><svg>" + "<path d='M 0 0'/>" * 20_000 + "</svg><p>b</p>") == "a\n\nb"


def test_tags_without_end_take_linear_time() -> None:
    before = time.monotonic()
    read_page("<p>" + "<a " * 300_000)
    assert time.monotonic() - before < 20


def test_many_unclosed_paragraphs_are_no_nesting() -> None:
    assert read_page("<p>akapit" * 20_000).count("akapit") == 20_000
    assert read_page("<ul>" + "<li>punkt" * 20_000).count("punkt") == 20_000


def test_a_page_too_large_for_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osnowa.corpus.html.LARGEST_PAGE", 1000)
    with pytest.raises(DataError, match=r"a\.html: is a page of more than 1,000 bytes; split it"):
        read_text(tmp_path, "<p>tekst</p>" * 1000, "a.html")
