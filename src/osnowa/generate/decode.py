"""The loop: prompts in, one token after the other out, each at the cost of one token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from osnowa.generate.frame import Frame
from osnowa.generate.sampling import Chooser
from osnowa.generate.settings import GenerationConfig
from osnowa.model import Layout, Transformer
from osnowa.model.cache import Cache

FinishReason = Literal["stop", "length", "end"]


@dataclass(frozen=True)
class Generated:
    """One token of one row; `reason` says that it is the row's last, and why. The end token is one, too."""

    row: int
    token: int | None  # None: there was no room for any
    reason: FinishReason | None


def pad(rows: Sequence[Sequence[int]], *, left: bool, device: torch.device) -> tuple[Tensor, Tensor]:
    """[row, longest] ids, and which of them are real."""
    longest = max(map(len, rows))
    tokens = torch.zeros(len(rows), longest, dtype=torch.long)
    real = torch.zeros(len(rows), longest, dtype=torch.bool)
    for index, row in enumerate(rows):
        places = slice(longest - len(row), None) if left else slice(0, len(row))
        tokens[index, places] = torch.tensor(row, dtype=torch.long)
        real[index, places] = True
    return tokens.to(device), real.to(device)


def plan(real: Tensor, capacity: int, prefix: bool) -> Layout:
    """Where all tokens will stand: padding at the beginning, position 0 for the first real one, no end."""
    padding = real.size(1) - real.sum(1, keepdim=True)
    positions = torch.arange(capacity, device=real.device) - padding
    shown = None
    if prefix:
        shown = torch.zeros(len(real), capacity, dtype=torch.bool, device=real.device)
        shown[:, : real.size(1)] = real
    return Layout(positions.clamp(min=0), (positions >= 0).long(), shown)


class Decoder:
    """Rows that grow together by at most `most` tokens; what was said so far is remembered.

    `prompts` are framed ids; for an encoder-decoder they are the sources, and the rows begin with `frame.begin`.
    `prefix`: the prompt's tokens see each other in both directions (Raffel et al. 2020, section 3.2.1).
    """

    def __init__(
        self, model: Transformer, prompts: Sequence[Sequence[int]], frame: Frame, most: int, prefix: bool = False
    ) -> None:
        self.model, device = model, model.embedding.token.weight.device
        self.memory: Tensor | None = None
        self.memory_layout: Layout | None = None
        if model.config.topology == "encoder-decoder":
            sources, real = pad(prompts, left=False, device=device)
            self.memory_layout = Layout.plain(sources, real)
            self.memory = model.encode(sources, self.memory_layout)
            prompts = [frame.begin] * len(prompts)
        self.tokens, self.real = pad(prompts, left=True, device=device)
        # The last token is never read again, so it needs no place.
        capacity = self.tokens.size(1) + most - 1
        self.cache = Cache(capacity, plan(self.real, capacity, prefix))

    def begin(self) -> Float[Tensor, "row vocab"]:
        """Read the prompts; the logits of the first new token of each row."""
        return self.read(self.tokens)

    def read(self, tokens: Int[Tensor, "row new"]) -> Float[Tensor, "row vocab"]:
        """Go on with `tokens`; the logits of what follows them."""
        assert self.cache.planned is not None
        place = self.cache.length
        layout = self.cache.planned.cut(place, place + tokens.size(1))
        hidden = self.model.decode(tokens, layout, self.memory, self.memory_layout, self.cache)
        return self.model.head(hidden[:, -1])

    def take(self, rows: Int[Tensor, " new_row"], *, alike: bool = False) -> None:
        """Row i becomes what row rows[i] was; `alike`: of the same prompt."""
        self.cache.reorder(rows, alike=alike)
        if not alike and self.memory is not None and self.memory_layout is not None:
            self.memory, self.memory_layout = self.memory[rows], self.memory_layout.take(rows)


@torch.inference_mode()
def decode(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    frame: Frame,
    config: GenerationConfig,
    stopped: Callable[[int, int], bool] = lambda _row, _token: False,
    *,
    prefix: bool = False,
) -> Iterator[Generated]:
    """Tokens of all rows as they come. Rows that are finished leave the batch and cost nothing any more.

    `stopped(row, token)` is told each token but the end token, and says whether the row's text is complete.
    """
    limits = room(model, prompts, frame, config.max_tokens)
    yield from (Generated(row, None, "length") for row, limit in enumerate(limits) if not limit)
    alive = [row for row, limit in enumerate(limits) if limit]
    if not alive:
        return
    decoder = Decoder(model, [prompts[row] for row in alive], frame, max(limits), prefix)
    never = torch.tensor(frame.never, dtype=torch.long, device=decoder.tokens.device)
    chooser = Chooser(config, model.config.topology, never, alive)
    logits = decoder.begin()
    chooser.begin(decoder.tokens, decoder.real, logits.size(-1))
    for count in range(1, max(limits) + 1):
        chosen, keep = chooser.choose(logits), []
        for place, (row, token) in enumerate(zip(alive, chosen.tolist(), strict=True)):
            reason: FinishReason | None = "length" if count == limits[row] else None
            if token == frame.end:
                reason = "end"
            elif stopped(row, token):
                reason = "stop"
            if reason is None:
                keep.append(place)
            yield Generated(row, token, reason)
        if not keep:
            return
        if len(keep) < len(alive):
            alive, rows = [alive[place] for place in keep], torch.tensor(keep, device=chosen.device)
            chooser.keep(keep)
            decoder.take(rows)
            chosen = chosen[rows]
        logits = decoder.read(chosen[:, None])


def room(model: Transformer, prompts: Sequence[Sequence[int]], frame: Frame, max_tokens: int) -> list[int]:
    """How many tokens each row may get: `max_tokens`, or what positions are left behind its prompt."""
    shown = [frame.begin] * len(prompts) if model.config.topology == "encoder-decoder" else prompts
    return [min(max_tokens, model.config.max_positions - len(each)) for each in shown]
