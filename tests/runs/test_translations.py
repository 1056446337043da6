"""BLEU and chrF of held-out pairs: which pairs are scored, against what, and what a copy of the source gets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sacrebleu

import osnowa
from osnowa.data import TokenSplit, TokenStore
from osnowa.generate import GenerateResult, GenerationConfig
from osnowa.model import Transformer
from osnowa.objective import ObjectiveConfig, Target, build_objective
from osnowa.objective.config import Topology
from osnowa.runs import translations
from osnowa.runs.rows import vocabulary_of
from osnowa.runs.translations import MOST_PAIRS, held_out_pairs, score_pairs
from osnowa.tokenizer import Tokenizer
from talking import talker
from texts import SENTENCES

# Sources of many lengths, so that sorting them by length changes their order.
PAIRS = [
    (" ".join([f"{i}", *SENTENCES[i].split()[: 1 + i * 5 % 7]]), " ".join(SENTENCES[i + 1].split()[:6]))
    for i in range(0, 60, 2)
]


def split_of(pairs: Sequence[tuple[str, str]], tokenizer: Tokenizer) -> TokenSplit:
    """A split whose documents are pairs: two sentences each."""
    sides = [tokenizer.encode(side) for pair in pairs for side in pair]
    borders = np.concatenate(([0], np.cumsum([len(side) for side in sides])))
    tokens = np.concatenate([np.array(side, dtype=np.uint16) for side in sides])
    return TokenSplit(tokens, borders, np.arange(0, len(sides) + 1, 2), len(tokens))


def translating(topology: Topology = "encoder-decoder", row_length: int = 64) -> tuple[Transformer, Tokenizer, Target]:
    model, tokenizer = talker(topology)
    config = ObjectiveConfig.read("objective", {"name": "translation"})
    made = build_objective(config, vocabulary_of(tokenizer), seed=3, topology=topology, row_length=row_length)
    assert isinstance(made, Target)
    return model, tokenizer, made


def listen(monkeypatch: pytest.MonkeyPatch, answers: dict[tuple[int, ...], str]) -> list[tuple[list[Any], bool]]:
    """In the place of the model: each framed source has its answer. What was asked is kept."""
    asked: list[tuple[list[Any], bool]] = []

    def answer(
        _model: Transformer, _tokenizer: Tokenizer, prompts: list[list[int]], config: GenerationConfig, *, prefix: bool
    ) -> list[GenerateResult]:
        assert config.temperature == 0
        asked.append((prompts, prefix))
        return [GenerateResult(answers[tuple(prompt)], [], "end") for prompt in prompts]

    monkeypatch.setattr(translations, "generate", answer)
    return asked


@pytest.mark.parametrize("topology", ["encoder-decoder", "decoder"])
def test_each_answer_is_held_against_the_truth_of_its_own_source(
    topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokenizer, objective = translating(topology)
    split = split_of(PAIRS, tokenizer)
    last = [tokenizer.cls] if topology == "decoder" else []
    framed = [(*tokenizer.encode(source), tokenizer.sep, *last) for source, _ in PAIRS]
    asked = listen(monkeypatch, {ids: f" {target} " for ids, (_, target) in zip(framed, PAIRS, strict=True)})
    scores = score_pairs(model, tokenizer, objective, split, batch=7)
    assert scores is not None
    assert (scores.bleu, scores.chrf, scores.num_pairs) == (pytest.approx(100), pytest.approx(100), 30)
    assert [len(prompts) for prompts, _ in asked] == [7, 7, 7, 7, 2]
    assert {prefix for _, prefix in asked} == {topology == "decoder"}
    sources, targets = [source for source, _ in PAIRS], [target for _, target in PAIRS]
    assert scores.copied_bleu == pytest.approx(sacrebleu.BLEU().corpus_score(sources, [targets]).score)
    assert scores.copied_chrf == pytest.approx(sacrebleu.CHRF().corpus_score(sources, [targets]).score)
    assert scores.copied_chrf < 60
    assert "tok:13a" in scores.signature


def test_an_answer_of_another_pair_costs_points(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer, objective = translating()
    framed = [(*tokenizer.encode(source), tokenizer.sep) for source, _ in PAIRS]
    said = [target for _, target in PAIRS]
    said[3], said[4] = said[4], "nothing of the kind"
    listen(monkeypatch, dict(zip(framed, said, strict=True)))
    scores = score_pairs(model, tokenizer, objective, split_of(PAIRS, tokenizer))
    assert scores is not None
    truths = [[target for _, target in PAIRS]]
    assert scores.bleu == pytest.approx(sacrebleu.BLEU().corpus_score(said, truths).score)
    assert scores.chrf == pytest.approx(sacrebleu.CHRF().corpus_score(said, truths).score)
    assert scores.bleu < 97


def test_scored_pairs_are_spread_over_the_whole_split() -> None:
    _, tokenizer, objective = translating()
    many = [(f"{number}", SENTENCES[number % 100]) for number in range(2 * MOST_PAIRS + 1)]
    found = [tokenizer.decode(source[:-1]) for source, _ in held_out_pairs(objective, split_of(many, tokenizer))]
    assert found == [f"{number}" for number in range(0, 2 * MOST_PAIRS + 1, 3)]
    few = held_out_pairs(objective, split_of(many[:5], tokenizer))
    assert [tokenizer.decode(target[:-1]) for _, target in few] == SENTENCES[:5]
    assert all(source[-1] == target[-1] == tokenizer.sep for source, target in few)


def test_a_pair_that_no_row_holds_is_not_scored_and_no_pair_gives_no_score() -> None:
    model, tokenizer, objective = translating(row_length=8)
    long = (SENTENCES[0] * 3, "tak")
    split = split_of([("nie", "tak"), long, long[::-1]], tokenizer)
    assert [tokenizer.decode(source[:-1]) for source, _ in held_out_pairs(objective, split)] == ["nie"]
    assert score_pairs(model, tokenizer, objective, split_of([long], tokenizer)) is None


def test_a_run_on_pairs_tells_the_scores_of_what_its_own_model_says(tmp_path: Path) -> None:
    lines = [json.dumps({"en": f"number {n} is here", "pl": f"oto numer {n} tutaj"}) for n in range(80)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines), encoding="utf-8")
    run = osnowa.pretrain(
        tmp_path / "pairs.jsonl",
        tmp_path / "run",
        preset="llama-tiny",
        objective="translation",
        source_column="en",
        target_column="pl",
        steps=60,
        settings={
            "tokenizer": {"vocab_size": 300},
            "data": {"row_length": 48},
            "corpus": {"held_out": 0.15},
            "model": {"d_model": 32, "d_ff": 64, "num_heads": 2, "decoder_layers": 2},
            "training": {"batch_rows": 8, "evaluations": 2, "held_out_rows": 8, "learning_rate": 1e-2},
        },
    )
    result = run.facts["result"]
    model = osnowa.load(tmp_path / "run")
    split = TokenStore.open(tmp_path / "run" / "data").held_out
    truths, said = [], []
    for first in range(0, len(split.sentences) - 1, 2):
        a, b, c = (int(each) for each in split.sentences[first : first + 3])
        source, target = (model.tokenizer.decode(split.tokens[i:j].tolist()) for i, j in ((a, b), (b, c)))
        truths.append(target.strip())
        said.append(model.generate(source, max_tokens=60, temperature=0).text.strip())
    assert result["scored_pairs"] == len(truths)
    assert result["chrf"] == pytest.approx(sacrebleu.CHRF().corpus_score(said, [truths]).score, abs=0.01)
    assert result["bleu"] == pytest.approx(sacrebleu.BLEU().corpus_score(said, [truths]).score, abs=0.01)
    assert result["chrf"] > 20  # in 60 steps it has learned the frame of every target
