"""The architecture as data: every size and every choice of a model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from osnowa.errors import SettingsError
from osnowa.settings import Settings


class ModelConfig(Settings):
    """An architecture. Which layer counts are not zero decides the topology.

    Raises:
        SettingsError: sizes that can't go together, with sizes that can.
    """

    vocab_size: int = Field(description="rows of the token embedding", ge=8, le=10_000_000)
    d_model: int = Field(description="width of the residual stream", ge=2, le=65_536)
    d_ff: int = Field(description="width inside the feed-forward network", ge=1, le=1_000_000)
    num_heads: int = Field(description="attention heads", ge=1, le=1024)
    encoder_layers: int = Field(default=0, description="blocks in the encoder", ge=0, le=1024)
    decoder_layers: int = Field(default=0, description="blocks in the decoder", ge=0, le=1024)
    max_positions: int = Field(default=512, description="longest row the model can take", ge=8, le=1_048_576)

    num_kv_heads: int | None = Field(default=None, description="key/value heads; none: as many as heads", ge=1)
    d_head: int | None = Field(default=None, description="width of a head; none: d_model / num_heads", ge=1)
    windows: tuple[int | None, ...] = Field(
        default=(None,), description="how far layer i sees: windows[i % len]; none: everywhere"
    )
    attention_bias: bool = Field(default=True, description="biases on query, key, value and output")
    position: Literal["none", "learned", "rotary"] = Field(default="learned", description="where order enters")
    rotary_bases: tuple[float, ...] = Field(default=(10_000.0,), description="rotary base of layer i: [i % len]")

    feed_forward: Literal["mlp", "glu"] = Field(default="mlp", description="plain or gated feed-forward network")
    feed_forward_bias: bool = Field(default=True, description="biases in the feed-forward network")
    activation: Literal["relu", "gelu", "gelu_tanh", "silu"] = Field(default="gelu", description="its non-linearity")
    norm: Literal["layernorm", "rmsnorm"] = Field(default="layernorm", description="which normalisation")
    norm_placement: Literal["pre", "post"] = Field(default="post", description="before or after each sublayer")
    norm_bias: bool = Field(default=True, description="biases in the norms")
    norm_eps: float = Field(default=1e-5, description="added to the variance", gt=0, le=1e-2)
    dropout: float = Field(default=0.0, description="share dropped after each sublayer", ge=0, lt=1)

    num_segments: int = Field(
        default=0, description="kinds of segment (sentence A, B); 0: no segment embedding", ge=0, le=16
    )
    input_norm: bool = Field(default=False, description="normalise the summed embeddings")
    first_norm: bool = Field(default=True, description="the first block normalises its input (pre placement)")
    tie_embeddings: bool = Field(default=True, description="the vocabulary projection is the token embedding")
    head_transform: bool = Field(default=False, description="dense, activation and norm before the vocabulary")
    head_transform_bias: bool = Field(default=True, description="bias in that dense layer")
    head_bias: bool = Field(default=False, description="bias of the vocabulary projection")
    next_sentence: bool = Field(default=False, description="a next-sentence head on the first token")

    @property
    def head_width(self) -> int:
        """d_head, derived when it is not given."""
        return self.d_head or self.d_model // self.num_heads

    @property
    def kv_heads(self) -> int:
        """num_kv_heads, derived when it is not given."""
        return self.num_kv_heads or self.num_heads

    @property
    def topology(self) -> Literal["encoder", "decoder", "encoder-decoder"]:
        """Encoder-only, decoder-only or both, by which layer counts are not zero."""
        if self.encoder_layers and self.decoder_layers:
            return "encoder-decoder"
        return "encoder" if self.encoder_layers else "decoder"

    @field_validator("windows", mode="before")
    @classmethod
    def _none_is_no_window(cls, value: object) -> object:
        """TOML has no null: the word none stands for it."""
        if isinstance(value, list | tuple):
            return tuple(None if each == "none" else each for each in value)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> ModelConfig:
        errors = []
        if not self.encoder_layers and not self.decoder_layers:
            errors.append(
                SettingsError(
                    "model.encoder_layers = 0", "a model needs layers", "give encoder_layers or decoder_layers"
                )
            )
        if self.d_head is None and self.d_model % self.num_heads:
            fits = ", ".join(str(n) for n in range(1, min(self.d_model, 64) + 1) if self.d_model % n == 0)
            errors.append(
                SettingsError(
                    f"model.num_heads = {self.num_heads}",
                    f"does not divide model.d_model = {self.d_model}",
                    f"use {fits}",
                )
            )
        elif self.position == "rotary" and self.head_width % 2:
            errors.append(
                SettingsError(
                    f"model.d_head = {self.head_width}", "is odd, and rotary positions turn pairs", "use an even width"
                )
            )
        if self.num_heads % self.kv_heads:
            errors.append(
                SettingsError(
                    f"model.num_kv_heads = {self.kv_heads}",
                    f"does not divide model.num_heads = {self.num_heads}",
                    f"use {', '.join(str(n) for n in range(1, self.num_heads + 1) if self.num_heads % n == 0)}",
                )
            )
        if any(window is not None and window < 1 for window in self.windows) or not self.windows:
            errors.append(
                SettingsError(
                    f"model.windows = {list(self.windows)}", "a window sees at least 1 token", "use none for no window"
                )
            )
        if not self.rotary_bases or any(base <= 1 for base in self.rotary_bases):
            errors.append(
                SettingsError(
                    f"model.rotary_bases = {list(self.rotary_bases)}", "a base is a number above 1", "use 10000"
                )
            )
        if not self.first_norm and not (self.norm_placement == "pre" and self.input_norm):
            errors.append(
                SettingsError(
                    "model.first_norm = false", "needs norm_placement = pre and input_norm = true", "leave it true"
                )
            )
        if errors:
            raise SettingsError.join(errors)
        return self
