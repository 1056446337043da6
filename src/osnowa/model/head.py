"""The prediction heads: from hidden vectors to logits over the vocabulary, or over "is next" and "is not"."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from osnowa.model.attention import softcap
from osnowa.model.config import ModelConfig
from osnowa.model.cross_entropy import projected_cross_entropy
from osnowa.model.linear import Linear, activate
from osnowa.model.module import Module, Same
from osnowa.model.norm import build_norm
from osnowa.model.tap import Tap


class Transform(Module):
    """Dense, activation, norm: the first of the two layers of the masked-token head (Devlin et al. 2019)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.dense = Linear(config.d_model, config.d_model, bias=config.head_transform_bias)
        self.activation, self.norm = config.activation, build_norm(config)

    def forward(self, hidden: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        return self.norm(activate(hidden, self.dense, self.activation))


class LanguageModelHead(Module):
    """Logits over the vocabulary: how well each token fits this place. The projection may be the token embedding."""

    def __init__(self, config: ModelConfig, token: nn.Embedding) -> None:
        super().__init__()
        self.transform = Transform(config) if config.head_transform else Same()
        self.projection = Linear(config.d_model, config.vocab_size, bias=config.head_bias)
        if config.tie_embeddings:
            self.projection.weight = token.weight
        self.scale, self.cap = config.logit_scale, config.logit_softcap
        self.logits = Tap("batch seq vocab")

    def forward(self, hidden: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch vocab"]:
        return self.logits(softcap(self.projection(self.ready(hidden)), self.cap))

    def ready(self, hidden: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """What the projection is given."""
        hidden = self.transform(hidden)
        return hidden if self.scale == 1.0 else hidden * self.scale

    def loss(
        self,
        hidden: Float[Tensor, "asked d_model"],
        labels: Int[Tensor, " asked"],
        smoothing: float = 0.0,
        *,
        filled: bool = False,
    ) -> Float[Tensor, ""]:
        """The sum of the cross-entropies of these places; `filled`: some labels are IGNORED.

        Logits are made on the way and not kept; who watches them gets ones made for that.
        """
        projection, ready = self.projection, self.ready(hidden)
        if self.logits.watched:
            with torch.no_grad():
                self.logits(softcap(projection(ready), self.cap))
        return projected_cross_entropy(
            ready,
            projection.weight,
            projection.bias,
            labels,
            smoothing=smoothing,
            cap=self.cap,
            filled=filled,
        )


class NextSentenceHead(Module):
    """Two logits from the first token's vector: index 0 "B follows A", 1 "B is from elsewhere" (Devlin et al. 2019)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.pooler = Linear(config.d_model, config.d_model)
        self.verdict = Linear(config.d_model, 2)
        self.pooled = Tap("pair d_model")

    def forward(self, first: Float[Tensor, "pair d_model"]) -> Float[Tensor, "pair 2"]:
        return self.verdict(self.pooled(torch.tanh(self.pooler(first))))
