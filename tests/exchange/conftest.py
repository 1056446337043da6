"""Folders of somebody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from foreign_folder import Foreign, ForeignPairs


@pytest.fixture
def bert(tmp_path: Path) -> Foreign:
    return Foreign(tmp_path / "bert", "bert-tiny")


@pytest.fixture
def encoder(tmp_path: Path) -> Foreign:
    return Foreign(tmp_path / "encoder", "encoder-tiny")


@pytest.fixture
def bart(tmp_path: Path) -> ForeignPairs:
    return ForeignPairs(tmp_path / "bart", "bart-base")


@pytest.fixture
def t5(tmp_path: Path) -> ForeignPairs:
    return ForeignPairs(tmp_path / "t5", "t5-small")


@pytest.fixture
def gated(tmp_path: Path) -> ForeignPairs:
    return ForeignPairs(tmp_path / "gated", "t5-v1.1-small")


@pytest.fixture
def marian(tmp_path: Path) -> ForeignPairs:
    return ForeignPairs(tmp_path / "marian", "transformer-base")


@pytest.fixture
def roberta(tmp_path: Path) -> Foreign:
    return Foreign(tmp_path / "roberta", "roberta-tiny")
