"""The prediction heads: from hidden vectors to logits over the vocabulary, or over "is next" and "is not"."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osnowa.model.attention import softcap
from osnowa.model.config import ModelConfig
from osnowa.model.feed_forward import ACTIVATIONS
from osnowa.model.norm import build_norm
from osnowa.model.tap import Tap


class Transform(nn.Module):
    """Dense, activation, norm: the first of the two layers of the masked-token head (Devlin et al. 2019)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.d_model, config.d_model, bias=config.head_transform_bias)
        self.activation, self.norm = ACTIVATIONS[config.activation], build_norm(config)

    def forward(self, hidden: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        return self.norm(self.activation(self.dense(hidden)))


class LanguageModelHead(nn.Module):
    """Logits over the vocabulary: how well each token fits this place. The projection may be the token embedding."""

    def __init__(self, config: ModelConfig, token: nn.Embedding) -> None:
        super().__init__()
        self.transform = Transform(config) if config.head_transform else nn.Identity()
        self.projection = nn.Linear(config.d_model, config.vocab_size, bias=config.head_bias)
        if config.tie_embeddings:
            self.projection.weight = token.weight
        self.scale, self.cap = config.logit_scale, config.logit_softcap
        self.logits = Tap("batch seq vocab")

    def forward(self, hidden: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch vocab"]:
        hidden = self.transform(hidden)
        logits = self.projection(hidden if self.scale == 1.0 else hidden * self.scale)
        return self.logits(softcap(logits, self.cap))


class NextSentenceHead(nn.Module):
    """Two logits from the first token's vector: index 0 "B follows A", 1 "B is from elsewhere" (Devlin et al. 2019)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.pooler = nn.Linear(config.d_model, config.d_model)
        self.verdict = nn.Linear(config.d_model, 2)
        self.pooled = Tap("pair d_model")

    def forward(self, first: Float[Tensor, "pair d_model"]) -> Float[Tensor, "pair 2"]:
        return self.verdict(self.pooled(torch.tanh(self.pooler(first))))
