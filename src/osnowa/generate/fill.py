"""Ask a trained encoder: what stands behind each [MASK], and does sentence B follow sentence A."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from osnowa.errors import DataError, SettingsError
from osnowa.model import Layout, Transformer
from osnowa.tokenizer import Tokenizer


@dataclass(frozen=True)
class Guess:
    """A token for a mask as people read it, and how sure the model is (softmax over the whole vocabulary)."""

    token: str
    id: int
    probability: float


@dataclass(frozen=True)
class FillResult:
    """For each [MASK] of the text the best guesses, the surest first."""

    masks: list[list[Guess]]


@dataclass(frozen=True)
class NextSentenceResult:
    """The verdict of the next-sentence head."""

    is_next: bool
    probability: float  # that B follows A


def require_encoder(model: Transformer, what: str) -> None:
    """Raises SettingsError for a model that has no encoder alone."""
    if model.config.topology != "encoder":
        raise SettingsError(
            what, f"needs an encoder alone, not a model of topology {model.config.topology}", "use osnowa generate"
        )


def masked_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """What an encoder reads for a text with [MASK] in it, whatever the tokenizer's own name for that is."""
    name = tokenizer.token(tokenizer.mask)
    return [tokenizer.cls, *tokenizer.encode_prompt(text.replace("[MASK]", name)), tokenizer.sep]


@torch.inference_mode()
def fill(model: Transformer, tokenizer: Tokenizer, text: str, top_k: int = 5) -> FillResult:
    """The best `top_k` tokens for each [MASK] in `text`, whatever the tokenizer's own name for it is.

    Raises:
        SettingsError: the model is no encoder.
        DataError: no [MASK] in the text, or more tokens than the model takes.
    """
    require_encoder(model, "fill")
    ids = masked_ids(tokenizer, text)
    if tokenizer.mask not in ids:
        name = tokenizer.token(tokenizer.mask)
        raise DataError(
            "fill", f"the text has no {name}", f'write one where a word is missing: "Natura {name} obrazy."'
        )
    check_length(model, ids, "fill")
    tokens = torch.tensor([ids], device=model.embedding.token.weight.device)
    hidden = model.encode(tokens, Layout.plain(tokens))[0, tokens[0] == tokenizer.mask]
    probabilities = model.head(hidden).float().softmax(-1)
    best = probabilities.topk(min(top_k, probabilities.size(-1)))
    return FillResult(
        [
            [Guess(tokenizer.readable(int(i)), int(i), float(p)) for i, p in zip(row_ids, row, strict=True)]
            for row_ids, row in zip(best.indices, best.values, strict=True)
        ]
    )


@torch.inference_mode()
def next_sentence(model: Transformer, tokenizer: Tokenizer, first: str, second: str) -> NextSentenceResult:
    """Whether `second` follows `first`.

    Raises:
        SettingsError: the model has no next-sentence head.
        DataError: a sentence is empty, or both together are too long.
    """
    if model.next_sentence is None:
        raise SettingsError(
            "next-sentence", "this model has no next-sentence head", "train one with --objective masked-next-sentence"
        )
    a, b = tokenizer.encode(first), tokenizer.encode(second)
    for sentence, ids in (("first", a), ("second", b)):
        if not ids:
            raise DataError("next-sentence", f"the {sentence} sentence is empty", "give two sentences")
    row = [tokenizer.cls, *a, tokenizer.sep, *b, tokenizer.sep]
    check_length(model, row, "next-sentence")
    device = model.embedding.token.weight.device
    tokens = torch.tensor([row], device=device)
    segments = torch.tensor([[0] * (len(a) + 2) + [1] * (len(b) + 1)], device=device)
    hidden = model.encode(tokens, Layout.plain(tokens), segments)
    probability = float(model.next_sentence(hidden[:, 0]).float().softmax(-1)[0, 0])
    return NextSentenceResult(probability >= 0.5, probability)


def check_length(model: Transformer, ids: Sequence[int], what: str) -> None:
    """Raises DataError when `ids` are more than the model takes."""
    if len(ids) > model.config.max_positions:
        raise DataError(
            what, f"the text has {len(ids)} tokens, this model takes {model.config.max_positions}", "shorten the text"
        )
