"""One small tokenizer of each kind, trained once; the same with other names, frames and sentinels."""

from __future__ import annotations

import pytest

from osnowa.tokenizer import Tokenizer, TokenizerConfig, train

# As much as 8 kB of text support; unigram keeps fewer pieces.
SIZES = {"wordpiece": 512, "bpe": 512, "unigram": 256}
FRAMES = ("pair", "prompt", "source")
SENTINELS = tuple(f"<extra_id_{number}>" for number in range(100))
EXTRAS = (*SENTINELS, "[NLU]", "[NLG]", "[S2S]")
# Text that spells what is special: a vocabulary must not learn a piece from it that is the token.
SPELLED = ["<s> ala </s> <mask> <extra_id_0> [NLU] kot<extra_id_1>pies <pad><unk>"] * 40


@pytest.fixture(scope="session")
def tokenizers(documents: list[str]) -> dict[str, Tokenizer]:
    return {kind: train(documents, TokenizerConfig(kind=kind, vocab_size=size)) for kind, size in SIZES.items()}


@pytest.fixture(params=SIZES)
def tokenizer(request: pytest.FixtureRequest, tokenizers: dict[str, Tokenizer]) -> Tokenizer:
    return tokenizers[request.param]


@pytest.fixture(scope="session")
def angled(documents: list[str]) -> dict[tuple[str, str], Tokenizer]:
    """By kind and frame: names in angle brackets, a hundred sentinels, three more special tokens."""
    return {
        (kind, frame): train(
            [*documents, *SPELLED],
            TokenizerConfig(kind=kind, vocab_size=520, specials="angles", frame=frame, extra_specials=EXTRAS),
        )
        for kind in SIZES
        for frame in FRAMES
    }


@pytest.fixture(params=[(kind, frame) for kind in SIZES for frame in FRAMES], ids="-".join)
def framed(request: pytest.FixtureRequest, angled: dict[tuple[str, str], Tokenizer]) -> Tokenizer:
    return angled[request.param]
