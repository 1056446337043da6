"""What every test shares: no network, few threads, shapes checked, and a small text of our own."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # a look-up on the hub would wait 25 s and more before it fails
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two test processes share two cores; torch reads it, too
sys.path.insert(0, str(Path(__file__).parent))  # `texts`, whatever way pytest imports the tests

import shape_checks
import texts

# Signatures with shapes are checked in every test, and only here: the check costs 18 us a call and breaks torch.compile.
shape_checks.install("osnowa.model", "osnowa.objective", "osnowa.data")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: needs Chromium (Debian package chromium)")
    config.addinivalue_line(
        "markers", "budget: how long a page may take; `make tests` runs these alone, after the others"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent / "browser"):
            item.add_marker(pytest.mark.browser)


def pytest_collection_finish() -> None:
    gc.freeze()  # what the imports made need not be looked through again and again: 6 % of the time of tests/model


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    """About 150 different sentences, half of them Polish, half English."""
    return list(texts.SENTENCES)


@pytest.fixture(scope="session")
def documents() -> list[str]:
    """The same as documents of six sentences."""
    return texts.documents()


@pytest.fixture
def text_folder(tmp_path: Path, documents: list[str]) -> Path:
    """The same as a folder of text files, one for each document."""
    folder = tmp_path / "teksty"
    folder.mkdir()
    for index, text in enumerate(documents):
        (folder / f"{index:02d}.txt").write_text(text + "\n", encoding="utf-8")
    return folder
