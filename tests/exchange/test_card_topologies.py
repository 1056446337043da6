"""The card of a decoder or an encoder-decoder says what it is, what was asked, and how it is used."""

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

from osnowa.exchange import model_card
from osnowa.tokenizer import TokenizerConfig, train
from small_models import publish_model, random_model, shrink
from texts import documents

RESULT = {"token_loss": 3.1, "token_accuracy": 0.4, "perplexity": 22.2, "bits_per_byte": 1.1}
DECODER: dict[str, Any] = {
    "preset": "gpt2-mini",
    "model": {"parameters": 4_000_000, "topology": "decoder", "encoder_layers": 0, "decoder_layers": 4},
    "objective": {"name": "next-token", "question": "next", "mask_share": 0.15},
    "tokenizer": {"kind": "bpe", "mask_token": "<mask>"},
    "export": {"class": "GPT2LMHeadModel", "own_format": False, "notes": []},
    "corpus": {"languages": {"pl": {"documents": 9}}},
    "result": RESULT,
    "training": {"steps": 3},
}
BOTH: dict[str, Any] = {
    **DECODER,
    "preset": "t5-mini",
    "model": {"parameters": 5_000_000, "topology": "encoder-decoder", "encoder_layers": 4, "decoder_layers": 3},
    "objective": {"name": "span-corruption", "question": "target", "mask_share": 0.15},
    "export": {"class": "T5ForConditionalGeneration", "own_format": False, "notes": []},
}


def split(card: str) -> tuple[dict[str, Any], str]:
    _, matter, body = card.split("---\n", 2)
    return yaml.safe_load(matter), body


def with_objective(facts: dict[str, Any], name: str) -> dict[str, Any]:
    return {**facts, "objective": {**facts["objective"], "name": name}}


@pytest.mark.parametrize(
    ("facts", "pipeline", "tags"),
    [
        (DECODER, "text-generation", ["osnowa", "decoder", "causal-language-modelling"]),
        (BOTH, "text2text-generation", ["osnowa", "encoder-decoder", "sequence-to-sequence", "span-corruption"]),
        (
            with_objective(BOTH, "translation"),
            "translation",
            ["osnowa", "encoder-decoder", "sequence-to-sequence", "translation"],
        ),
    ],
)
def test_the_hub_reads_what_it_is(facts: dict[str, Any], pipeline: str, tags: list[str]) -> None:
    matter, _ = split(model_card(facts))
    assert (matter["library_name"], matter["pipeline_tag"], matter["tags"]) == ("transformers", pipeline, tags)


@pytest.mark.parametrize(
    ("facts", "sentences"),
    [
        (
            DECODER,
            [
                "A decoder of 4,000,000 parameters, trained from random weights to say how a text goes on",
                "- layers: 4",
                "- class of Hugging Face transformers: GPT2LMHeadModel",
                "- Objective: next-token.",
                "| next tokens guessed right | 40.0% |",
                "| next-token loss (nats for each token) | 3.100 |",
                "| perplexity | 22.2 |",
                "compare with those of other left-to-right models",
                'osnowa generate RUN/model "Natura stwarza"',
                'model.generate("Natura stwarza")',
                "from transformers import AutoModelForCausalLM, AutoTokenizer",
            ],
        ),
        (
            BOTH,
            [
                "An encoder-decoder of 5,000,000 parameters, trained from random weights to tell the spans that are missing",
                "- layers of the encoder: 4",
                "- layers of the decoder: 3",
                "- 15% of the tokens hidden.",
                "| target tokens guessed right | 40.0% |",
                "| perplexity of targets | 22.2 |",
                "figures compare with the same objective",
                'model.generate("Natura <extra_id_0> najpiękniejsze obrazy.")',
                "from transformers import AutoModelForSeq2SeqLM, AutoTokenizer",
            ],
        ),
    ],
)
def test_the_body_says_what_it_is(facts: dict[str, Any], sentences: list[str]) -> None:
    body = split(model_card(facts))[1]
    for sentence in sentences:
        assert sentence in body


