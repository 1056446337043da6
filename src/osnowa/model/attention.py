"""Multi-head attention: queries look at keys and take a weighted sum of values."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from osnowa.model.config import ModelConfig
from osnowa.model.position import Rotate
from osnowa.model.tap import Tap

# Longest row for which step-by-step products beat the fused kernel in training on a CPU: forward and backward in bf16
# take 11.9 ms against 50.0 at 128 tokens and 56 against 132 at 1,024 (2 Zen 5 cores).
LONGEST_STEPWISE = 1024


class Attention(nn.Module):
    """Attention of x over memory; self-attention when memory is x (Vaswani et al. 2017, section 3.2).

    `query`, `key`, `value` are the matrices Wq, Wk, Wv of all heads side by side, `output` is W0.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.head_width
        self.query = nn.Linear(config.d_model, config.num_heads * width, bias=config.attention_bias)
        self.key = nn.Linear(config.d_model, config.kv_heads * width, bias=config.attention_bias)
        self.value = nn.Linear(config.d_model, config.kv_heads * width, bias=config.attention_bias)
        self.output = nn.Linear(config.num_heads * width, config.d_model, bias=config.attention_bias)
        self.d_head, self.dropout, self.scale = width, config.dropout, width**-0.5
        self.scores, self.weights = Tap("batch head query key"), Tap("batch head query key")
        self.context = Tap("batch head query d_head")

    def forward(
        self,
        x: Float[Tensor, "batch query d_model"],
        memory: Float[Tensor, "batch memory d_model"],
        mask: Float[Tensor, "batch 1 query memory"] | None,
        rotate: Rotate,
    ) -> Float[Tensor, "batch query d_model"]:
        q, k, v = self.split(self.query(x)), self.split(self.key(memory)), self.split(self.value(memory))
        q, k = rotate(q), rotate(k)
        if self.stepwise(x):
            context = self.attend(q, k, v, mask)
        else:
            dropout = self.dropout if self.training else 0.0
            context = F.scaled_dot_product_attention(q, k, v, mask, dropout, enable_gqa=q.size(1) != k.size(1))
        return self.output(self.context(context).transpose(1, 2).flatten(2))

    def stepwise(self, x: Tensor) -> bool:
        """Each step on its own: when somebody looks, and on a CPU where it is the faster way for short rows."""
        watched = self.scores.watched or self.weights.watched
        return watched or (x.device.type == "cpu" and x.size(1) <= LONGEST_STEPWISE)

    def attend(
        self,
        q: Float[Tensor, "batch head query d_head"],
        k: Float[Tensor, "batch kv_head memory d_head"],
        v: Float[Tensor, "batch kv_head memory d_head"],
        mask: Float[Tensor, "batch 1 query memory"] | None,
    ) -> Float[Tensor, "batch head query d_head"]:
        """softmax(q k^T / sqrt(d_head) + mask) v, one named tensor at a time."""
        if q.size(1) != k.size(1):
            k, v = (each.repeat_interleave(q.size(1) // k.size(1), dim=1) for each in (k, v))
        scores = (q * self.scale) @ k.transpose(-2, -1)
        scores = self.scores(scores if mask is None else scores + mask)
        weights = self.weights(scores.softmax(-1))
        return F.dropout(weights, self.dropout, self.training) @ v

    def split(self, x: Float[Tensor, "batch seq width"]) -> Float[Tensor, "batch head seq d_head"]:
        """The heads side by side become an axis of their own."""
        return x.view(*x.shape[:-1], -1, self.d_head).transpose(1, 2)
