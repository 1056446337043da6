"""Beam search: several texts are followed side by side, and the best of those that ended is the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from osnowa.errors import SettingsError
from osnowa.generate.decode import Decoder, FinishReason, room
from osnowa.generate.frame import Frame
from osnowa.generate.sampling import Chooser
from osnowa.generate.settings import GenerationConfig
from osnowa.model import Transformer

OUT = -1.0e9  # score of a beam that does not count


@dataclass
class Beams:
    """What each prompt follows (`running`) and has finished (`done`), the best first. All tensors begin with a prompt.

    A finished text's score is its log-probability divided by its length to the power of the length penalty.
    """

    tokens: Int[Tensor, "prompt beam step"]
    running: Float[Tensor, "prompt beam"]
    done_tokens: Int[Tensor, "prompt beam step"]
    done_lengths: Int[Tensor, "prompt beam"]
    done: Float[Tensor, "prompt beam"]
    ended: Bool[Tensor, "prompt beam"]  # whether that place of `done` holds a text

    @classmethod
    def begin(cls, prompts: int, beams: int, steps: int, device: torch.device) -> Beams:
        """One beam of each prompt counts at first: all are the same."""
        tokens = torch.zeros(prompts, beams, steps, dtype=torch.long, device=device)
        running = torch.full((prompts, beams), OUT, device=device)
        running[:, 0] = 0.0
        ended = torch.zeros(prompts, beams, dtype=torch.bool, device=device)
        return cls(tokens, running, tokens.clone(), ended.long(), torch.full_like(running, OUT), ended)

    def take(self, prompts: Tensor) -> None:
        """Go on with these prompts alone."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name)[prompts])


@dataclass(frozen=True)
class Candidates:
    """The likeliest continuations of each prompt, the best first: whole texts, and the beams that they come from."""

    scores: Float[Tensor, "prompt candidate"]
    tokens: Int[Tensor, "prompt candidate step"]
    origins: Int[Tensor, "prompt candidate"]
    ends: Bool[Tensor, "prompt candidate"]


def advance(beams: Beams, count: int, found: Candidates, length_penalty: float) -> Tensor:
    """Move to texts of `count` tokens; [prompt, beam] which beam each new one goes on from.

    Twice as many candidates as beams are looked at, so that enough go on when the best of them end. Only candidates
    among the best `beams` may enter `done`.
    """
    num_beams = beams.running.size(1)
    going = (found.scores + found.ends * OUT).topk(num_beams)
    ending = found.ends.clone()
    ending[:, num_beams:] = False
    final = found.scores / count**length_penalty + ~ending * OUT
    best = torch.cat((beams.done, final), 1).topk(num_beams)
    lengths = torch.cat((beams.done_lengths, torch.full_like(found.origins, count)), 1)
    beams.done, beams.done_lengths = best.values, lengths.gather(1, best.indices)
    beams.done_tokens = _gather(torch.cat((beams.done_tokens, found.tokens), 1), best.indices)
    beams.ended = torch.cat((beams.ended, ending), 1).gather(1, best.indices)
    beams.running, beams.tokens = going.values, _gather(found.tokens, going.indices)
    return found.origins.gather(1, going.indices)


def _gather(tokens: Tensor, places: Tensor) -> Tensor:
    return tokens.gather(1, places[:, :, None].expand(-1, -1, tokens.size(2)))


def hopeful(beams: Beams, count: int, length_penalty: float) -> Bool[Tensor, " prompt"]:
    """Whether a running beam, if it ended now, would beat the worst finished one; true until enough have finished.

    That is the rule which transformers calls early_stopping=False: a longer text may score better when the length
    penalty rewards length, and is not waited for.
    """
    worst = torch.where(beams.ended, beams.done.min(1, keepdim=True).values, OUT)
    return (beams.running[:, :1] / count**length_penalty > worst).any(1)


