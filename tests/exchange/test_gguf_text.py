"""Text becomes the same ids in the real llama.cpp as here, and a tokenizer for which it would not is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from tokenizers import Tokenizer as Engine
from tokenizers import processors

import texts
from osnowa.errors import SettingsError
from osnowa.exchange import Note
from osnowa.exchange.gguf import export_gguf
from osnowa.tokenizer import Tokenizer, TokenizerConfig, train
from real_llama import LlamaCpp
from small_models import random_model, shrink, small_tokenizer

NASTY = [
    "",
    "a",
    "   ",
    "Zażółć gęślą jaźń!",
    "ZAŻÓŁĆ GĘŚLĄ JAŹŃ ąćęłńóśźż",
    "  dwa  odstępy   i koniec  ",
    "linia\nlinia\n\n\nlinia\r\n\tTab\t\tTab ",
    "„cudzysłów” — myślnik… «tak» – ‒ ‐ ‑",
    "1234567890 12,5 3.14 2026-11-25 1 000 000 zł",
    "IV wiek; 5°C; 10%; §7; №3; x²; ½",
    "it's we'll I'VE don't O'Neil",
    "kot🐈‍⬛ 👨‍👩‍👧‍👦 🇵🇱 👍🏽 ☺️",
    "naïve café Straße ﬁ Ǆ ŉ ẞ ΑΣ",
    "日本語 中文 한국어 العربية हिन्दी",
    "https://example.pl/ścieżka?q=1&r=ą#x user@poczta.pl",
    "snake_case camelCase C++ a/b\\c {x: [1]} <tag> ~^`|",
    "[CLS] [MASK] [SEP] [PAD] [UNK] <s> </s>",
    "a\u00a0b\u2009c\u3000d\u200be\ufefff\u00adg",
    "\u0000\u0001\u001b[31m",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "▁▁kot ▁ ▁▁",
    "∑∞≠ ±×÷ €£¥₿ \U0001d54f\U0001f600\U00020000",
    *texts.SENTENCES[::13],
]
# What llama.cpp does otherwise, with WordPiece only. It does not put letters and their marks together, knows no longest
# word, and folds a capital I with a dot to i alone.
DECOMPOSED, LONG, DOTTED = "z\u0307a\u0328", "x" * 101, "İ"


def trained(**settings: Any) -> Tokenizer:
    return train([*texts.documents(), *NASTY * 3], TokenizerConfig(**settings))


def exported(folder: Path, tokenizer: Tokenizer, preset: str) -> tuple[Path, list[Note]]:
    model = random_model(shrink(preset, vocab_size=tokenizer.vocab_size), dtype=torch.float32)
    path = folder / "model.gguf"
    return path, export_gguf(path, model.config, dict(model.named_parameters()), tokenizer, type="f32", name="x")


@pytest.mark.parametrize("preset", ["llama-tiny", "roberta-tiny"])
@pytest.mark.parametrize("split", ["llama-bpe", "qwen2", "gpt-2"])
def test_bytes_are_cut_and_merged_alike(split: str, preset: str, tmp_path: Path) -> None:
    frame = "pair" if preset == "roberta-tiny" else "prompt"
    tokenizer = trained(kind="bpe", vocab_size=900, split=split, specials="angles", frame=frame)
    llama = LlamaCpp(exported(tmp_path, tokenizer, preset)[0])
    assert [llama.ids(text) for text in NASTY] == [tokenizer.encode(text) for text in NASTY]
    end = [tokenizer.sep] if preset == "roberta-tiny" else []  # what a decoder is asked stays open
    assert llama.ids("Ala", framed=True) == [tokenizer.cls, *tokenizer.encode("Ala"), *end]


@pytest.mark.parametrize("lowercase", [False, True])
def test_words_are_cut_alike_and_polish_letters_stay(lowercase: bool, tmp_path: Path) -> None:
    tokenizer = trained(kind="wordpiece", vocab_size=1200, coverage=1.0, lowercase=lowercase)
    path, notes = exported(tmp_path, tokenizer, "bert-tiny")
    assert [note.code for note in notes if note.code == "pieces-lost"] == []
    llama = LlamaCpp(path)
    assert [llama.ids(text) for text in NASTY] == [tokenizer.encode(text) for text in NASTY]
    assert llama.ids("Ala", framed=True) == [tokenizer.cls, *tokenizer.encode("Ala"), tokenizer.sep]
    assert llama.ids("żółw") != llama.ids("zolw")


def test_what_llama_cpp_does_otherwise_with_words_is_only_this(tmp_path: Path) -> None:
    tokenizer = trained(kind="wordpiece", vocab_size=1200, coverage=1.0, lowercase=True)
    llama = LlamaCpp(exported(tmp_path, tokenizer, "bert-tiny")[0])
    for text in (DECOMPOSED, LONG, DOTTED):
        assert llama.ids(text) != tokenizer.encode(text), f"llama.cpp has learnt {text!r}: say so in the documents"


def changed(tokenizer: Tokenizer, change: Callable[[dict[str, Any]], object]) -> Tokenizer:
    parsed = json.loads(tokenizer.to_bytes())
    change(parsed)
    return Tokenizer.from_bytes(json.dumps(parsed).encode(), "theirs.json")


def test_pieces_that_would_become_one_do_not_stop_llama_cpp(tmp_path: Path) -> None:
    """ "##▁a" without its mark is what "a" is with llama.cpp's: it would not load two entries with one name."""

    def add(parsed: dict[str, Any]) -> None:
        parsed["model"]["vocab"]["##▁a"] = len(parsed["model"]["vocab"])

    tokenizer = changed(small_tokenizer(), add)
    path, notes = exported(tmp_path, tokenizer, "bert-tiny")
    assert [note.evidence for note in notes if note.code == "pieces-lost"] == [("##▁a",)]
    names = gguf.GGUFReader(path).fields["tokenizer.ggml.tokens"].contents()
    assert len(set(names)) == len(names)  # else the next line ends this process
    assert LlamaCpp(path).ids("a kot") == tokenizer.encode("a kot")


