"""A JSON file with its own hash: what was written is read, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from osnowa import files
from osnowa.errors import DamagedError

BODY = {"plan": {"steps": 6, "basis": "minutes"}, "text": ["zażółć.txt"], "loss": 5.25, "none": None}


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    path = tmp_path / "run.json"
    files.write_sealed(path, BODY)
    return path


def test_what_was_sealed_is_read_and_stays_plain_json(sealed: Path) -> None:
    assert files.read_sealed(sealed, "begin anew") == BODY
    assert json.loads(sealed.read_text(encoding="utf-8"))["plan"] == BODY["plan"]
    assert list(sealed.parent.iterdir()) == [sealed]


def test_every_flipped_bit_is_seen(sealed: Path) -> None:
    whole = sealed.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            data = bytearray(whole)
            data[place] ^= 1 << bit
            sealed.write_bytes(data)
            with pytest.raises(DamagedError, match=r"run\.json: is damaged or was altered .*; begin anew"):
                files.read_sealed(sealed, "begin anew")


def test_every_lost_end_is_seen(sealed: Path) -> None:
    whole = sealed.read_bytes()
    for size in range(len(whole)):
        sealed.write_bytes(whole[:size])
        with pytest.raises(DamagedError, match="is damaged"):
            files.read_sealed(sealed, "begin anew")


@pytest.mark.parametrize("content", ["[1, 2]", "null", '{"plan": {}}', '{"own": 3}', "[" * 100_000])
def test_other_json_is_damage_and_never_a_traceback(sealed: Path, content: str) -> None:
    sealed.write_text(content, encoding="utf-8")
    with pytest.raises(DamagedError, match="is damaged"):
        files.read_sealed(sealed, "begin anew")


def test_a_file_that_is_gone_is_damage_too(sealed: Path) -> None:
    sealed.unlink()
    with pytest.raises(DamagedError, match=r"run\.json: is missing; begin anew"):
        files.read_sealed(sealed, "begin anew")
