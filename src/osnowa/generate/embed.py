"""Texts as vectors: the mean of a model's last hidden vectors, of length 1."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from osnowa.errors import DataError
from osnowa.generate.fill import check_length
from osnowa.model import Layout, Transformer
from osnowa.tokenizer import Tokenizer


@torch.inference_mode()
def embed(
    model: Transformer, tokenizer: Tokenizer, texts: Sequence[str], batch: int = 32
) -> Float[Tensor, "texts d_model"]:
    """One vector of length 1 for each text (mean pooling: Reimers & Gurevych 2019, "Sentence-BERT", section 3).

    The mean is over all real tokens, those around the text included. With an encoder its vectors are taken, also where
    a decoder follows; a decoder alone gives its own. `batch` texts of similar length go through the model at a time.

    Raises:
        DataError: a text has no tokens, or more than the model takes.
    """
    rows = [frame(model, tokenizer, ids) for ids in tokenizer.encode_batch(texts)]
    for number, row in enumerate(rows, 1):
        if len(row) == len(frame(model, tokenizer, [])):
            raise DataError("embed", f"text {number} of {len(rows)} is empty", "leave it out")
        check_length(model, row, f"embed: text {number}")
    weight = model.embedding.token.weight
    vectors = torch.empty(len(rows), model.config.d_model, dtype=weight.dtype, device=weight.device)
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        vectors[chosen] = _means(model, [rows[index] for index in chosen])
    return vectors


def frame(model: Transformer, tokenizer: Tokenizer, ids: Sequence[int]) -> list[int]:
    """The tokens that the model saw around a text in training."""
    begin = [tokenizer.cls] if model.config.topology != "encoder-decoder" else []
    end = [tokenizer.sep] if model.config.topology != "decoder" else []
    return [*begin, *ids, *end]


def _means(model: Transformer, rows: Sequence[Sequence[int]]) -> Float[Tensor, "row d_model"]:
    longest, device = max(map(len, rows)), model.embedding.token.weight.device
    tokens = torch.zeros(len(rows), longest, dtype=torch.long, device=device)
    real = torch.zeros(len(rows), longest, dtype=torch.bool, device=device)
    for index, row in enumerate(rows):
        tokens[index, : len(row)] = torch.tensor(row, device=device)
        real[index, : len(row)] = True
    layout = Layout.plain(tokens, real)
    hidden = model.encode(tokens, layout) if model.config.encoder_layers else model.decode(tokens, layout)
    total = (hidden * real[:, :, None]).sum(1)
    return F.normalize(total / real.sum(1, keepdim=True), dim=-1)
