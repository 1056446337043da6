"""Settings of the tokenizer: the derived size and what is refused."""

from __future__ import annotations

import pytest

from osnowa.errors import SettingsError
from osnowa.tokenizer import TokenizerConfig, derive_vocab_size


@pytest.mark.parametrize(
    ("characters", "size"),
    [(2_000_000, 4096), (10_000_000, 8192), (100_000_000, 16384), (1_000_000_000, 32768), (10**12, 32768), (0, 512)],
)
def test_the_size_follows_the_corpus_at_the_stated_points(characters: int, size: int) -> None:
    assert derive_vocab_size(characters) == size


def test_the_derived_size_grows_and_is_a_multiple_of_64() -> None:
    sizes = [derive_vocab_size(round(10**exponent)) for exponent in (4, 5, 5.5, 6, 6.5, 7, 7.5, 8, 8.5, 9)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 7
    assert all(size % 64 == 0 for size in sizes)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "wordpeice"}, "tokenizer.kind"),
        ({"kind": "bpe", "coverage": 0.99}, "tokenizer.coverage = 0.99: has no effect with tokenizer.kind = bpe"),
        ({"kind": "unigram", "split": "qwen2"}, "tokenizer.split = qwen2: has no effect with tokenizer.kind = unigram"),
        ({"extra_specials": ("[MASK]",)}, r"tokenizer.extra_specials: '\[MASK\]': is there already"),
        ({"extra_specials": ("<a>", "<a>")}, "is there already"),
        ({"extra_specials": ("kot",)}, "tokenizer.extra_specials: 'kot': is no special token"),
        ({"extra_specials": ("<>",)}, "is no special token"),
        ({"vocab_size": 3}, "tokenizer.vocab_size = 3"),
    ],
)
def test_settings_that_cannot_work_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        TokenizerConfig.read("tokenizer", values)
    assert caught.value.exit_code == 78
