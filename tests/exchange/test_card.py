"""The card says what the run knows, and nothing that it does not know."""

from __future__ import annotations

import copy
import io
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from osnowa.exchange import choose_family, model_card, notes_before_training
from small_models import publish_model, random_model, shrink, small_tokenizer

FACTS: dict[str, Any] = {
    "preset": "encoder-mini",
    "model": {
        "parameters": 11_767_042,
        "encoder_layers": 4,
        "d_model": 256,
        "position": "rotary",
        "max_positions": 512,
    },
    "corpus": {
        "documents": {
            "in": 1500,
            "train": 1200,
            "held_out": 30,
            "dropped": {"exact-duplicate": 200, "near-duplicate": 70, "too-short": 0},
        },
        "bytes": {"in": 9_000_000, "train": 8_000_000, "held_out": 200_000, "dropped": {}},
        "languages": {
            "pl": {"documents": 900, "bytes": 6_000_000},
            "en": {"documents": 300, "bytes": 2_000_000},
            "und": {"documents": 30, "bytes": 1000},
        },
    },
    "tokenizer": {
        "kind": "wordpiece",
        "vocab_size": 8192,
        "fertility": {"pl": {"tokens_per_word": 1.62, "unknown_share": 0.0012}, "en": {"tokens_per_word": 1.5}},
    },
    "training": {
        "steps": 2400,
        "tokens": 9_830_400,
        "seconds": 612.0,
        "batch_rows": 32,
        "optimiser": "muon",
        "learning_rate": 0.003,
        "schedule": "wsd",
        "epochs": 1.25,
    },
    "objective": {"mask_share": 0.3, "held_out_mask_share": 0.15},
    "rows": {"row_length": 128, "padded_tokens": 10, "dropped_tokens": 2},
    "result": {
        "token_loss": 4.9123,
        "token_accuracy": 0.2712,
        "next_sentence_accuracy": 0.541,
        "perplexity": 135.9,
        "bits_per_byte": 1.98,
    },
    "untrained": {"token_loss": 9.02, "token_accuracy": 0.0001, "next_sentence_accuracy": 0.49},
    "baselines": {"most_frequent_token": ",", "most_frequent_share": 0.071, "unigram_loss": 6.7},
    "machine": {"device": "cpu", "name": "A Processor", "threads": 2, "precision": "bf16"},
}


def split(card: str) -> tuple[dict[str, Any], str]:
    """Front matter and body."""
    _, matter, body = card.split("---\n", 2)
    return yaml.safe_load(matter), body


def without(*paths: str) -> dict[str, Any]:
    facts = copy.deepcopy(FACTS)
    for path in paths:
        *above, last = path.split(".")
        place = facts
        for key in above:
            place = place[key]
        del place[last]
    return facts


def test_the_front_matter_is_what_the_hub_reads() -> None:
    matter, _ = split(model_card(FACTS))
    assert matter == {
        "language": ["pl", "en"],
        "library_name": "transformers",
        "pipeline_tag": "fill-mask",
        "tags": ["osnowa", "encoder", "masked-language-modelling", "next-sentence-prediction"],
    }
    assert split(model_card({**FACTS, "license": "cc-by-4.0"}))[0]["license"] == "cc-by-4.0"


def test_norwegian_is_a_language_and_no_boolean() -> None:
    facts = copy.deepcopy(FACTS)
    facts["corpus"]["languages"] = {"no": {"documents": 5}}
    assert split(model_card(facts))[0]["language"] == ["no"]


