"""A trained model as a folder that Hugging Face transformers loads, versions 5 and 4.57 alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from osnowa import files
from osnowa.errors import SettingsError
from osnowa.exchange.chat import write_chat
from osnowa.exchange.families import choose_family
from osnowa.exchange.family import SOURCE_WHOLE, SpecialIds, parameter_shapes
from osnowa.generate.chat import Template
from osnowa.model import ModelConfig
from osnowa.tokenizer import FILE as TOKENIZER_FILE
from osnowa.tokenizer import Tokenizer, special_tokens_map, tokenizer_config


def write_folder(
    folder: Path,
    config: ModelConfig,
    weights: Mapping[str, Tensor],
    tokenizer: Tokenizer | None,
    *,
    card: str,
    ids: SpecialIds | None = None,
    chat: Template | None = None,
    source_whole: bool = False,
) -> None:
    """Fill `folder`, which the caller publishes: config, weights, tokenizer and model card.

    A shape that no class of transformers has is written in our own format. `ids` are the special tokens' where the
    tokenizer has other names for them than ours; `tokenizer` is None for a model that came without one, `chat` for one
    that holds no conversations. `source_whole`: a decoder that saw the tokens of a source in both directions, which
    config.json says under a key of ours.

    `weights` are named as in `Transformer.named_parameters()`: a tied matrix is there once. They are written as
    float32, and equal weights give equal bytes.

    Raises:
        SettingsError: the tokenizer has more entries than the model; nothing was written.
        StorageError, CannotCreateError
    """
    ids = ids or special_ids(tokenizer)
    family = choose_family(config, ids.pad)
    if tokenizer is not None and tokenizer.vocab_size > config.vocab_size:
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
        ours = {name: weights[name].detach().to("cpu", torch.float32) for name in entry.ours}
        tensors.setdefault(entry.file, {})[entry.theirs] = entry.pack(ours)
    settings = {
        "architectures": [family.class_name(config)],
        "model_type": family.model_type,
        "dtype": "float32",
        **family.write_settings(config, ids),
        **({SOURCE_WHOLE: True} if source_whole else {}),
    }
    generation = family.write_generation(ids)
    for name, group in tensors.items():
        files.save_tensors(folder / name, group)
    files.write_json(folder / "config.json", settings)
    if generation:
        files.write_json(folder / "generation_config.json", generation)
    if tokenizer is not None:
        _write_tokenizer(folder, config, tokenizer, ids if generation else None)
    if chat is not None:
        write_chat(folder, chat)
    files.write(folder / "README.md", card)


def special_ids(tokenizer: Tokenizer | None) -> SpecialIds:
    """Those of a tokenizer by our names, None for each that it does not have."""
    roles = {} if tokenizer is None else tokenizer.specials
    return SpecialIds(roles.get("pad"), roles.get("cls"), roles.get("sep"))


def _write_tokenizer(folder: Path, config: ModelConfig, tokenizer: Tokenizer, ids: SpecialIds | None) -> None:
    """The tokenizer and its companions; `ids`: of a model that writes text, whose begin and end other tools look for."""
    roles = {} if ids is None else {"pad_token": ids.pad, "bos_token": ids.bos, "eos_token": ids.eos}
    names = {role: tokenizer.token(index) for role, index in roles.items() if index is not None}
    companion = tokenizer_config(tokenizer, max_length=config.max_positions, segments=config.num_segments > 1)
    files.write(folder / TOKENIZER_FILE, tokenizer.to_bytes())
    files.write_json(folder / "tokenizer_config.json", {**companion, **names})
    files.write_json(folder / "special_tokens_map.json", {**special_tokens_map(tokenizer), **names})
