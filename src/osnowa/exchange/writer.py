"""A trained model as a folder that Hugging Face transformers loads, versions 5 and 4.57 alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from osnowa import files
from osnowa.errors import SettingsError
from osnowa.exchange.families import choose_family
from osnowa.exchange.family import SpecialIds, parameter_shapes
from osnowa.model import ModelConfig
from osnowa.tokenizer import FILE as TOKENIZER_FILE
from osnowa.tokenizer import Tokenizer, special_tokens_map, tokenizer_config


def write_folder(
    folder: Path,
    config: ModelConfig,
    weights: Mapping[str, Tensor],
    tokenizer: Tokenizer,
    *,
    card: str,
) -> None:
    """Fill `folder`, which the caller publishes: config, weights, tokenizer and model card.

    `weights` are named as in `Transformer.named_parameters()`: a tied matrix is there once. They are written as
    float32, and equal weights give equal bytes.

    Raises:
        SettingsError: no class has this shape, or the tokenizer has more entries than the model; nothing was written.
        StorageError, CannotCreateError
    """
    family = choose_family(config, tokenizer.pad)
    ids = SpecialIds(tokenizer.pad, tokenizer.cls, tokenizer.sep)
    if tokenizer.vocab_size > config.vocab_size:
        raise SettingsError(
            f"model.vocab_size = {config.vocab_size}",
            f"the tokenizer has {tokenizer.vocab_size} entries",
            "use the tokenizer that the model was trained with",
        )
    shapes = parameter_shapes(config)
    given = {name: tuple(each.shape) for name, each in weights.items()}
    assert given == dict(shapes), f"weights of another model: {sorted(given.items() ^ shapes.items())[:5]}"
    tensors: dict[str, dict[str, Tensor]] = {}
    for entry in family.entries(config, shapes):
        parts = [weights[name].detach().to("cpu", torch.float32) for name in entry.ours]
        whole = parts[0] if len(parts) == 1 else torch.cat(parts)
        tensors.setdefault(entry.file, {})[entry.theirs] = whole[None] if entry.row else whole
    settings = {
        "architectures": [family.class_name(config)],
        "model_type": family.model_type,
        "dtype": "float32",
        **family.write_settings(config, ids),
    }
    generation = family.write_generation(ids)
    companion = tokenizer_config(tokenizer, max_length=config.max_positions, segments=config.num_segments > 1)
    for name, group in tensors.items():
        files.save_tensors(folder / name, group)
    files.write_json(folder / "config.json", settings)
    if generation:
        files.write_json(folder / "generation_config.json", generation)
    files.write(folder / TOKENIZER_FILE, tokenizer.to_bytes())
    files.write_json(folder / "tokenizer_config.json", companion)
    files.write_json(folder / "special_tokens_map.json", special_tokens_map(tokenizer))
    files.write(folder / "README.md", card)
