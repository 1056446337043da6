"""What the model should learn, as one choice shared by all topologies."""

from __future__ import annotations

from osnowa.objective.batch import Batch, Outcome, Source, Vocabulary
from osnowa.objective.config import PAIRED, ObjectiveConfig, ObjectiveName, Topology
from osnowa.objective.hidden import HiddenTokens
from osnowa.objective.masked import MaskingConfig
from osnowa.objective.next_token import NextToken
from osnowa.objective.objective import Objective
from osnowa.objective.target import Target

__all__ = [
    "PAIRED",
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
    misfit = config.misfit(topology)
    if misfit is not None:
        raise misfit
    if config.question == "hidden":
        return HiddenTokens(config, vocabulary, seed=seed)
    if config.question == "next":
        return NextToken(config, vocabulary, seed=seed)
    return Target(config, vocabulary, seed=seed, topology=topology, row_length=row_length)
