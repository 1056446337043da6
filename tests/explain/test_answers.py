"""The answers of a trace are those of fill, next-sentence and generate, and every token knows where it came from."""

from __future__ import annotations

import pytest
import torch
from looking import SECOND, TARGET, TEXT, config_of, model_of, quiet, traced

import texts
from osnowa.errors import DataError, SettingsError
from osnowa.explain.trace import trace
from osnowa.generate import Frame, GenerationConfig, fill, generate, next_sentence
from osnowa.model import Transformer
from osnowa.tokenizer import Tokenizer, TokenizerConfig, train
from small_models import random_model, small_tokenizer

TWO = "Natura [MASK] najpiękniejsze [MASK]."


@pytest.mark.parametrize("preset", ["bert-base", "encoder-base", "modernbert-base", "roberta-base"])
def test_the_best_tokens_for_masks_are_those_of_fill(preset: str) -> None:
    made = trace(model_of(preset), small_tokenizer(), TWO, top_k=7)
    expected = fill(model_of(preset), small_tokenizer(), TWO, 7)
    assert len(made.answers["masks"]) == len(expected.masks) == 2
    for found, guesses in zip(made.answers["masks"], expected.masks, strict=True):
        assert found["hidden"]
        assert [each["id"] for each in found["top"]] == [guess.id for guess in guesses]
        assert [each["token"] for each in found["top"]] == [guess.token for guess in guesses]
        assert [each["p"] for each in found["top"]] == pytest.approx([guess.probability for guess in guesses], rel=1e-5)
        assert made.sides["enc"]["tokens"][found["place"]]["piece"] == "[MASK]"


@pytest.mark.parametrize("preset", ["bert-base", "encoder-base"])
def test_the_verdict_is_that_of_next_sentence(preset: str) -> None:
    first = "Natura stwarza najpiękniejsze obrazy."
    made = trace(model_of(preset), small_tokenizer(), first, SECOND)
    expected = next_sentence(model_of(preset), small_tokenizer(), first, SECOND)
    assert made.answers["nsp"]["is_next"] == expected.is_next
    assert made.answers["nsp"]["p"] == pytest.approx(expected.probability, rel=1e-5)


def test_without_a_second_sentence_there_is_no_verdict() -> None:
    made = trace(model_of("bert-base"), small_tokenizer(), TEXT)
    assert made.answers["nsp"] is None
    assert not any(name.startswith("nsp.") for name in made.tensors)


@pytest.mark.parametrize("preset", ["gpt2-124m", "llama3-8b", "gemma2-2b", "t5-small", "bart-base", "transformer-base"])
def test_the_greedy_text_is_that_of_generate(preset: str) -> None:
    model, tokenizer = model_of(preset), small_tokenizer()
    text = "Natura stwarza najpiękniejsze"
    made = trace(model, tokenizer, text)
    (said,) = generate(model, tokenizer, [text], GenerationConfig(max_tokens=20, temperature=0))
    assert [each["id"] for each in made.answers["next"]["greedy"]] == said.tokens
    if preset in ("t5-small", "bart-base", "transformer-base"):
        begin = len(Frame.of(tokenizer, model.config).begin)
        assert [token["id"] for token in made.sides["dec"]["tokens"]][begin:] == said.tokens
    else:
        never = set(Frame.of(tokenizer, model.config).never)
        first = next(each["id"] for each in made.answers["next"]["top"] if each["id"] not in never)
        assert first == (said.tokens or [tokenizer.sep])[0]


def test_a_source_that_is_seen_whole_is_asked_as_generate_asks() -> None:
    model, tokenizer = model_of("llama3-8b"), small_tokenizer()
    made = trace(model, tokenizer, "Natura stwarza", source_whole=True)
    prompt = [*tokenizer.encode("Natura stwarza"), tokenizer.sep, tokenizer.cls]
    assert [token["id"] for token in made.sides["dec"]["tokens"]] == prompt
    (said,) = generate(model, tokenizer, [prompt], GenerationConfig(max_tokens=20, temperature=0), prefix=True)
    assert [each["id"] for each in made.answers["next"]["greedy"]] == said.tokens


def test_the_next_token_is_told_for_every_place_in_focus() -> None:
    made = traced("gpt2-124m")
    places = [each["place"] for each in made.answers["next"]["places"]]
    assert places == list(made.forward.question.asked)
    assert places[-1] == len(made.sides["dec"]["tokens"]) - 1 == made.answers["next"]["place"]


