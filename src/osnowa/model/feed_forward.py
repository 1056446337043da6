"""The feed-forward network of a block: two matrices and a non-linearity, or three with a gate, or several to choose from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from osnowa.model.config import ModelConfig
from osnowa.model.dropout import Dropout
from osnowa.model.joined import Joined
from osnowa.model.linear import ACTIVATIONS, Linear, activate
from osnowa.model.module import Module
from osnowa.model.tap import Tap


class FeedForward(Module):
    """down(activation(up(x))) (Vaswani et al. 2017, section 3.3)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.up = Linear(config.d_model, config.d_ff, bias=config.feed_forward_bias)
        self.down = Linear(config.d_ff, config.d_model, bias=config.feed_forward_bias)
        self.activation, self.dropout = config.activation, Dropout(config.feed_forward_dropout)
        self.activated = Tap("batch seq d_ff")

    def forward(self, x: Float[Tensor, "*seq d_model"]) -> Float[Tensor, "*seq d_model"]:
        return self.down(self.dropout(self.activated(activate(x, self.up, self.activation))))


class GatedFeedForward(FeedForward):
    """down(activation(gate(x)) * up(x)) (Shazeer 2020, "GLU Variants Improve Transformer")."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.gate = Linear(config.d_model, config.d_ff, bias=config.feed_forward_bias)
        self.joined: Joined | None = None

    def forward(self, x: Float[Tensor, "*seq d_model"]) -> Float[Tensor, "*seq d_model"]:
        if self.joined is None or self.joined.watched:
            gate, up = self.gate(x), self.up(x)
        else:
            gate, up = self.joined(x).chunk(2, -1)
        return self.down(self.dropout(self.activated(ACTIVATIONS[self.activation](gate) * up)))

    def join(self, *, turned: bool) -> None:
        """For a model that is only asked: one product gives both."""
        self.joined = Joined((self.gate, self.up), turned=turned)


class Experts(Module):
    """Several gated networks; a router sends each token through the few that fit best (Jiang et al. 2024, Mixtral, 2.1).

    The weights of the chosen experts' outputs are the router's probabilities, scaled to sum to 1.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        experts, d_model, d_ff = config.num_experts, config.d_model, config.d_ff
        self.router = Linear(d_model, experts, bias=False)
        self.gate = nn.Parameter(torch.empty(experts, d_ff, d_model))
        self.up = nn.Parameter(torch.empty(experts, d_ff, d_model))
        self.down = nn.Parameter(torch.empty(experts, d_model, d_ff))
        self.activation, self.chosen = ACTIVATIONS[config.activation], config.experts_per_token
        self.routing = Tap("token expert")
        self.routed: Tensor | None = None  # [token, expert] probabilities of the last forward, for the balance loss

    def forward(self, x: Float[Tensor, "*seq d_model"]) -> Float[Tensor, "*seq d_model"]:
        tokens = x.flatten(0, -2)
        logits = self.router(tokens)
        self.routed = self.routing(logits.to(torch.promote_types(x.dtype, torch.float32)).softmax(-1))
        weight, expert = self.routed.topk(self.chosen, dim=-1)
        weight = (weight / weight.sum(-1, keepdim=True)).to(x.dtype)
        result = torch.zeros_like(tokens)
        for number in range(len(self.up)):
            token, place = (expert == number).nonzero(as_tuple=True)
            if len(token):
                inside = tokens.index_select(0, token)
                inside = self.activation(inside @ self.gate[number].T) * (inside @ self.up[number].T)
                result = result.index_add(0, token, (inside @ self.down[number].T) * weight[token, place, None])
        return result.view_as(x)


FEED_FORWARDS: dict[str, type[FeedForward]] = {"mlp": FeedForward, "glu": GatedFeedForward}


def build_feed_forward(config: ModelConfig) -> nn.Module:
    """The network that the config names."""
    return Experts(config) if config.num_experts else FEED_FORWARDS[config.feed_forward](config)


def balance_loss(
    routed: Float[Tensor, "token expert"], chosen: int, real: Float[Tensor, " token"]
) -> Float[Tensor, ""]:
    """experts x sum over experts of (share of choices) x (mean probability); `chosen` when all are equally busy.

    Fedus et al. 2021 (Switch Transformers), equation 4, for `chosen` experts a token; tokens with real = 0 don't count.
    """
    experts = routed.size(-1)
    choices = F.one_hot(routed.topk(chosen, dim=-1).indices, experts).sum(1).to(routed.dtype)
    count = real.sum().clamp(min=1)
    busy, probable = (choices * real[:, None]).sum(0) / count, (routed * real[:, None]).sum(0) / count
    return experts * (busy * probable).sum()
