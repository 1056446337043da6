"""What the model should learn, as one choice shared by all topologies."""

from __future__ import annotations

from osnowa.errors import SettingsError
from osnowa.objective.batch import Batch, Outcome, Source, Vocabulary
from osnowa.objective.config import PAIRED, QUESTIONS, ObjectiveConfig, ObjectiveName, Topology
from osnowa.objective.hidden import HiddenTokens
from osnowa.objective.masked import MaskingConfig
from osnowa.objective.next_token import NextToken
from osnowa.objective.objective import Objective
from osnowa.objective.target import Target

__all__ = [
    "PAIRED",
    "QUESTIONS",
    "Batch",
    "HiddenTokens",
    "MaskingConfig",
    "NextToken",
    "Objective",
    "ObjectiveConfig",
    "ObjectiveName",
    "Outcome",
    "Source",
    "Target",
    "Topology",
    "Vocabulary",
    "build_objective",
]


def build_objective(
    config: ObjectiveConfig, vocabulary: Vocabulary, *, seed: int, topology: Topology, row_length: int
) -> Objective:
    """The objective that the settings name, for a model of `topology` and rows of `row_length` places.

    Raises:
        SettingsError: that topology can't learn it.
    """
    question, topologies = QUESTIONS[config.name]
    if topology not in topologies:
        fitting = ", ".join(name for name, (_, fit) in QUESTIONS.items() if topology in fit)
        raise SettingsError(
            f"objective.name = {config.name}", f"is nothing for a model of kind {topology}", f"use {fitting}"
        )
    if question == "hidden":
        return HiddenTokens(config, vocabulary, seed=seed)
    if question == "next":
        return NextToken(config, vocabulary, seed=seed)
    return Target(config, vocabulary, seed=seed, topology=topology, row_length=row_length)
