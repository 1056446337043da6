"""Large traces: the file stays small, and attention of long texts is never held whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from reading_back import read_page, steps_of, tensors_of

import texts
from osnowa.explain import page
from osnowa.explain.check import check
from osnowa.explain.forward import MOST_SCORES
from osnowa.explain.trace import Trace, trace
from osnowa.model import ModelConfig, Transformer
from osnowa.runs.presets import resolve
from small_models import small_tokenizer


@pytest.fixture(autouse=True)
def assets(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much script and style as a page may have, and no passes without heads: they are measured in work, not here."""
    monkeypatch.setattr(page, "asset", {"page.js": "x" * 60_000, "page.css": "y" * 20_000}.__getitem__)
    monkeypatch.setattr("osnowa.explain.analysis.MOST_WORK", 0.0)


def look(tokens: int, **changes: object) -> Trace:
    """A trace of about `tokens` tokens through the published size of an encoder, as `changes` make it smaller."""
    config = ModelConfig.read("model", {**resolve("bert-base").sections["model"], **changes})
    torch.manual_seed(0)
    model = Transformer(config).eval()  # as torch fills it: 85 million numbers of our own kind take seconds
    tokenizer, text = small_tokenizer(), "Natura [MASK]"
    for word in " ".join(texts.SENTENCES).split() * 2:
        if len(tokenizer.encode_prompt(f"{text} {word}")) + 2 > tokens:
            break
        text += f" {word}"
    return trace(model, tokenizer, text)


def test_sixteen_tokens_of_the_published_size_take_less_than_fifteen_megabytes(tmp_path: Path) -> None:
    made = look(16, vocab_size=30522)
    out = made.save(tmp_path / "page.html")
    assert out.stat().st_size < 12e6
    assert made.proof.bad == []
    index, blob = read_page(out.read_text(encoding="utf-8"))
    assert index["pictures"] == {}, "so few tokens have all their attention as numbers"
    assert check(steps_of(index), tensors_of(index, blob)).bad == 0
    larger = made.save(tmp_path / "larger.html", max_mb=15)
    assert out.stat().st_size <= larger.stat().st_size < 15e6


def test_512_tokens_in_12_layers_of_12_heads_take_less_than_25_megabytes(tmp_path: Path) -> None:
    made = look(512, vocab_size=2000, d_model=192, d_ff=384)
    length = len(made.sides["enc"]["tokens"])
    assert length > 500
    focus = made.forward.question.focus("enc")
    scores = [held for held in made.forward.tensors.values() if held.axes == ("head", "query", "key")]
    assert 12 * 12 * length * length * 4 > MOST_SCORES
    assert all(held.array.shape == (12, len(focus), length) for held in scores), "only rows in focus are held"
    assert sum(array.nbytes for array in made.tensors.values()) < 300e6
    assert made.proof.bad == []
    for megabytes in (25, 12):
        out = made.save(tmp_path / f"{megabytes}.html", max_mb=megabytes)
        assert out.stat().st_size < megabytes * 1e6
        index, blob = read_page(out.read_text(encoding="utf-8"))
        tensors = tensors_of(index, blob)
        found = check(steps_of(index), tensors)
        assert found.bad == 0
        assert found.by_name["enc.11.attn.weights"] == 12 * len(index["focus"]["enc"]) * length
        assert index["written"]["checked"] > found.checked
        picture = index["pictures"]["enc.11.attn.weights"]
        assert 64 <= picture["shape"][1] <= length
        assert len(index["pictures"]) == 12
    row = tensors["enc.3.attn.weights"].array[5, 0]
    assert np.abs(row.sum() - 1) < 1e-5