@pytest.mark.parametrize("preset", ["bert-base", "gpt2-124m", "t5-small"])
def test_tokens_know_the_text_they_came_from(preset: str) -> None:
    made = traced(preset)
    texts = {"text": TEXT if preset == "bert-base" else made.forward.question.text, "second": SECOND, "target": TARGET}
    met = ""
    for side in made.sides.values():
        for token in side["tokens"]:
            if token["from"] is None:
                assert token["start"] is token["end"] is None
                continue
            piece = texts[token["from"]][token["start"] : token["end"]]
            met += piece
            assert piece.lower() == token["text"].removeprefix("##").lower() or token["unknown"], (piece, token)
    assert len(met) > 20


def test_a_mask_has_its_place_whatever_the_tokenizer_calls_it() -> None:
    tokenizer = train(texts.documents(), TokenizerConfig(kind="bpe", vocab_size=400, specials="angles"))
    renamed = tokenizer.to_bytes().replace(b"<mask>", b"<hidden-word>")
    tokenizer = Tokenizer(renamed, "renamed", given={"mask_token": "<hidden-word>"})
    model = quiet(random_model(config_of("roberta-base", vocab_size=tokenizer.vocab_size), dtype=torch.float32))
    assert tokenizer.token(tokenizer.mask) == "<hidden-word>"
    made = trace(model, tokenizer, TWO)
    tokens = [token for token in made.sides["enc"]["tokens"] if token["from"]]
    assert [TWO[t["start"] : t["end"]].strip() for t in tokens if t["id"] == tokenizer.mask] == ["[MASK]", "[MASK]"]
    assert TWO[tokens[-1]["start"] : tokens[-1]["end"]] == "."
    expected = fill(model, tokenizer, TWO, 3)
    assert [each["id"] for each in made.answers["masks"][1]["top"][:3]] == [guess.id for guess in expected.masks[1]]


def test_segments_tell_the_sentences_apart() -> None:
    tokens = traced("bert-base").sides["enc"]["tokens"]
    assert {token["segment"] for token in tokens if token["from"] == "text"} == {0}
    assert {token["segment"] for token in tokens if token["from"] == "second"} == {1}
    assert {token["segment"] for token in traced("modernbert-base").sides["enc"]["tokens"]} == {None}


def refused(model: Transformer, text: str, **words: object) -> str:
    with pytest.raises((SettingsError, DataError)) as caught:
        trace(model, small_tokenizer(), text, **words)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("preset", "words", "message"),
    [
        ("bert-base", {"text": ""}, "explain: the text has no tokens; write at least one word"),
        ("gpt2-124m", {"text": ""}, "explain: the text has no tokens; write at least one word"),
        ("t5-small", {"text": ""}, "explain: the text has no tokens; write at least one word"),
        ("t5-small", {"text": "Natura", "target": ""}, "explain: the target has no tokens; write at least one word"),
        ("bert-base", {"text": "Natura", "second": ""}, "explain: the second text has no tokens; write at least one"),
        ("bert-base", {"text": "kot " * 80}, "tokens, this model takes 64; shorten it"),
        ("gpt2-124m", {"text": "kot " * 80}, "tokens, this model takes 64; shorten it"),
        ("t5-small", {"text": "kot " * 80}, "tokens, this model takes 64; shorten it"),
        ("t5-small", {"text": "kot", "target": "kot " * 80}, "explain: the target has"),
        ("modernbert-base", {"text": "kot", "second": "pies"}, "second: this model knows no pairs"),
        ("gpt2-124m", {"text": "kot", "second": "pies"}, "second: a model of topology decoder reads one text"),
        ("bert-base", {"text": "kot", "target": "pies"}, "target: a model of topology encoder reads no target"),
        ("gpt2-124m", {"text": "kot", "target": "pies"}, "target: a model of topology decoder reads no target"),
        ("gpt2-124m", {"text": "Natura [MASK]"}, "[MASK]: a decoder only says what comes next"),
    ],
)
def test_what_a_model_cannot_read_is_one_clear_line(preset: str, words: dict[str, str], message: str) -> None:
    text = words.pop("text") if "text" in words else ""
    found = refused(model_of(preset), text, **words)
    words["text"] = text
    assert message in found


def test_another_kind_of_numbers_is_refused() -> None:
    model = random_model(config_of("bert-base"), dtype=torch.float64)
    assert "explain: looks at float32 on the processor, not at torch.float64" in refused(model, "Natura")