def test_nothing_is_called_hidden_where_nothing_was() -> None:
    body = split(model_card(DECODER))[1]
    for word in ("hidden", "masked", "pseudo", "MASK", "Masked", "sentence pair", "layers: 0"):
        assert word not in body, word


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("infilling", "Natura <mask> najpiękniejsze obrazy."),
        ("ul2", "[NLU] Natura <extra_id_0> najpiękniejsze obrazy."),
        ("prefix-lm", "Natura stwarza"),
        ("translation", "Natura stwarza najpiękniejsze obrazy."),
    ],
)
def test_the_prompt_is_one_that_the_objective_has_shown(name: str, prompt: str) -> None:
    assert f'model.generate("{prompt}")' in model_card(with_objective(BOTH, name))


def test_an_encoder_s_prompt_has_its_own_mask() -> None:
    facts = {"model": {"encoder_layers": 2}, "objective": {"name": "masked"}, "tokenizer": {"mask_token": "<mask>"}}
    assert 'model.fill("The capital of France is <mask>.", top_k=5)' in model_card(facts)


def test_our_own_format_is_not_offered_to_transformers() -> None:
    facts = copy.deepcopy(DECODER)
    facts["export"] = {"class": "osnowa.model.Transformer", "own_format": True, "notes": ["no class has this shape"]}
    matter, body = split(model_card(facts))
    assert matter["library_name"] == "osnowa"
    assert "The folder is in osnowa's own format" in body
    assert "- No class has this shape." in body
    assert "from transformers" not in body
    assert "class of Hugging Face transformers:" not in body


def test_a_decoder_that_saw_its_source_whole_says_what_transformers_does_not() -> None:
    body = split(model_card(with_objective(DECODER, "prefix-lm")))[1]
    assert "saw its whole source from both sides" in body
    assert "from transformers" not in body


def test_sentence_order_is_called_so() -> None:
    facts = {"objective": {"name": "sentence-order"}, "result": {**RESULT, "next_sentence_accuracy": 0.51}}
    matter, body = split(model_card(facts))
    assert "sentence-order-prediction" in matter["tags"]
    assert "| sentence order told right | 51.0% | – | 50.0% |" in body
    assert "Its sentence-order verdict is hardly better than chance" in body


def test_scores_of_pairs_stand_beside_a_copy_of_the_source() -> None:
    facts = with_objective(BOTH, "translation")
    scores = {"bleu": 12.34, "chrf": 40.1, "copied_bleu": 1.5, "copied_chrf": 15.0, "scored_pairs": 200}
    facts["result"] = {**RESULT, **scores, "bleu_signature": "nrefs:1"}
    body = split(model_card(facts))[1]
    assert "| BLEU | 12.3 | – | 1.5 |" in body
    assert "BLEU and chrF of 200 held-out pairs (nrefs:1); there the simplest guess is the source itself." in body


@pytest.mark.parametrize(
    ("preset", "facts", "frame"),
    [("gpt2-tiny", DECODER, "prompt"), ("bart-tiny", with_objective(BOTH, "infilling"), "source")],
)
def test_what_the_card_says_about_transformers_runs(
    tmp_path: Path, preset: str, facts: dict[str, Any], frame: Any
) -> None:
    folder = tmp_path / "model"
    tokenizer = train(documents(), TokenizerConfig(kind="bpe", vocab_size=400, specials="angles", frame=frame))
    model = random_model(shrink(preset, vocab_size=tokenizer.vocab_size, max_positions=64), dtype=torch.float32)
    publish_model(folder, model, tokenizer, card=model_card({**facts, "folder": str(folder)}))
    (snippet,) = re.findall(r"transformers:\n\n```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    *lines, last = snippet.strip().split("\n")
    with redirect_stdout(io.StringIO()) as out:
        exec("\n".join([*lines, f"print({last})"]), {})
    assert out.getvalue().strip()
