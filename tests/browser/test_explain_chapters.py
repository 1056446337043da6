"""The chapters that only some explain pages have: the seed's example, a training step, how the model learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chromium
import explain_payloads as payloads
from devtools import Page
from explain_in_browser import WIDE, checked, ids, opened, shown_wrong, write

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed")


def chapters(record: payloads.Record, made: Any) -> None:
    """A seed's table, a training step and a history beside the trace, small and made up."""
    record.part = "step"
    logits = record.given("step.logits", np.array([[1.0, 2.0, 0.5], [0.0, 0.5, 3.0]]), "seq vocab")
    p = record.step("softmax", "step.p", [logits], payloads.softmax(record[logits]), "seq vocab")
    nll = record.step("nll", "step.nll", [p], -np.log(record[p][[0, 1], [1, 2]]), "seq", labels=[1, 2])
    record.step("mean", "step.loss", [nll], np.array([record[nll].mean()]), "one")
    asked = [
        {"place": i, "id": 3, "token": "[MASK]", "label": i + 1, "label_token": f"słowo{i}", "kind": "mask"}
        for i in (0, 1)
    ]
    moved = {
        "name": "embedding.token.weight",
        "size": 640,
        "norm": 0.5,
        "grew": 0.01,
        "weight_norm": 4.0,
        "relative": 0.0025,
    }
    made["step"] = {
        "side": "enc", "plan": asked, "counts": {"tokens": 13, "chosen": 2, "mask": 2, "random": 0, "same": 0}, "p": "step.p",
        "nll": "step.nll", "loss": "step.loss", "parts": [{"name": "masked", "loss": 0.3, "weight": 1.0}], "gradients": [moved],
        "after": [{"place": 0, "token": "słowo0", "p_before": 0.6, "p_after": 0.7}], "rate": 1e-3, "optimiser": "adamw",
        "clip": {"norm": 2.0, "limit": 1.0, "factor": 0.5},
    }  # fmt: skip
    record.given("history.plane", np.array([[[0.0, 0.0], [1.0, 1.0]], [[2.0, 0.5], [1.5, 3.0]]]), "snapshot probe xy")
    near = [{"id": 1, "token": "las", "cosine": 0.25}]
    made["history"] = {
        "steps": [0, 10], "loss": {"step": [1, 10], "train": [4.0, 2.0], "held_out_step": [0, 10], "held_out": [4.5, 2.5]},
        "probes": {"tokens": [{"id": 1, "token": "las"}, {"id": 2, "token": "dom"}], "plane": "history.plane", "all": None,
                   "explained": [0.5, 0.25], "neighbours": [[near, near], [near, near]]},
        "sentences": [{"text": "Natura [MASK].", "answer": "żyje", "answers": [{"top": [{"token": "a", "p": 0.1}]}, {"text": "b"}],
                       "attention": None, "tokens": ["Natura"]}],
    }  # fmt: skip
    token = record.given("seed.token", np.array([[0.12, -0.87, 0.45, 0.33]]), "row dim")
    place = record.given("seed.position", np.array([[0.01, 0.02, 0.03, 0.04]]), "row dim")
    record.add("seed.sum", token, place, axes="row dim")
    x = record.given("seed.logits", np.array([2.5, -1.0, 0.5, -0.2, 1.8]), "word")
    record.step("softmax", "seed.p", [x], payloads.softmax(record[x]), "word")
    made["seed"] = {
        "tables": [{"key": "first", "rows": [{"position": 0, "token": "Natura", "id": 201, "segment": None}], "token": token,
                    "position": place, "segment": None, "sum": "seed.sum", "printed": [["0.13", "-0.85", "0.48", "0.37"]]}],
        "softmax": {"logits": [2.5, -1.0, 0.5, -0.2, 1.8], "labels": ["stwarza", "opona", "piękny", "dom", "las"],
                    "text_says": ["0.607", "0.018", "0.082", "0.041", "0.301"], "p": "seed.p", "why": {"pl": "bo", "en": "for"}},
        "division": {"d_model": 768, "heads": 8, "d_head": 96}, "remarks": [{"key": "sqrt", "pl": "pierwiastek", "en": "root"}],
    }  # fmt: skip


def test_seed_training_step_and_history_have_their_sections(page: Page, tmp_path: Path) -> None:
    record, made = payloads.encoder()
    chapters(record, made)
    opened(page, write(tmp_path / "chapters.html", record, made))
    assert {"seed", "training", "learned"} <= set(ids(page))
    assert page.ask("document.querySelectorAll('.failed').length") == 0
    assert checked(page)["bad"] == 0
    seed = page.ask("document.getElementById('seed').innerText")
    assert "[0.13, -0.85, 0.48, 0.37]" in seed
    assert "Zgodnych liczb: 4 z 4." in seed
    assert all(right in seed for right in ("0.578", "0.017", "0.078", "0.039", "0.287"))
    assert shown_wrong(page) == []
    step = page.ask("document.getElementById('training').innerText")
    assert f"{record['step.loss'][0]:.4f}" in step
    page.ask(
        "(k => { k.value = 0; k.dispatchEvent(new Event('input')); })(document.querySelector('[data-key=snapshot]'))"
    )
    assert "krok 0" in page.ask("document.getElementById('learned').innerText")
    assert page.complaints == []


def test_nothing_plays_by_itself_under_reduced_motion_and_controls_stay_off_paper(page: Page, tmp_path: Path) -> None:
    record, made = payloads.encoder()
    chapters(record, made)
    target = write(tmp_path / "chapters.html", record, made)
    buttons = "[...document.querySelectorAll('#learned button')].map(one => one.textContent)"
    assert "Odtwórz" in opened(page, target).ask(buttons)
    shown = "getComputedStyle(document.querySelector('.top')).display"
    assert page.ask(shown) != "none"
    try:
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
        assert "Odtwórz" not in opened(page, target).ask(buttons)
        page.call("Emulation.setEmulatedMedia", media="print")
        assert page.ask(shown) == "none"
        assert page.ask("document.getElementById('matrix').innerText.length") > 500
    finally:
        page.call("Emulation.setEmulatedMedia", media="")
        page.size(WIDE, 900)
