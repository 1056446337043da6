"""Section [objective]: what the model should learn."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from osnowa.errors import SettingsError
from osnowa.objective.masked import MaskingConfig
from osnowa.settings import Settings

ObjectiveName = Literal[
    "masked",
    "masked-next-sentence",
    "sentence-order",
    "next-token",
    "span-corruption",
    "prefix-lm",
    "ul2",
    "infilling",
    "translation",
]
Question = Literal["hidden", "next", "target"]
Topology = Literal["encoder", "decoder", "encoder-decoder"]
# What is asked (hidden tokens in their place, each next token, or a target for a source) and which topologies answer.
QUESTIONS: dict[ObjectiveName, tuple[Question, tuple[Topology, ...]]] = {
    "masked": ("hidden", ("encoder",)),
    "masked-next-sentence": ("hidden", ("encoder",)),
    "sentence-order": ("hidden", ("encoder",)),
    "next-token": ("next", ("decoder",)),
    "span-corruption": ("target", ("encoder-decoder", "decoder")),
    "prefix-lm": ("target", ("encoder-decoder", "decoder")),
    "ul2": ("target", ("encoder-decoder", "decoder")),
    "infilling": ("target", ("encoder-decoder", "decoder")),
    "translation": ("target", ("encoder-decoder", "decoder")),
}
PAIRED: tuple[ObjectiveName, ...] = ("masked-next-sentence", "sentence-order")
SENTINELS = tuple(f"<extra_id_{number}>" for number in range(100))
DENOISERS = ("[NLU]", "[NLG]", "[S2S]")  # what the published UL2 models call the denoisers R, X and S
EXTRA_SPECIALS: dict[ObjectiveName, tuple[str, ...]] = {
    "span-corruption": SENTINELS,
    "ul2": (*DENOISERS, *SENTINELS),
}


class ObjectiveConfig(Settings):
    """Section [objective]."""

    name: ObjectiveName = Field(
        default="masked-next-sentence",
        description="hidden tokens alone, or with pairs that follow each other or not, or stand in order or not; each "
        "next token; or a target for a source: hidden spans, the rest of a text, a mixture of both, a damaged text "
        "made whole, the other column of a pair",
    )
    mask_share: float = Field(default=0.15, description="share of the tokens hidden", gt=0, le=0.9)
    whole_words: bool = Field(default=False, description="hide all pieces of a word together")
    mean_span: float = Field(default=3.0, description="tokens of a hidden span, on average", ge=1, le=100)
    separate_documents: bool = Field(
        default=True, description="next-token: no token looks at another document of its row"
    )
    label_smoothing: float = Field(
        default=0.0, description="share of the truth that is spread over the vocabulary in training", ge=0, lt=1
    )

    @property
    def question(self) -> Question:
        """What is asked of a row."""
        return QUESTIONS[self.name][0]

    @property
    def asks_pairs(self) -> bool:
        """Whether sentence pairs are judged, which takes a head of its own."""
        return self.name in PAIRED

    @property
    def extra_specials(self) -> tuple[str, ...]:
        """Special tokens that the tokenizer must have for it."""
        return EXTRA_SPECIALS.get(self.name, ())

    @property
    def masking(self) -> MaskingConfig:
        return MaskingConfig(share=self.mask_share, whole_words=self.whole_words)

    def misfit(self, topology: Topology) -> SettingsError | None:
        """The error to raise when a model of `topology` can't learn it."""
        if topology in QUESTIONS[self.name][1]:
            return None
        fitting = ", ".join(name for name, (_, topologies) in QUESTIONS.items() if topology in topologies)
        what = f"is nothing that a model of kind {topology} learns"
        return SettingsError(f"objective.name = {self.name}", what, f"use {fitting}")

    @model_validator(mode="after")
    def _has_effect(self) -> Self:
        rules = (
            (self.whole_words and self.question != "hidden", "whole_words = true", "leave it out"),
            (not self.separate_documents and self.name != "next-token", "separate_documents = false", "leave it out"),
        )
        errors = [
            SettingsError(f"objective.{what}", f"has no effect with objective.name = {self.name}", instead)
            for wrong, what, instead in rules
            if wrong
        ]
        if errors:
            raise SettingsError.join(errors)
        return self
