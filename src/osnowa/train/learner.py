"""A model that learns: what it is asked, the gradients that come of it, and the rules that move its weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from osnowa.model import Transformer
from osnowa.objective import Batch, Objective
from osnowa.train.compiled import Ask, compile_questions
from osnowa.train.config import TrainingConfig
from osnowa.train.optimisers import Optimiser
from osnowa.train.precision import MasterWeights
from osnowa.train.sizes import fill, round_up


@dataclass(frozen=True)
class Losses:
    """Means over a whole mini-batch. `next_sentence` is 0 where no pair was asked; `balance` has its weight in it."""

    total: float
    token: float
    next_sentence: float
    balance: float
    num_pairs: int
    num_tokens: int


class Learner:
    """Weights, optimiser and objective: what a single update needs."""

    def __init__(
        self,
        model: Transformer,
        objective: Objective,
        config: TrainingConfig,
        *,
        seed: int,
        device: torch.device,
        dtype: torch.dtype,
        compiled: bool = False,
    ) -> None:
        self.model, self.objective, self.config = model, objective, config
        self.seed, self.device = seed, device
        self.masters = MasterWeights(model, dtype)
        self.compiled: Ask | None = compile_questions(model, objective) if compiled else None
        self.optimiser = self.new_optimiser()

    def new_optimiser(self) -> Optimiser:
        """One that remembers nothing yet."""
        config = self.config
        return Optimiser(
            self.masters.masters,
            name=config.optimiser,
            learning_rate=config.learning_rate,
            matrix_learning_rate=config.matrix_learning_rate,
            betas=(config.beta1, config.beta2),
            eps=config.epsilon,
            weight_decay=config.weight_decay,
        )

    def sized(self, batch: Batch, most_rows: int) -> Batch:
        """The same questions of up to `most_rows` rows at one of a few sizes, where kernels are made for each."""
        if self.compiled is not None:
            return fill(batch, most_rows, self.objective.config)
        return round_up(batch) if self.device.type == "cpu" else batch

    def back_propagate(self, batches: Sequence[Batch], step: int) -> Losses:
        """Ask the micro-batches of one mini-batch; the gradient of the mean loss is then with the masters.

        `step` is the number of updates before this one.
        """
        config = self.config
        num_asked = sum(batch.num_asked for batch in batches)
        num_pairs = sum(batch.num_pairs for batch in batches) if self.model.next_sentence is not None else 0
        balance_weight = self.model.config.balance_weight / len(batches)
        ask, sums = self.compiled or self.objective.outcome, []
        self.model.train()
        for index, batch in enumerate(batches):
            torch.manual_seed(derived_seed(self.seed, step, index))  # dropout: a function of the place, too
            outcome = ask(self.model, batch.to(self.device))  # stacks, heads, logits, losses
            loss = outcome.token_loss / num_asked
            if num_pairs:
                loss = loss + config.next_sentence_weight * outcome.next_sentence_loss / num_pairs
            if balance_weight:
                loss = loss + balance_weight * outcome.balance_loss
            loss.backward()  # type: ignore[no-untyped-call]  # back-propagation
            sums.append(torch.stack((outcome.token_loss, outcome.next_sentence_loss, outcome.balance_loss)).detach())
        self.masters.take_gradients()
        token_sum, next_sum, balance_sum = (sum(each) for each in zip(*torch.stack(sums).tolist(), strict=True))
        token_loss, next_loss = token_sum / num_asked, next_sum / max(1, num_pairs)
        balance_loss = balance_weight * balance_sum
        total = token_loss + config.next_sentence_weight * next_loss + balance_loss
        num_tokens = sum(batch.num_tokens for batch in batches)
        return Losses(total, token_loss, next_loss, balance_loss, num_pairs, num_tokens)

    def gradient_norm(self) -> Tensor:
        """The length of the gradient, all parameters together."""
        return torch.nn.utils.get_total_norm(self.masters.gradients())

    def update(self, factor: float, norm: Tensor) -> None:
        """Move the weights by their gradients, of length `norm` and shortened to clip_norm, rates times `factor`."""
        self.optimiser.step(factor, shortening(norm, self.config.clip_norm))
        self.masters.publish()

    def forget_gradients(self) -> None:
        """Make room for those of the next mini-batch."""
        for master in self.masters.masters.values():
            master.grad = None


def shortening(norm: Tensor, limit: float) -> Tensor:
    """What a gradient of length `norm` is multiplied by, so that it is no longer than `limit`."""
    return (limit / (norm + 1e-6)).clamp(max=1.0)


def derived_seed(seed: int, step: int, micro: int) -> int:
    """A seed for torch's own randomness (dropout) at one micro-batch of one step."""
    digest = hashlib.sha256(f"{seed}/dropout/{step}/{micro}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