def test_an_added_word_is_found_inside_a_text(tmp_path: Path) -> None:
    engine = Engine.from_str(small_tokenizer("bpe").to_bytes().decode())
    engine.add_tokens(["żółwik"])
    tokenizer = Tokenizer.from_bytes(engine.to_str().encode(), "theirs.json")
    text = "mały żółwik i duży żółw"
    assert tokenizer.token_id("żółwik") in tokenizer.encode(text)
    assert LlamaCpp(exported(tmp_path, tokenizer, "llama-tiny")[0]).ids(text) == tokenizer.encode(text)


def test_a_decoder_whose_file_frames_nothing_gets_nothing_in_front(tmp_path: Path) -> None:
    tokenizer = changed(small_tokenizer("bpe"), lambda parsed: parsed.update(post_processor=None))
    llama = LlamaCpp(exported(tmp_path, tokenizer, "gpt2-tiny")[0])
    assert llama.ids("Ala", framed=True) == tokenizer.encode("Ala")


def test_the_frame_of_older_files_is_understood(tmp_path: Path) -> None:
    engine = Engine.from_str(small_tokenizer().to_bytes().decode())
    engine.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    tokenizer = Tokenizer.from_bytes(engine.to_str().encode(), "theirs.json")
    llama = LlamaCpp(exported(tmp_path, tokenizer, "bert-tiny")[0])
    assert llama.ids("Ala", framed=True) == [1, *tokenizer.encode("Ala"), 2]


def _fold(parsed: dict[str, Any]) -> None:
    parsed["normalizer"] = {"type": "Lowercase"}


def _other_rule(parsed: dict[str, Any]) -> None:
    parsed["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] += "|x"


def _space_first(parsed: dict[str, Any]) -> None:
    parsed["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = True


def _whole_words(parsed: dict[str, Any]) -> None:
    parsed["pre_tokenizer"]["pretokenizers"].pop(0)
    parsed["pre_tokenizer"]["pretokenizers"][0]["use_regex"] = True
    parsed["model"]["ignore_merges"] = True


def _two_in_front(parsed: dict[str, Any]) -> None:
    parsed["post_processor"]["single"].insert(0, {"SpecialToken": {"id": "[CLS]", "type_id": 0}})


def _unframed(parsed: dict[str, Any]) -> None:
    parsed["post_processor"] = None


def _plain_words(parsed: dict[str, Any]) -> None:
    parsed["pre_tokenizer"] = {"type": "Whitespace"}


def _compatible_letters(parsed: dict[str, Any]) -> None:
    parsed["normalizer"]["normalizers"][0] = {"type": "NFKC"}


@pytest.mark.parametrize(
    ("kind", "preset", "change", "message"),
    [
        ("bpe", "llama-tiny", _fold, "by a rule that llama.cpp has no name for; use --to huggingface, or train with"),
        ("bpe", "llama-tiny", _other_rule, "by a rule that llama.cpp has no name for"),
        ("bpe", "llama-tiny", _space_first, "by a rule that llama.cpp has no name for"),
        ("bpe", "llama-tiny", _whole_words, "by a rule that llama.cpp has no name for"),
        ("bpe", "llama-tiny", _two_in_front, "several special tokens on one side of a text"),
        ("bpe", "roberta-tiny", _unframed, "does not put a text between two special tokens"),
        ("wordpiece", "bert-tiny", _plain_words, "by NFC, BertNormalizer and Whitespace, which llama.cpp does not"),
        ("wordpiece", "bert-tiny", _compatible_letters, "by NFKC, BertNormalizer and BertPreTokenizer"),
        ("wordpiece", "llama-tiny", lambda parsed: None, "llama.cpp ends each text of such a tokenizer"),
        ("unigram", "llama-tiny", lambda parsed: None, "is unigram, and llama.cpp cleans text"),
    ],
)
def test_a_tokenizer_that_llama_cpp_would_read_otherwise_is_refused(
    kind: Any, preset: str, change: Callable[[dict[str, Any]], object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError) as caught:
        exported(tmp_path, changed(small_tokenizer(kind), change), preset)
    assert message in str(caught.value)
    assert "theirs.json" in caught.value.where
    assert caught.value.exit_code == 78
    assert list(tmp_path.iterdir()) == []