class Search:
    """Beams of all prompts that are not finished, and the model that goes on with them."""

    def __init__(
        self,
        model: Transformer,
        prompts: Sequence[Sequence[int]],
        frame: Frame,
        config: GenerationConfig,
        most: int,
        prefix: bool,
    ) -> None:
        self.decoder, self.config, self.end = Decoder(model, prompts, frame, most, prefix), config, frame.end
        self.device = self.decoder.tokens.device
        never = torch.tensor(frame.never, dtype=torch.long, device=self.device)
        self.chooser = Chooser(config, model.config.topology, never, [])
        logits = self.decoder.begin()
        self.chooser.begin(self.decoder.tokens, self.decoder.real, logits.size(-1))
        self.beams = Beams.begin(len(prompts), config.beams, most, self.device)
        self.origins = self.beams.tokens[:, :, 0]
        rows = torch.arange(len(prompts), device=self.device).repeat_interleave(config.beams)
        self.decoder.take(rows)
        self.logits = logits[rows]
        if self.chooser.seen is not None:
            self.chooser.seen = self.chooser.seen[rows]

    def candidates(self, count: int, last: Bool[Tensor, " prompt"]) -> Candidates:
        """The likeliest texts of `count` tokens; all end where `last` says so."""
        log_probabilities = self.chooser.allowed(self.logits.float().log_softmax(-1))
        prompts, num_beams = self.beams.running.shape
        vocabulary = log_probabilities.size(-1)
        total = log_probabilities.view(prompts, num_beams, vocabulary) + self.beams.running[:, :, None]
        best = total.flatten(1).topk(2 * num_beams)
        origins, newest = best.indices // vocabulary, best.indices % vocabulary
        tokens = _gather(self.beams.tokens, origins)
        tokens[:, :, count - 1] = newest
        ends = last[:, None].expand_as(newest).clone()
        return Candidates(best.values, tokens, origins, ends if self.end is None else ends | (newest == self.end))

    def go_on(self, count: int, found: Candidates) -> list[bool]:
        """Choose among the candidates; which prompts are not finished."""
        self.origins = advance(self.beams, count, found, self.config.length_penalty)
        going: list[bool] = (hopeful(self.beams, count, self.config.length_penalty) & ~found.ends.all(1)).tolist()
        return going

    def answer(self, place: int) -> list[int]:
        """The best finished text of a prompt."""
        length = int(self.beams.done_lengths[place, 0])
        found: list[int] = self.beams.done_tokens[place, 0, :length].tolist()
        return found

    def read(self, count: int, going: Sequence[bool]) -> None:
        """Show the model the newest tokens of the prompts that go on."""
        num_beams = self.beams.running.size(1)
        kept = torch.tensor(going, device=self.device).nonzero()[:, 0]
        rows = (kept[:, None] * num_beams + self.origins[kept]).flatten()
        self.decoder.take(rows, alike=all(going))
        if not all(going):
            self.beams.take(kept)
        newest = self.beams.tokens[:, :, count - 1].reshape(-1, 1)
        if self.chooser.seen is not None:
            self.chooser.seen = self.chooser.seen[rows].scatter(1, newest, True)
        self.logits = self.decoder.read(newest)


@torch.inference_mode()
def beam_search(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    frame: Frame,
    config: GenerationConfig,
    stopped: Callable[[int, Sequence[int]], bool] | None = None,
    *,
    prefix: bool = False,
) -> list[tuple[list[int], FinishReason]]:
    """The best text of each prompt, the end token not included, and why it ends.

    `stopped(row, tokens)` says whether a text is complete without an end token. Prompts that are finished leave the
    batch.

    Raises:
        SettingsError: more beams than half the vocabulary.
    """
    usable = model.config.vocab_size - len(frame.never)
    if 2 * config.beams > usable:
        raise SettingsError(
            f"beams = {config.beams}", f"needs twice as many tokens, and there are {usable}", "use fewer"
        )
    limits = room(model, prompts, frame, config.max_tokens)
    answers: list[tuple[list[int], FinishReason]] = [([], "length") for _ in prompts]
    alive = [row for row, limit in enumerate(limits) if limit]
    if not alive:
        return answers
    search = Search(model, [prompts[row] for row in alive], frame, config, max(limits), prefix)
    for count in range(1, max(limits) + 1):
        last = torch.tensor([count == limits[row] for row in alive], device=search.device)
        found = search.candidates(count, last)
        if stopped is not None:
            _mark_stopped(found, alive, stopped, count)
        going_on = search.go_on(count, found)
        for place, row in enumerate(alive):
            if not going_on[place]:
                answers[row] = _with_reason(search.answer(place), row, frame, stopped)
        alive = [row for place, row in enumerate(alive) if going_on[place]]
        if not alive:
            break
        search.read(count, going_on)
    return answers


def _with_reason(
    tokens: list[int], row: int, frame: Frame, stopped: Callable[[int, Sequence[int]], bool] | None
) -> tuple[list[int], FinishReason]:
    if tokens[-1] == frame.end:
        return tokens[:-1], "end"
    return tokens, "stop" if stopped is not None and stopped(row, tokens) else "length"


def _mark_stopped(
    found: Candidates, alive: Sequence[int], stopped: Callable[[int, Sequence[int]], bool], count: int
) -> None:
    for place, row in enumerate(alive):
        for index, tokens in enumerate(found.tokens[place, :, :count].tolist()):
            if stopped(row, tokens):
                found.ends[place, index] = True
