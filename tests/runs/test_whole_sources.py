"""A decoder that learned a target for a source is asked as it was trained, and its folder says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import texts
from osnowa.exchange import write_folder
from osnowa.files import publish, read_json
from osnowa.model import Layout
from osnowa.runs.exchange_folders import export_model
from osnowa.runs.model import load
from osnowa.tokenizer import TokenizerConfig, train
from small_models import random_model, shrink


@pytest.mark.parametrize("whole", [True, False])
def test_the_source_is_seen_whole_exactly_when_the_folder_says_so(whole: bool, tmp_path: Path) -> None:
    config = TokenizerConfig(kind="bpe", vocab_size=400, specials="angles", frame="prompt")
    tokenizer = train(texts.documents(), config)
    model = random_model(shrink("llama-tiny", vocab_size=tokenizer.vocab_size, max_positions=64), dtype=torch.float32)
    weights = {name: each.detach() for name, each in model.named_parameters()}
    with publish(tmp_path / "model", {"kind": "model"}) as work:
        write_folder(work, model.config, weights, tokenizer, card="A card.\n", source_whole=whole)
    assert ("osnowa_source_whole" in read_json(tmp_path / "model" / "config.json")) == whole
    export_model(tmp_path / "model", "huggingface", tmp_path / "again")
    text = "Zażółć gęślą"
    ids = tokenizer.encode(text)
    prompt = [*ids, tokenizer.sep, tokenizer.cls] if whole else [tokenizer.cls, *ids]
    expected: list[int] = []
    while len(expected) < 12:
        tokens = torch.tensor([[*prompt, *expected]])
        seen = whole & (torch.arange(tokens.size(1)) < len(prompt))[None]
        layout = Layout.plain(tokens)
        with torch.no_grad():
            hidden = model.decode(tokens, Layout(layout.positions, layout.document_ids, seen))
            logits = model.head(hidden[:, -1])[0]
        logits[[tokenizer.pad, tokenizer.cls, tokenizer.mask, tokenizer.sep]] = -torch.inf
        expected.append(int(logits.argmax()))
    for folder in ("model", "again"):
        found = load(tmp_path / folder).generate(text, max_tokens=12, temperature=0.0)
        assert found.tokens == expected[: len(found.tokens)]
        assert len(found.tokens) >= 6
