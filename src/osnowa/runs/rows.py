"""A recipe's rows and questions, for training, held-out figures, doctor and show alike."""

from __future__ import annotations

import numpy as np

from osnowa.data import RowSequence, TokenSplit
from osnowa.errors import SettingsError
from osnowa.objective import Objective, ObjectiveConfig, Vocabulary, build_objective
from osnowa.runs.recipe import Recipe
from osnowa.tokenizer import Tokenizer


def required_tokens(objective: ObjectiveConfig) -> tuple[str, ...]:
    """The special tokens that an objective can't do without, by role or by content."""
    masked = objective.question == "hidden" or objective.name == "infilling"
    return ("pad", "cls", "sep", *(("mask",) if masked else ()), *objective.extra_specials)


def vocabulary_of(tokenizer: Tokenizer) -> Vocabulary:
    """What an objective must know of a tokenizer."""
    specials = tokenizer.specials
    return Vocabulary(
        size=tokenizer.vocab_size,
        pad=tokenizer.pad,
        cls=tokenizer.cls,
        sep=tokenizer.sep,
        mask=specials.get("mask", specials["pad"]),
        special_ids=tokenizer.special_ids,
        continues_word=tokenizer.continues_word,
        ids={tokenizer.token(index): index for index in sorted(tokenizer.special_ids)},
    )


def objective_of(recipe: Recipe, tokenizer: Tokenizer, seed: int, mask_share: float | None = None) -> Objective:
    """What is asked of a row; `mask_share` in the place of the recipe's.

    Raises:
        SettingsError: a model of that topology can't learn it.
    """
    config = recipe.objective
    return build_objective(
        config if mask_share is None else config.changed(mask_share=mask_share),
        vocabulary_of(tokenizer),
        seed=seed,
        topology=recipe.model.topology,
        row_length=recipe.data.row_length,
    )


def sequence_of(
    recipe: Recipe, tokenizer: Tokenizer, split: TokenSplit, objective: Objective, seed: int
) -> RowSequence:
    """The rows of a split, as long and as full as `objective` wants them.

    Raises:
        SettingsError: the objective asks for pairs, and the text was not prepared as such.
    """
    if objective.shape == "couple" and not bool((np.diff(split.documents) == 2).all()):
        raise SettingsError(
            f"objective.name = {recipe.objective.name}",
            "needs pairs, and this text was prepared as documents",
            "prepare it again with --source-column NAME --target-column NAME",
        )
    return RowSequence(
        split,
        objective.shape,
        recipe.data.row_length,
        seed,
        cls=tokenizer.cls,
        sep=tokenizer.sep,
        pad=tokenizer.pad,
        room=objective.room,
    )
