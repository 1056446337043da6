"""How vocabularies are learned so that the same text gives the same file: three kinds, one table."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from osnowa.errors import SettingsError
from osnowa.tokenizer.alphabet import COVERAGE, choose_alphabet, stands_alone
from osnowa.tokenizer.assembly import (
    PREFIX,
    SPACE,
    SPECIAL_SCORE,
    assemble_byte_level,
    assemble_unigram,
    assemble_wordpiece,
    byte_splitter,
    word_normalizer,
    word_splitter,
)
from osnowa.tokenizer.config import Kind, TokenizerConfig, derive_vocab_size
from osnowa.tokenizer.sample import Sample

MAX_PIECE = 24  # characters; longer pieces are rulers, hashes and pasted base64
MIN_PAIRS = 2  # a pair seen once teaches nothing


def learn_wordpiece(sample: Sample, config: TokenizerConfig, characters: int) -> Tokenizer:
    """Pieces by the merging of frequent pairs, written as a vocabulary for longest-match search.

    The trainer numbers "##a" in the order in which a hash table yields the words, and breaks ties by number: its
    output differs from process to process. Numbered in advance, in the order of the alphabet, it repeats.
    """
    alphabet = choose_alphabet(sample.counts, coverage=config.coverage or COVERAGE, lowercase=config.lowercase)
    inner = [PREFIX + character for character in alphabet.characters if not stands_alone(character)]
    fixed = [*config.special_names, *alphabet.characters, *inner]
    size = _checked_size(config, characters, len(fixed), "characters at the start and inside of words")
    tokenizer = Tokenizer(models.BPE(continuing_subword_prefix=PREFIX))
    tokenizer.normalizer = word_normalizer(config.lowercase)
    tokenizer.pre_tokenizer = word_splitter()
    trainer = _merging_trainer(size, fixed, continuing_subword_prefix=PREFIX)
    tokenizer.train_from_iterator(sample.pieces(without=alphabet.others), trainer)
    vocabulary = _model(tokenizer)["vocab"]
    return assemble_wordpiece(vocabulary, config)


def learn_byte_level(sample: Sample, config: TokenizerConfig, characters: int) -> Tokenizer:
    """Pairs of bytes, merged in the order of their frequency."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = config.special_names
    size = _checked_size(config, characters, len(specials) + len(letters), "bytes")
    split = config.split or "llama-bpe"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = byte_splitter(split)
    pieces = (piece.lower() if config.lowercase else piece for piece in sample.pieces())
    tokenizer.train_from_iterator(pieces, _merging_trainer(size, [*specials, *letters]))
    model = _model(tokenizer)
    merges = [(left, right) for left, right in model["merges"]]
    return assemble_byte_level(model["vocab"], merges, split, config)


def learn_unigram(sample: Sample, config: TokenizerConfig, characters: int) -> Tokenizer:
    """Pieces of the most probable segmentations, by sentencepiece on one thread.

    Measured: its file is the same in fresh processes for one thread, and another one for each number of threads.
    """
    import sentencepiece

    alphabet = choose_alphabet(sample.counts, coverage=config.coverage or COVERAGE, lowercase=config.lowercase)
    specials = config.special_names
    fixed = [*specials, *sorted({*alphabet.characters, SPACE})]
    size = _checked_size(config, characters, len(fixed), "characters")
    pieces = (
        piece.lower() if config.lowercase else piece for piece in sample.pieces(without=[*alphabet.others, SPACE])
    )
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(line for piece in pieces for line in piece.split("\n") if line.strip()),
        model_writer=written,
        model_type="unigram",
        vocab_size=size - len(specials) + 1,  # its own <unk> goes
        bos_id=-1,
        eos_id=-1,
        character_coverage=1.0,
        required_chars="".join(alphabet.characters),
        normalization_rule_name="identity",
        max_sentence_length=1 << 16,  # bytes; a piece of the sample has at most 8192 characters
        num_threads=1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    learned = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    scores = {learned.id_to_piece(index): learned.get_score(index) for index in range(1, learned.get_piece_size())}
    lowest = min(scores.values(), default=0.0)
    letters = [(letter, scores.pop(letter, lowest)) for letter in fixed[len(specials) :]]
    longer = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[: size - len(fixed)]
    reserved = [(name, SPECIAL_SCORE) for name in specials]
    return assemble_unigram([*reserved, *letters, *longer], config)


Learner = Callable[[Sample, TokenizerConfig, int], Tokenizer]
LEARNERS: dict[Kind, Learner] = {"wordpiece": learn_wordpiece, "bpe": learn_byte_level, "unigram": learn_unigram}


def _checked_size(config: TokenizerConfig, characters: int, fixed: int, units: str) -> int:
    """The size asked for, or one derived from the corpus that makes room for pieces beside a large alphabet."""
    size = config.vocab_size
    if size is None:
        return max(derive_vocab_size(characters), 64 * -(-2 * fixed // 64))
    if size < fixed:
        specials = len(config.special_names)
        raise SettingsError(
            f"tokenizer.vocab_size = {size}",
            f"is smaller than {specials} special tokens and {fixed - specials} {units}",
            f"use at least {fixed}" + ("" if config.kind == "bpe" else " or lower tokenizer.coverage"),
        )
    return size


def _merging_trainer(size: int, fixed: Sequence[str], **options: Any) -> trainers.BpeTrainer:
    return trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=MIN_PAIRS,
        special_tokens=list(fixed),
        max_token_length=MAX_PIECE,
        show_progress=False,
        **options,
    )


def _model(tokenizer: Tokenizer) -> Any:
    return json.loads(tokenizer.to_str())["model"]
