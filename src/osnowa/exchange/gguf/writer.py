"""The file itself: header and tensors, streamed, there whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from osnowa import files
from osnowa.errors import CannotCreateError, DataError
from osnowa.exchange.gguf.header import MAGIC, NUMBER_TYPES, NumberType, Plan, padding, write_header
from osnowa.exchange.gguf.shape import Shape, Values
from osnowa.exchange.gguf.shapes import choose_shape
from osnowa.exchange.gguf.tensors import plan_tensors
from osnowa.exchange.gguf.vocabulary import vocabulary
from osnowa.exchange.notes import Note
from osnowa.model import ModelConfig
from osnowa.tokenizer import Tokenizer

_QUANTIZATION_VERSION = 2  # of the format, though nothing is quantised here


def export_gguf(
    path: Path,
    config: ModelConfig,
    weights: Mapping[str, Tensor],
    tokenizer: Tokenizer,
    *,
    type: NumberType = "f16",
    name: str,
) -> list[Note]:
    """Write the model as the GGUF file `path`, which llama.cpp and its kin run; gives what the user should know.

    `weights` are named as in `Transformer.named_parameters()`: a tied matrix is there once. Matrices are written as
    `type`, vectors always as float32. One tensor at a time is in memory, and equal weights give equal bytes. `name` is
    what other tools show. A GGUF file that is there is replaced in one step. Format: ggml-org/ggml, docs/gguf.md.

    Raises:
        SettingsError: llama.cpp can't compute this shape, or split text as this tokenizer does; or the library is missing.
        DataError: a number is no number, or too large for `type`.
        StorageError, CannotCreateError: it can't be written, or something else is there.
        In each case `path` is as it was.
    """
    shape = choose_shape(config)
    tokens, notes = vocabulary(tokenizer, config)
    plans = plan_tensors(shape, config, weights, type)
    header = write_header(shape.arch, _keys(shape, config, type, name, tokens), plans)
    _refuse_strangers(path)
    files.make_folder(path.parent)
    with files.replacing(path) as handle:
        handle.write(header)
        for plan in plans:
            handle.write(_cast(plan).view(torch.uint8).numpy().data)
            handle.write(padding(plan.num_bytes))
    return notes + _remarks(shape, config, tokens)


def _keys(shape: Shape, config: ModelConfig, number_type: NumberType, name: str, tokens: Values) -> Values:
    """All keys of the file but the architecture's name."""
    sizes: Values = {
        "vocab_size": config.vocab_size,
        "context_length": config.max_positions,
        "embedding_length": config.d_model,
        "block_count": config.encoder_layers or config.decoder_layers,
        "feed_forward_length": config.d_ff,
        "attention.head_count": config.num_heads,
    }
    return {
        "general.type": "model",
        "general.name": name,
        "general.file_type": NUMBER_TYPES[number_type].whole_file,
        "general.quantization_version": _QUANTIZATION_VERSION,
        **{f"{shape.arch}.{key}": value for key, value in {**sizes, **shape.keys(config)}.items()},
        **{f"tokenizer.ggml.{key}": value for key, value in tokens.items()},
    }


def _cast(plan: Plan) -> Tensor:
    """The numbers of a tensor in the file's type, one after the other."""
    exact = plan.build()
    assert tuple(exact.shape) == plan.shape, f"{plan.name}: {tuple(exact.shape)} instead of {plan.shape}"
    cast = exact.to(NUMBER_TYPES[plan.type].torch)
    if not bool(exact.isfinite().all()):
        raise DataError(plan.name, "holds what is no number", "train again from a sound checkpoint")
    if not bool(cast.isfinite().all()):
        largest = float(exact.abs().max())
        raise DataError(plan.name, f"holds {largest:g}, too large for {plan.type}", "use --type bf16 or --type f32")
    return cast.flatten()


def _refuse_strangers(path: Path) -> None:
    """What stands at `path` is replaced only when it is a GGUF file."""
    if path.is_file():
        with files.reading_errors(path), path.open("rb") as handle:
            if handle.read(len(MAGIC)) != MAGIC:
                raise CannotCreateError(str(path), "is there and is no GGUF file", "choose another --out")


def _remarks(shape: Shape, config: ModelConfig, tokens: Values) -> list[Note]:
    """What is otherwise in llama.cpp than here."""
    notes = []
    if config.encoder_layers:
        notes.append(
            Note("vectors-only", "llama.cpp gives the vectors of an encoder; the file has no prediction heads")
        )
    if shape.arch == "bert" and config.activation == "gelu":
        notes.append(
            Note("gelu-by-tanh", "llama.cpp computes gelu by tanh, in half precision: vectors differ by about 2e-4")
        )
    if tokens["model"] == "bert":
        notes.append(
            Note("recent-llama.cpp", "an llama.cpp from before mid-2026 folds all letters to plain small ones (Ż to z)")
        )
    if shape.arch == "mimo2":
        message = (
            "written as llama.cpp's architecture mimo2, which obeys windows as llama does not; other tools may lack it"
        )
        notes.append(Note("windows", message))
    return notes
