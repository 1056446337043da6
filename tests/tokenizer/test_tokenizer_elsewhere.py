"""The folder is read by the transformers library, with the same ids."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from osnowa.tokenizer import Tokenizer, TokenizerConfig, special_tokens_map, tokenizer_config, train

FRAGMENTS = [
    "Zażółć", "gęślą", "jaźń", "np.", "3,14", "1.234,56 zł", "„cytat”", "— myślnik", "it's", "don't", "do not", "U.S.",
    "Ala!", "(nawias)", "a/b", "e-mail@x.pl", "100%", "…", "?!", "KOT", "źdźbło", "naïve", "café", "Łódź", "  ", "\n",
    "\t", "😀", "漢字", "Ω", "\u00a0", "x²", "°C", "#1", "C++", "_a_", "https://a.b/c?d=e", "'quoted'", "[x]", "<y>", "##z",
]  # fmt: skip


def strange(count: int) -> list[str]:
    numbers = random.Random(5)
    return [" ".join(numbers.choices(FRAGMENTS, k=numbers.randint(1, 12))) for _ in range(count)]


def load(tokenizer: Tokenizer, folder: Path, *, segments: bool = True) -> Any:
    from transformers import AutoTokenizer

    (folder / "tokenizer.json").write_bytes(tokenizer.to_bytes())
    companion = tokenizer_config(tokenizer, max_length=128, segments=segments)
    (folder / "tokenizer_config.json").write_text(json.dumps(companion))
    (folder / "special_tokens_map.json").write_text(json.dumps(special_tokens_map(tokenizer)))
    return AutoTokenizer.from_pretrained(folder)


def test_transformers_gives_the_same_ids(tokenizer: Tokenizer, sentences: list[str], tmp_path: Path) -> None:
    theirs = load(tokenizer, tmp_path)
    texts = [*sentences, *strange(300)]
    assert len(texts) > 400
    for text in texts:
        ids = tokenizer.encode(text)
        assert theirs(text, add_special_tokens=False)["input_ids"] == ids, text
        assert theirs(text)["input_ids"] == [1, *ids, 2], text
        assert theirs.decode(ids) == tokenizer.decode(ids), text


def test_transformers_frames_pairs_with_segments(tokenizer: Tokenizer, tmp_path: Path) -> None:
    theirs = load(tokenizer, tmp_path)
    a, b = tokenizer.encode("Ala ma kota."), tokenizer.encode("Kot śpi.")
    found = theirs("Ala ma kota.", "Kot śpi.")
    assert found["input_ids"] == [1, *a, 2, *b, 2]
    assert found["token_type_ids"] == [0] * (len(a) + 2) + [1] * (len(b) + 1)


def test_without_segments_none_are_returned(tokenizer: Tokenizer, tmp_path: Path) -> None:
    assert set(load(tokenizer, tmp_path, segments=False)("Ala")) == {"input_ids", "attention_mask"}


def test_transformers_reads_prompts_as_we_do(tokenizer: Tokenizer, tmp_path: Path) -> None:
    theirs = load(tokenizer, tmp_path)
    for text in ("Natura [MASK] najpiękniejsze obrazy.", "[MASK]", "a [MASK][MASK] b", "x[MASK], y"):
        assert theirs(text, add_special_tokens=False)["input_ids"] == tokenizer.encode_prompt(text), text


def test_transformers_knows_the_special_tokens(tokenizer: Tokenizer, tmp_path: Path) -> None:
    theirs = load(tokenizer, tmp_path)
    ids = (theirs.pad_token_id, theirs.cls_token_id, theirs.sep_token_id, theirs.mask_token_id, theirs.unk_token_id)
    assert ids == (0, 1, 2, 3, 4)
    assert theirs.model_max_length == 128
    assert len(theirs) == tokenizer.vocab_size


@pytest.mark.parametrize("model_type", [None, "llama", "t5", "bart", "gpt2"])
def test_transformers_gives_the_same_ids_in_every_frame(
    framed: Tokenizer, sentences: list[str], tmp_path: Path, model_type: str | None
) -> None:
    """Also where the folder says which model it holds, which some classes of that library draw conclusions from."""
    if model_type is not None:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    theirs = load(framed, tmp_path, segments=False)
    begin = [1] if framed.frame in ("pair", "prompt") else []
    end = [2] if framed.frame in ("pair", "source") else []
    orders = ["Ala <extra_id_0> kota <extra_id_99>.", "<mask> i <mask>", "[NLU] Ala <s>"]
    for text in [*sentences[:40], *strange(40), *orders]:
        assert theirs(text)["input_ids"] == [*begin, *framed.encode_prompt(text), *end], text
    ids = (theirs.pad_token_id, theirs.bos_token_id, theirs.eos_token_id, theirs.mask_token_id, theirs.unk_token_id)
    assert ids == (0, 1, 2, 3, 4)
    assert set(theirs.all_special_ids) == set(range(108))
    assert theirs.padding_side == ("left" if framed.frame == "prompt" else "right")
    assert len(theirs) == framed.vocab_size


@pytest.mark.parametrize("lowercase", [False, True])
def test_extra_special_tokens_and_folding_travel(lowercase: bool, documents: list[str], tmp_path: Path) -> None:
    trained = train(documents, TokenizerConfig(vocab_size=400, extra_specials=("<extra_id_0>",), lowercase=lowercase))
    theirs = load(trained, tmp_path)
    assert theirs("Ala <extra_id_0> MA", add_special_tokens=False)["input_ids"] == trained.encode_prompt(
        "Ala <extra_id_0> MA"
    )
    assert theirs.convert_tokens_to_ids("<extra_id_0>") == 5
    assert 5 in theirs.all_special_ids
