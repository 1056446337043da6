"""What a tokenizer can be: kind, size of the vocabulary, normalisation, special tokens."""

from __future__ import annotations

import math
import re
from itertools import chain, pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from osnowa.errors import SettingsError
from osnowa.settings import Settings

Kind = Literal["wordpiece", "bpe", "unigram"]
Split = Literal["llama-bpe", "qwen2", "gpt-2"]
Style = Literal["brackets", "angles"]
Frame = Literal["pair", "prompt", "source"]

STYLES: dict[Style, tuple[str, ...]] = {
    "brackets": ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]"),
    "angles": ("<pad>", "<s>", "</s>", "<mask>", "<unk>"),
}
"""Their place is their id, in every tokenizer trained here."""
SPECIALS = STYLES["brackets"]

# Characters of cleaned text and the vocabulary they feed; between two points the logarithms are interpolated.
SIZES = ((2_000_000, 4096), (10_000_000, 8192), (100_000_000, 16384), (1_000_000_000, 32768))
SMALLEST_DERIVED = 512
# In angle or square brackets with a letter or digit inside: no pre-tokenizer leaves such a string in one word, so
# no learned piece can be equal to it.
_SPECIAL = re.compile(r"[<\[](?=[^<>\[\]]*[^\W_])[^\s<>\[\]]+[>\]]")


class TokenizerConfig(Settings):
    """Section [tokenizer]."""

    kind: Kind = Field(
        "wordpiece",
        description="wordpiece: whole characters, the rest is [UNK]; bpe: bytes, nothing is ever unknown; "
        "unigram: pieces chosen by probability",
    )
    vocab_size: int | None = Field(
        None,
        ge=16,
        le=1 << 20,
        description="entries of the vocabulary with the special tokens; none: derived from the characters of the "
        "corpus, about 4k for 2 MB, 8k for 10 MB, 16k for 100 MB, 32k from 1 GB",
    )
    lowercase: bool = Field(False, description="fold capitals; diacritics always stay")
    coverage: float | None = Field(
        None,
        gt=0.5,
        le=1.0,
        description="share of the corpus' characters that the alphabet must cover; the rest is [UNK]; "
        "none: 0.9999; bpe has bytes instead and takes no value",
    )
    split: Split | None = Field(
        None,
        description="bpe only: how text is cut into words, by the name under which llama.cpp knows the rule; "
        "none: llama-bpe",
    )
    specials: Style = Field(
        "brackets",
        description="names of the special tokens: [PAD] [CLS] [SEP] [MASK] [UNK], or <pad> <s> </s> <mask> <unk>",
    )
    frame: Frame = Field(
        "pair",
        description="what stands around a text: begin and end, with a second text behind; begin alone; end alone",
    )
    extra_specials: tuple[str, ...] = Field((), description='more special tokens, such as "<extra_id_0>", ids from 5')

    @model_validator(mode="after")
    def _check(self) -> Self:
        errors = []
        if self.kind == "bpe" and self.coverage is not None:
            where = f"tokenizer.coverage = {self.coverage}"
            errors.append(SettingsError(where, "has no effect with tokenizer.kind = bpe", "leave it out"))
        if self.kind != "bpe" and self.split is not None:
            where = f"tokenizer.split = {self.split}"
            errors.append(SettingsError(where, f"has no effect with tokenizer.kind = {self.kind}", "leave it out"))
        for index, special in enumerate(self.extra_specials):
            where = f"tokenizer.extra_specials: {special!r}"
            if special in STYLES[self.specials] or special in self.extra_specials[:index]:
                errors.append(SettingsError(where, "is there already", "name each special token once"))
            elif special in chain(*STYLES.values()):
                errors.append(SettingsError(where, "is another name of one that is there", "choose another name"))
            elif not _SPECIAL.fullmatch(special):
                errors.append(SettingsError(where, "is no special token", "write one such as <extra_id_0> or [SEP2]"))
        if errors:
            raise SettingsError.join(errors)
        return self

    @property
    def special_names(self) -> tuple[str, ...]:
        """Names of all special tokens in the order of their ids, from 0."""
        return (*STYLES[self.specials], *self.extra_specials)


def derive_vocab_size(characters: int) -> int:
    """Vocabulary for a corpus of so many characters: the stated points, straight lines between their logarithms.

    Below the first point the line goes on down to 512, above the last point it is flat. A multiple of 64.
    """
    log_size = math.log2(SIZES[-1][1])
    for (few, small), (many, large) in pairwise(SIZES):
        if characters < many:
            share = math.log(max(1, characters) / few) / math.log(many / few)
            log_size = math.log2(small) + share * math.log2(large / small)
            break
    return max(SMALLEST_DERIVED, 64 * round(2**log_size / 64))
