"""The same text gives the same file: in fresh processes, with other hash seeds, with other numbers of threads."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from osnowa.tokenizer import Tokenizer, TokenizerConfig, train

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import texts
from osnowa.tokenizer import TokenizerConfig, train
for kind in ("wordpiece", "bpe", "unigram"):
    words = texts.documents() + [" ".join(f"{a}{b}" for a in "kotwa ryba młyn źdźbło".split() for b in "ami om ach y a".split())]
    print(train(words * 3, TokenizerConfig(kind=kind, vocab_size=600)).fingerprint)
    for frame in ("prompt", "source"):
        special = {"specials": "angles", "frame": frame, "extra_specials": ("<extra_id_0>", "<extra_id_1>", "[NLU]")}
        print(train(words * 3, TokenizerConfig(kind=kind, vocab_size=600, **special)).fingerprint)
"""


def fingerprints(**environment: str) -> list[str]:
    tests = str(Path(__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tests],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_fresh_processes_with_other_seeds_and_threads_write_the_same_bytes() -> None:
    first = fingerprints(PYTHONHASHSEED="1", RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
    second = fingerprints(PYTHONHASHSEED="2", RAYON_NUM_THREADS="8", TOKENIZERS_PARALLELISM="true")
    assert len(set(first)) == 9
    assert first == second


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_training_twice_gives_the_same_bytes_and_other_text_others(kind: str, documents: list[str]) -> None:
    config = TokenizerConfig(kind=kind, vocab_size=400)
    first, second = train(documents, config), train(iter(documents), config)
    assert first.to_bytes() == second.to_bytes()
    assert first.fingerprint == hashlib.sha256(first.to_bytes()).hexdigest()
    assert train(documents[: len(documents) // 2], config).fingerprint != first.fingerprint


def test_the_file_read_back_is_the_same(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(tokenizer.to_bytes())
    for again in (Tokenizer.from_file(path), Tokenizer.from_file(tmp_path)):
        assert again.to_bytes() == tokenizer.to_bytes()
        assert again.fingerprint == tokenizer.fingerprint
        assert again.kind == tokenizer.kind
        assert again.encode("Ala ma żółtego kota.") == tokenizer.encode("Ala ma żółtego kota.")
