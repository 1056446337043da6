"""From texts to a tokenizer, the same one for the same texts and settings."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from osnowa.errors import DataError
from osnowa.tokenizer import sample
from osnowa.tokenizer.alphabet import is_visible
from osnowa.tokenizer.config import TokenizerConfig
from osnowa.tokenizer.learning import LEARNERS
from osnowa.tokenizer.sample import Sample
from osnowa.tokenizer.tokenizer import Tokenizer


def train(texts: Iterable[str], config: TokenizerConfig, *, corpus_characters: int | None = None) -> Tokenizer:
    """Learn a vocabulary from `texts`, a sample that the caller has chosen and bounded.

    `corpus_characters`, of the whole corpus, decides the size where the settings leave it open; None: those of the
    texts. Deterministic in the texts, their order and the settings: threads and hash seeds change no byte of the file.
    What the result should say (a vocabulary smaller than asked for, a sample cut at 1 GiB) is in `Tokenizer.notes`.

    Raises:
        DataError: there is no text, or it holds half a surrogate pair.
        SettingsError: the vocabulary is smaller than the alphabet and the special tokens.
    """
    text = Sample(texts, compose=config.kind != "bpe", max_bytes=sample.MAX_BYTES)
    if not any(is_visible(chr(point)) for point in np.flatnonzero(text.counts).tolist()):
        raise DataError("the corpus", "has no text to learn a vocabulary from", "give more text")
    characters = corpus_characters or text.characters
    engine = LEARNERS[config.kind](text, config, characters)
    size = engine.get_vocab_size(with_added_tokens=True)
    notes = []
    if config.vocab_size is not None and size < config.vocab_size:
        notes.append(
            f"tokenizer.vocab_size = {config.vocab_size}, but {text.characters} characters of text support {size}; "
            f"trained {size}"
        )
    if text.cut:
        notes.append(f"the text for the tokenizer was cut at {text.bytes} bytes, more could overflow pair counts")
    data = engine.to_str(pretty=True).encode() + b"\n"
    return Tokenizer(data, f"{config.kind} tokenizer trained on {text.characters} characters", notes)
