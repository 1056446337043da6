"""From a learned vocabulary to the library's tokenizer: normaliser, word splitter, frame of special tokens, decoder."""

from __future__ import annotations

import re

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from osnowa.tokenizer.config import Frame, Split, TokenizerConfig

PREFIX = "##"
SPACE = "▁"
# Of a special token among the pieces of unigram: so low that other tools, too, hardly ever read the text "[MASK]" in
# the data as the token. (We never do: see `engine.for_data`.)
SPECIAL_SCORE = -1e6
MAX_WORD = 100  # characters; a longer word is one [UNK], which bounds the time of the longest-match search

# Published by the models whose names llama.cpp knows them under (tokenizer.json of LLaMA 3 and of Qwen 2).
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
REGEXES: dict[Split, str] = {
    "llama-bpe": _CONTRACTIONS + r"\p{N}{1,3}" + _REST,
    "qwen2": _CONTRACTIONS + r"\p{N}" + _REST,
}
# A word-piece decoder puts a space before every word. Those that nobody writes are taken back; the library's own
# clean-up knows four marks and English contractions.
_CLOSING, _OPENING = ".,;:!?…)]}”»%", "([{„«"


# The place of each role among the special names.
_CLS, _SEP, _MASK, _UNK = 1, 2, 3, 4
_SENTINEL = re.compile(r"<extra_id_\d+>")
# $A and $B are the texts; the number is the segment.
_FRAMES: dict[Frame, tuple[str, str]] = {
    "pair": ("{cls}:0 $A:0 {sep}:0", "{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1"),
    "prompt": ("{cls}:0 $A:0", "{cls}:0 $A:0 {cls}:1 $B:1"),
    "source": ("$A:0 {sep}:0", "$A:0 {sep}:0 $B:1 {sep}:1"),
}


def assemble_wordpiece(vocabulary: dict[str, int], config: TokenizerConfig) -> Tokenizer:
    tokenizer = Tokenizer(
        models.WordPiece(
            vocabulary,
            unk_token=config.special_names[_UNK],
            max_input_chars_per_word=MAX_WORD,
            continuing_subword_prefix=PREFIX,
        )
    )
    tokenizer.normalizer = word_normalizer(config.lowercase)
    tokenizer.pre_tokenizer = word_splitter()
    tidy = [decoders.Replace(f" {mark}", mark) for mark in _CLOSING]
    tidy += [decoders.Replace(f"{mark} ", mark) for mark in _OPENING]
    tokenizer.decoder = decoders.Sequence([decoders.WordPiece(PREFIX, cleanup=False), decoders.Fuse(), *tidy])
    return _framed(tokenizer, config, lstrip=False)


def assemble_byte_level(
    vocabulary: dict[str, int], merges: list[tuple[str, str]], split: Split, config: TokenizerConfig
) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    if config.lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = byte_splitter(split)
    tokenizer.decoder = decoders.ByteLevel()
    return _framed(tokenizer, config, lstrip=True)


def assemble_unigram(vocabulary: list[tuple[str, float]], config: TokenizerConfig) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram(vocabulary, _UNK, False))
    tokenizer.normalizer = space_normalizer(config.lowercase)
    tokenizer.pre_tokenizer = space_splitter()
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="first")
    return _framed(tokenizer, config, lstrip=True)


def word_normalizer(lowercase: bool) -> normalizers.Normalizer:
    """NFC; control characters out; each ideograph a word; diacritics stay, also when capitals are folded."""
    words = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=lowercase
    )
    return normalizers.Sequence([normalizers.NFC(), words])


def word_splitter() -> pre_tokenizers.PreTokenizer:
    """Words end at white space; each punctuation mark is a word."""
    return pre_tokenizers.BertPreTokenizer()


def space_splitter() -> pre_tokenizers.PreTokenizer:
    """Words begin with the space before them, written "▁"; the first word of a text gets one."""
    return pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="first")


def space_normalizer(lowercase: bool) -> normalizers.Normalizer:
    """NFC; each run of white space one space, none at the end."""
    steps = [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip(left=False, right=True)]
    return normalizers.Sequence([*steps, normalizers.Lowercase()] if lowercase else steps)


def byte_splitter(split: Split) -> pre_tokenizers.PreTokenizer:
    """Words by the named rule, then each byte as one printable character."""
    if split == "gpt-2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    words = pre_tokenizers.Split(Regex(REGEXES[split]), "isolated")
    return pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _framed(tokenizer: Tokenizer, config: TokenizerConfig, *, lstrip: bool) -> Tokenizer:
    """With the special tokens and the frame around one text or two, segments 0 and 1.

    `lstrip`: where tokens carry the space before them, a mask or sentinel written into a text must take that space, as
    it does in training, where it stands for tokens.
    """
    names = config.special_names
    tokenizer.add_special_tokens(
        [
            AddedToken(name, special=True, normalized=False, lstrip=lstrip and (index == _MASK or is_sentinel(name)))
            for index, name in enumerate(names)
        ]
    )
    single, pair = (each.format(cls=names[_CLS], sep=names[_SEP]) for each in _FRAMES[config.frame])
    used = [(names[index], index) for index in (_CLS, _SEP) if names[index] in pair.replace(":", " ").split()]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=used)
    return tokenizer


def is_sentinel(name: str) -> bool:
    """Whether a special token of this name stands for a hidden run of tokens."""
    return _SENTINEL.fullmatch(name) is not None