@pytest.mark.parametrize(
    "sentence",
    [
        "# encoder-mini",
        "An encoder of 11,767,042 parameters, trained from random weights to guess hidden tokens, and to tell",
        "- 1,200 documents (8,000,000 bytes of text) to learn from.",
        "- 30 documents held out, chosen by their hash, to measure on.",
        "- 1,500 documents came in; left out of them: exact-duplicate 200, near-duplicate 70.",
        "- Languages by documents: pl 73%, en 24%.",
        "- wordpiece, 8,192 entries.",
        "- pl: 1.62 tokens for each word, 0.12% of the tokens unknown.",
        "- en: 1.50 tokens for each word.",
        "- layers: 4",
        "- positions: rotary",
        "- 2,400 steps over 9,830,400 tokens.",
        "- 10.2 minutes of training.",
        "- Optimiser: muon.",
        "- Learning rate: 0.003.",
        "- 30% of the tokens hidden.",
        "- 1.25 times over the text.",
        "- 32 rows of 128 tokens in a batch.",
        "On the held-out documents, 15% of their tokens hidden, the same in every measurement.",
        "- Machine: A Processor.",
        "| hidden tokens guessed right | 27.1% | 0.0% | 7.1% |",
        "| masked loss (nats for each token) | 4.912 | 9.020 | 6.700 |",
        "| bits for each byte | 1.980 | – | – |",
        "| next sentence told right | 54.1% | 49.0% | 50.0% |",
        'here always ","',
        "- It has read pl and en only.",
        "- Its next-sentence verdict is hardly better than chance.",
        "- Rows longer than 512 tokens have to be cut.",
        'model.next_sentence("...", "...")',
        "Natura [MASK] najpiękniejsze obrazy.",
    ],
)
def test_each_fact_stands_in_the_body(sentence: str) -> None:
    assert sentence in split(model_card(FACTS))[1]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("corpus.documents.held_out", "documents held out"),
        ("corpus.documents.dropped", "left out of them"),
        ("corpus.languages", "Languages by documents"),
        ("tokenizer.kind", "8,192 entries"),
        ("training.seconds", "minutes of training"),
        ("machine.name", "A Processor"),
        ("machine.precision", "Number format"),
        ("model.parameters", "parameters"),
        ("result.bits_per_byte", "bits for each byte"),
        ("result.next_sentence_accuracy", "next"),
        ("baselines.most_frequent_token", "always"),
        ("result", "## Results"),
        ("training", "steps"),
    ],
)
def test_a_missing_fact_leaves_its_sentence_out(path: str, sentence: str) -> None:
    assert sentence in model_card(FACTS)
    assert sentence not in model_card(without(path))


@pytest.mark.parametrize(
    "facts", [{}, {"result": None, "corpus": 3, "model": []}, without(*FACTS), without("corpus", "result")]
)
def test_the_card_is_whole_without_facts(facts: dict[str, Any]) -> None:
    card = model_card(facts)
    matter, body = split(card)
    assert matter["library_name"] == "transformers"
    assert "## Limits" in body
    assert "## Use" in body
    for word in ("None", "nan", "[More Information Needed]", "{}", "\n\n\n"):
        assert word not in body, word
    assert not re.search(r"## [A-Z]\w+\n\n+##", body), "a title with nothing below"


def test_numbers_that_are_none_are_left_out() -> None:
    facts = copy.deepcopy(FACTS)
    facts["result"] |= {"bits_per_byte": float("nan"), "token_loss": float("inf"), "perplexity": True}
    body = split(model_card(facts))[1]
    for words in ("| nan", "| inf", "bits for each byte", "masked loss", "pseudo-perplexity"):
        assert words not in body


def test_the_table_stands_alone_so_that_it_is_one() -> None:
    body = split(model_card(FACTS))[1]
    table = body[body.index("\n\n| | this model") : body.index("\n\nThe simplest guess")].strip().split("\n")
    assert len(table) == 7
    assert all(row.startswith("| ") and row.endswith(" |") and row.count("|") == 5 for row in table)


def test_a_model_that_learned_little_says_so() -> None:
    facts = copy.deepcopy(FACTS)
    assert "learned little" not in model_card(facts)
    facts["result"]["token_accuracy"] = 0.1
    assert "learned little" in model_card(facts)


def test_a_name_with_line_breaks_stays_on_its_line() -> None:
    facts = copy.deepcopy(FACTS)
    facts["machine"]["name"] = "A\n\n# Processor"
    assert "- Machine: A # Processor." in model_card(facts)


def test_what_the_card_says_about_transformers_runs(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    card = model_card({**FACTS, "folder": str(folder)})
    model = random_model(shrink("encoder-tiny", vocab_size=small_tokenizer().vocab_size), dtype=torch.float32)
    publish_model(folder, model, card=card)
    (snippet,) = re.findall(r"transformers:\n\n```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    *lines, last = snippet.strip().split("\n")
    with redirect_stdout(io.StringIO()) as out:
        exec("\n".join([*lines, f"print({last})"]), {})
    assert out.getvalue().count("'") == 10


@pytest.mark.parametrize(("preset", "own"), [("gpt3-tiny", True), ("gpt2-tiny", False)])
def test_a_model_that_transformers_can_not_load_says_so_and_why(preset: str, own: bool) -> None:
    config = shrink(preset)
    notes = [note.message for note in notes_before_training(config)]
    export = {"class": choose_family(config).class_name(config), "own_format": own, "notes": notes}
    assert bool(notes) is own
    matter, body = split(model_card({**FACTS, "model": config.model_dump(mode="json"), "export": export}))
    assert matter["library_name"] == ("osnowa" if own else "transformers")
    assert ("transformers can't load; the nearest, GPT2LMHeadModel, needs windows" in body) is own
    assert ("from_pretrained" in body) is not own
    assert "osnowa.load(" in body
