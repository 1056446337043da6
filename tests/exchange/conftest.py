"""Folders of somebody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from foreign_folder import Foreign


@pytest.fixture
def bert(tmp_path: Path) -> Foreign:
    return Foreign(tmp_path / "bert", "bert-tiny")


@pytest.fixture
def encoder(tmp_path: Path) -> Foreign:
    return Foreign(tmp_path / "encoder", "encoder-tiny")
