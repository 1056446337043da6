"""One small tokenizer of each kind, trained once."""

from __future__ import annotations

import pytest

from osnowa.tokenizer import Tokenizer, TokenizerConfig, train

# As much as 8 kB of text support; unigram keeps fewer pieces.
SIZES = {"wordpiece": 512, "bpe": 512, "unigram": 256}


@pytest.fixture(scope="session")
def tokenizers(documents: list[str]) -> dict[str, Tokenizer]:
    return {kind: train(documents, TokenizerConfig(kind=kind, vocab_size=size)) for kind, size in SIZES.items()}


@pytest.fixture(params=SIZES)
def tokenizer(request: pytest.FixtureRequest, tokenizers: dict[str, Tokenizer]) -> Tokenizer:
    return tokenizers[request.param]
