"""The built page belongs to its sources, keeps its size, and runs nothing that its policy does not name."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from explain_payloads import ASSETS

SOURCES = Path(__file__).resolve().parents[2] / "page"
LIMIT = 80_000


def digest() -> str:
    """SHA-256 of all sources, sorted by name: each name, a zero, the content, a zero."""
    found = [(f"src/{path.name}", path) for path in (SOURCES / "src").glob("*.js")]
    found += [(f"style/{path.name}", path) for path in (SOURCES / "style").glob("*.css")]
    made = hashlib.sha256()
    for name, path in sorted(found):
        made.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return made.hexdigest()


def unpacked(script: str) -> str:
    """What the packed script runs: gzip in 85 signs, five for four bytes."""
    signs, text = (json.loads(f'"{part}"') for part in re.search(r'const a="(.*?)",t="(.*?)"', script).groups())  # type: ignore[union-attr]
    size = int(re.search(r"b\.subarray\(0,(\d+)\)", script).group(1))  # type: ignore[union-attr]
    value = {sign: place for place, sign in enumerate(signs)}
    content = bytearray()
    for start in range(0, len(text), 5):
        number = 0
        for sign in text[start : start + 5]:
            number = number * 85 + value[sign]
        content += number.to_bytes(4, "big")
    return gzip.decompress(bytes(content[:size])).decode("utf-8")


@pytest.mark.parametrize("name", ["page.js", "page.css"])
def test_the_first_line_is_the_hash_of_the_sources(name: str) -> None:
    first = (ASSETS / name).read_text(encoding="utf-8").splitlines()[0]
    assert f"sha256 of the sources: {digest()}" in first, "run `make page`"


def test_script_and_style_keep_their_size() -> None:
    assert sum((ASSETS / name).stat().st_size for name in ("page.js", "page.css")) < LIMIT


def test_the_script_unpacks_what_its_first_line_names() -> None:
    script = (ASSETS / "page.js").read_text(encoding="utf-8")
    made = base64.b64encode(hashlib.sha256(unpacked(script).encode()).digest()).decode()
    assert script.splitlines()[0].endswith(f"unpacks: sha256-{made}")


def test_nothing_in_it_asks_the_network_or_makes_code_or_markup_from_text() -> None:
    script = unpacked((ASSETS / "page.js").read_text(encoding="utf-8"))
    for word in ("fetch(", "XMLHttpRequest", "WebSocket", "import(", "eval(", "Function(", "innerHTML", "outerHTML",
                 "insertAdjacentHTML", "document.write", "http://", "https://", "sendBeacon"):  # fmt: skip
        assert word not in script.replace("http://www.w3.org/2000/svg", ""), word
    assert "http" not in (ASSETS / "page.css").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["page.js", "page.css"])
def test_it_can_stand_inside_its_element(name: str) -> None:
    content = (ASSETS / name).read_text(encoding="utf-8")
    assert "</" not in content
    assert "<!--" not in content
    assert "\r" not in content
