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
    attention_scale: float | None = Field(
        default=None, description="scores are multiplied by it; none: 1 / sqrt(d_head)", gt=0, le=100
    )
    attention_softcap: float | None = Field(
        default=None, description="scores are bent into -cap .. cap by a tanh; none: not", gt=0, le=1e6
    )
    qk_norm: bool = Field(default=False, description="normalise each head's queries and keys")
    position: Literal["none", "learned", "sinusoidal", "rotary", "relative"] = Field(
        default="learned", description="where order enters"
    )
    position_offset: int = Field(
        default=0, description="rows of the learned table before that of position 0", ge=0, le=1024
    )
    rotary_bases: tuple[float, ...] = Field(default=(10_000.0,), description="rotary base of layer i: [i % len]")
    rotary_factors: tuple[float, ...] = Field(
        default=(1.0,), description="positions of layer i are divided by [i % len]"
    )
    rotary_stretch: tuple[float, float, float, float] | None = Field(
        default=None,
        description="factor, low and high frequency bound, and old length by which slow rotations are slowed further",
    )
    relative_buckets: int = Field(default=32, description="kinds of distance of relative positions", ge=4, le=4096)
    relative_furthest: int = Field(default=128, description="distances from here on are one kind", ge=4, le=1_048_576)

    feed_forward: Literal["mlp", "glu"] = Field(default="mlp", description="plain or gated feed-forward network")
    feed_forward_bias: bool = Field(default=True, description="biases in the feed-forward network")
    activation: Literal["relu", "gelu", "gelu_tanh", "silu"] = Field(default="gelu", description="its non-linearity")
    num_experts: int = Field(
        default=0, description="feed-forward networks to choose from; 0: one, no choice", ge=0, le=1024
    )
    experts_per_token: int = Field(default=2, description="of these, how many each token goes through", ge=1, le=1024)
    balance_weight: float = Field(default=0.0, description="of the loss that keeps experts equally busy", ge=0, le=100)
    norm: Literal["layernorm", "rmsnorm"] = Field(default="layernorm", description="which normalisation")
    norm_placement: Literal["pre", "post", "sandwich"] = Field(
        default="post", description="before each sublayer, after it, or both inside the sum"
    )
    norm_bias: bool = Field(default=True, description="biases in the norms")
    norm_offset: bool = Field(default=False, description="a norm multiplies by 1 + weight (rmsnorm only)")
    norm_eps: float = Field(default=1e-5, description="added to the variance", gt=0, le=1e-2)
    dropout: float = Field(default=0.0, description="share dropped after each sublayer", ge=0, lt=1)
    attention_dropout: float | None = Field(
        default=None, description="share of attention weights dropped; none: as dropout", ge=0, lt=1
    )
    feed_forward_dropout: float = Field(default=0.0, description="share dropped inside feed-forward", ge=0, lt=1)

    num_segments: int = Field(
        default=0, description="kinds of segment (sentence A, B); 0: no segment embedding", ge=0, le=16
    )
    input_norm: bool = Field(default=False, description="normalise the summed embeddings")
    first_norm: bool = Field(default=True, description="the first block normalises its input (pre placement)")
    embedding_scale: float = Field(default=1.0, description="token vectors are multiplied by it", gt=0, le=1e4)
    tie_embeddings: bool = Field(default=True, description="the vocabulary projection is the token embedding")
    head_transform: bool = Field(default=False, description="dense, activation and norm before the vocabulary")
    head_transform_bias: bool = Field(default=True, description="bias in that dense layer")
    head_bias: bool = Field(default=False, description="bias of the vocabulary projection")
    logit_scale: float = Field(default=1.0, description="hidden vectors are multiplied by it before", gt=0, le=1e4)
    logit_softcap: float | None = Field(
        default=None, description="logits are bent into -cap .. cap by a tanh; none: not", gt=0, le=1e6
    )
    next_sentence: bool = Field(default=False, description="a next-sentence head on the first token")
    zero_init: bool = Field(
        default=False, description="matrices that write into the residual stream begin as zeros: each block as nothing"
    )

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
        if not self.rotary_factors or any(factor <= 0 for factor in self.rotary_factors):
            errors.append(
                SettingsError(
                    f"model.rotary_factors = {list(self.rotary_factors)}", "a factor is a number above 0", "use 1"
                )
            )
        errors += self._odd_ones()
        if errors:
            raise SettingsError.join(errors)
        return self

    def _odd_ones(self) -> list[SettingsError]:
        """Parts that need another part."""
        rules = (
            (
                not self.first_norm and not (self.norm_placement == "pre" and self.input_norm),
                "model.first_norm = false",
                "needs norm_placement = pre and input_norm = true",
                "leave it true",
            ),
            (
                self.norm_offset and self.norm != "rmsnorm",
                "model.norm_offset = true",
                "needs norm = rmsnorm",
                "leave it false",
            ),
            (
                0 < self.num_experts < self.experts_per_token,
                f"model.experts_per_token = {self.experts_per_token}",
                f"is more than num_experts = {self.num_experts}",
                f"use at most {self.num_experts}",
            ),
            (
                bool(self.num_experts) and self.feed_forward != "glu",
                f"model.num_experts = {self.num_experts}",
                "experts are gated networks",
                "use feed_forward = glu",
            ),
            (
                self.balance_weight > 0 and not self.num_experts,
                f"model.balance_weight = {self.balance_weight:g}",
                "has no effect without experts",
                "leave it 0",
            ),
            (
                self.rotary_stretch is not None and not _can_stretch(*self.rotary_stretch),
                f"model.rotary_stretch = {list(self.rotary_stretch or ())}",
                "needs a factor and a length above 0, and a low bound from 0 below the high one",
                "use 8, 1, 4, 8192",
            ),
            (
                self.position_offset > 0 and self.position != "learned",
                f"model.position_offset = {self.position_offset}",
                f"has no effect with position = {self.position}",
                "leave it 0",
            ),
            (
                self.position == "relative" and self.relative_furthest <= self.relative_buckets // 2,
                f"model.relative_furthest = {self.relative_furthest}",
                f"is not beyond the {self.relative_buckets // 2} distances that have a kind of their own",
                f"use at least {self.relative_buckets // 2 + 1}",
            ),
            (
                self.position == "sinusoidal" and self.d_model % 2 == 1,
                f"model.d_model = {self.d_model}",
                "is odd, and sines come with cosines",
                "use an even width",
            ),
        )
        return [SettingsError(where, what, instead) for wrong, where, what, instead in rules if wrong]


def _can_stretch(factor: float, low: float, high: float, length: float) -> bool:
    return factor > 0 and 0 <= low < high and length > 0
