"""A model that learns: what it is asked, the gradients that come of it, and the rules that move its weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from osnowa.model import Transformer
from osnowa.objective import Batch, Objective
from osnowa.train.compiled import Ask, compile_questions
from osnowa.train.config import TrainingConfig
from osnowa.train.optimisers import Optimiser
from osnowa.train.precision import MasterWeights
from osnowa.train.sizes import fill, round_up

_AT_ONCE = 1 << 18  # numbers: a megabyte in float32


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
            self.masters.working,
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
        """Ask the micro-batches of one mini-batch; the gradient of the mean loss is then with the model's parameters.

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
        token_sum, next_sum, balance_sum = (sum(each) for each in zip(*torch.stack(sums).tolist(), strict=True))
        token_loss, next_loss = token_sum / num_asked, next_sum / max(1, num_pairs)
        balance_loss = balance_weight * balance_sum
        total = token_loss + config.next_sentence_weight * next_loss + balance_loss
        num_tokens = sum(batch.num_tokens for batch in batches)
        return Losses(total, token_loss, next_loss, balance_loss, num_pairs, num_tokens)

    def gradient_norm(self) -> Tensor:
        """The length of the gradient, all parameters together."""
        return length(self.masters.gradients())

    def update(self, factor: float, norm: Tensor) -> None:
        """Move the weights by their gradients, of length `norm` and shortened to clip_norm, rates times `factor`."""
        self.optimiser.step(factor, shortening(norm, self.config.clip_norm))


def length(gradients: list[Tensor]) -> Float[Tensor, ""]:
    """The square root of the sum of all squares, added up in float32.

    On a processor as inner products: 95 million numbers in bfloat16 take 17 ms by parts that stay in its cache, 20 by
    torch's norms, which round each tensor's to bfloat16; in float32 15 and 28, and are off by 1e-6 in place of 4e-5.
    """
    if gradients[0].device.type != "cpu":
        return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients, 2, dtype=torch.float32)))
    squares = []
    for gradient in gradients:
        numbers = gradient.reshape(-1)
        parts = [numbers] if numbers.dtype == torch.float32 else torch.split(numbers, _AT_ONCE)
        for part in map(Tensor.float, parts):
            squares.append(torch.dot(part, part))
    return torch.stack(squares).sum().sqrt()


def shortening(norm: Tensor, limit: float) -> Tensor:
    """What a gradient of length `norm` is multiplied by, so that it is no longer than `limit`."""
    return (limit / (norm + 1e-6)).clamp(max=1.0)


def derived_seed(seed: int, step: int, micro: int) -> int:
    """A seed for torch's own randomness (dropout) at one micro-batch of one step."""
    digest = hashlib.sha256(f"{seed}/dropout/{step}/{micro}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
