"""What a full row of an objective holds, and how many operations a model needs for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from osnowa.model import ModelConfig
from osnowa.model.outline import outline
from osnowa.objective import ObjectiveConfig, Target, Vocabulary, build_objective


@dataclass(frozen=True)
class RowShape:
    """A full row: tokens that encoder and decoder read, places that are asked, and the places of the row's tensors."""

    encoder: float
    decoder: float
    asked: float
    encoder_places: int
    decoder_places: int

    @property
    def tokens(self) -> float:
        """Of source and target together."""
        return self.encoder + self.decoder


def row_shape(config: ModelConfig, objective: ObjectiveConfig, row_length: int) -> RowShape:
    """The row that an objective makes of the longest text that fits; the mean over its ways to damage a text.

    Raises:
        SettingsError: a model of that topology can't learn it, or the row is too long for it.
    """
    vocabulary = placeholder(config, objective)
    made = build_objective(objective, vocabulary, seed=0, topology=config.topology, row_length=row_length)
    if not isinstance(made, Target):
        encoder, decoder = (row_length, 0) if config.topology == "encoder" else (0, row_length)
        share = objective.mask_share if objective.question == "hidden" else 1.0
        return RowShape(encoder, decoder, share * row_length, encoder, decoder)
    assert made.room is not None
    text = np.array([made.room.budget])
    lengths = np.array([[int(each[0]) for each in one.lengths(text)] for one in made.denoisers])
    source, target = lengths.mean(axis=0) if len(lengths) else (row_length, row_length)
    if made.alone:
        return RowShape(0, row_length, row_length * float(target / (source + target)), 0, row_length)
    return RowShape(float(source), float(target), float(target), row_length, made.target_length)


def placeholder(config: ModelConfig, objective: ObjectiveConfig) -> Vocabulary:
    """A vocabulary for asking an objective about lengths, where there is no tokenizer."""
    ids = {name: 5 + place for place, name in enumerate(objective.extra_specials)}
    special = frozenset(range(5 + len(ids)))
    size = max(config.vocab_size, len(special) + 1)
    return Vocabulary(size, 0, 1, 2, 3, special, np.zeros(size, dtype=bool), ids)


def count_parameters(config: ModelConfig) -> int:
    """Parameters of a model, without making it: those of one with two layers in each stack, and the further layers.

    All layers but a stack's first are as large as its second.
    """
    layers = {"encoder": config.encoder_layers, "decoder": config.decoder_layers}
    model = outline(config.changed(**{f"{stack}_layers": min(number, 2) for stack, number in layers.items()}))
    return model.parameter_count() + sum(
        (number - 2) * sum(each.numel() for each in model.get_submodule(f"{stack}.blocks.1").parameters())
        for stack, number in layers.items()
        if number > 2
    )


def flops_per_token(config: ModelConfig, objective: ObjectiveConfig, row_length: int) -> int:
    """Operations of the matrix products of a full row, forward and backward, for each token of source and target.

    6 for each weight that a token goes through: of the blocks (of experts the chosen ones), of cross-attention (keys and
    values by the source's tokens, the rest by the target's), and at the asked places only those of the vocabulary head
    and, without experts, of what follows the last block's last look; the last queries, too, where there is one
    stack and no more than half of its places are asked (on a GPU all of them are made all the same). 12 for each number of a query and each key
    that it may look at: a decoder's on average half of its row (Kaplan et al. 2020, section 2.1, with attention counted).
    """
    shape = row_shape(config, objective, row_length)
    wide, narrow = config.num_heads * config.head_width, config.kv_heads * config.head_width
    asking, asked = 2 * config.d_model * wide, 2 * config.d_model * narrow  # query and output; key and value
    block = asking + asked + _feed_forward(config)
    weights = (shape.encoder * config.encoder_layers + shape.decoder * config.decoder_layers) * block
    looks = shape.encoder * 2 * _seen(config, range(config.encoder_layers), shape.encoder)
    looks += shape.decoder * _seen(config, range(config.decoder_layers), shape.decoder)
    if config.topology == "encoder-decoder":
        weights += config.decoder_layers * (shape.decoder * asking + shape.encoder * asked)
        looks += config.decoder_layers * shape.decoder * shape.encoder
    if not config.num_experts:
        places = shape.decoder if config.decoder_layers else shape.encoder
        unasked = places - shape.asked
        weights -= unasked * (asking // 2 + _feed_forward(config))
        if config.topology != "encoder-decoder" and 2 * shape.asked <= places:
            layers, sides = config.encoder_layers or config.decoder_layers, 2 if config.encoder_layers else 1
            weights -= unasked * (asking // 2)
            looks -= unasked * sides * _seen(config, range(layers)[-1:], places)
    head = shape.asked * config.d_model * (config.vocab_size + config.d_model * config.head_transform)
    return round((6 * (weights + head) + 12 * wide * looks) / shape.tokens)


def _feed_forward(config: ModelConfig) -> int:
    """Weights that a token goes through."""
    one = (3 if config.feed_forward == "glu" else 2) * config.d_model * config.d_ff
    return config.experts_per_token * one + config.num_experts * config.d_model if config.num_experts else one


def _seen(config: ModelConfig, layers: range, length: float) -> float:
    """Keys on one side of a query, in all `layers`, on average over a row of `length`."""
    widths = [min(length, config.windows[i % len(config.windows)] or length) for i in layers]
    return sum(width - width**2 / (2 * length) for width in widths)
