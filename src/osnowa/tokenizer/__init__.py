"""Documents to vocabulary, text to ids: the `tokenizers` library with stable ids and files that repeat."""

from osnowa.tokenizer.companions import MAP_FILE, special_tokens_map, tokenizer_config, write_tokenizer
from osnowa.tokenizer.config import SPECIALS, TokenizerConfig, derive_vocab_size
from osnowa.tokenizer.fertility import Fertility, fertility
from osnowa.tokenizer.tokenizer import FILE, Tokenizer
from osnowa.tokenizer.training import train

__all__ = [
    "FILE",
    "MAP_FILE",
    "SPECIALS",
    "Fertility",
    "Tokenizer",
    "TokenizerConfig",
    "derive_vocab_size",
    "fertility",
    "special_tokens_map",
    "tokenizer_config",
    "train",
    "write_tokenizer",
]
