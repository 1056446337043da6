"""How text is generated: how much, how freely, and where it stops."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from osnowa.errors import SettingsError
from osnowa.settings import Settings

Topology = Literal["encoder", "decoder", "encoder-decoder"]
FREEDOM = 0.8  # temperature of a decoder when none is given: the likeliest tokens alone run in circles
COLDEST = 0.01  # colder is the likeliest token, and divisions that overflow

StopString = Annotated[str, Field(min_length=1, max_length=1000)]


class GenerationConfig(Settings):
    """How to go on from a prompt. Every setting either has an effect or is refused.

    Raises:
        SettingsError: a value out of its range, or one that has no effect beside another.
    """

    max_tokens: int = Field(default=100, description="at most so many new tokens", ge=1, le=1_048_576)
    temperature: float | None = Field(
        default=None,
        description="logits are divided by it; 0: always the likeliest token; none: 0.8 for a decoder, else 0",
        ge=0,
        le=100,
    )
    top_k: int | None = Field(default=None, description="only so many of the likeliest tokens", ge=1, le=10_000_000)
    top_p: float | None = Field(
        default=None, description="only the likeliest tokens that make up this share", gt=0, le=1
    )
    min_p: float | None = Field(
        default=None, description="only tokens at least this share as likely as the likeliest", gt=0, le=1
    )
    repetition_penalty: float = Field(
        default=1.0, description="tokens that were there count less by this factor; 1: no", ge=0.01, le=100
    )
    stop: tuple[StopString, ...] = Field(default=(), description="texts that end it; they are cut off", max_length=64)
    beams: int = Field(default=1, description="texts that are followed side by side", ge=1, le=256)
    length_penalty: float = Field(
        default=1.0, description="a beam's score is divided by its length to this power", ge=-5, le=5
    )
    seed: int = Field(default=0, description="what chance depends on", ge=0, le=2**63 - 1)

    @field_validator("stop", mode="before")
    @classmethod
    def _one_text_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _all_have_an_effect(self) -> GenerationConfig:
        errors = []
        if self.temperature is not None and 0 < self.temperature < COLDEST:
            errors.append(
                SettingsError(
                    f"temperature = {self.temperature:g}", f"is colder than {COLDEST}", "use 0 for the likeliest token"
                )
            )
        if self.beams > 1 and self.temperature:
            errors.append(
                SettingsError(
                    f"temperature = {self.temperature:g}", f"{self.beams} beams draw nothing", "use 0, or beams = 1"
                )
            )
        if self.beams == 1 and self.length_penalty != 1.0:
            errors.append(
                SettingsError(
                    f"length_penalty = {self.length_penalty:g}", "has no effect with beams = 1", "use beams = 4"
                )
            )
        if self.beams > 1 or self.temperature == 0:
            why = f"has no effect with {'beams' if self.beams > 1 else 'temperature = 0'}"
            errors += [
                SettingsError(f"{name} = {getattr(self, name):g}", why, "leave it out")
                for name in ("top_k", "top_p", "min_p")
                if getattr(self, name) is not None
            ]
        if errors:
            raise SettingsError.join(errors)
        return self

    def heat(self, topology: Topology) -> float:
        """The temperature, derived when none is given: a decoder draws, unless it follows beams."""
        if self.temperature is not None:
            return self.temperature
        return FREEDOM if topology == "decoder" and self.beams == 1 else 0.0
