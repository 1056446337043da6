"""A browser for the tests of a file, and the pages of one model of each topology."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools import Page, browser
from explain_in_browser import MAKERS, WIDE, write


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as made:
        made.size(WIDE, 900)
        yield made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    return {name: write(folder / f"{name}.html", *maker()) for name, maker in MAKERS.items()}
