"""A target for a source: damaged texts made whole, texts continued, and pairs; for encoder-decoders and decoders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from osnowa.data import Room, Rows, Samples
from osnowa.data.order import draw
from osnowa.data.plan import offsets
from osnowa.errors import SettingsError
from osnowa.model import Layout
from osnowa.objective.batch import Batch, Source, Vocabulary
from osnowa.objective.config import DENOISERS, SENTINELS, ObjectiveConfig, Topology
from osnowa.objective.denoise import Chances, Denoiser, Infilling, Prefix, Spans
from osnowa.objective.objective import Objective
from osnowa.objective.texts import Packed, Texts

I64 = NDArray[np.int64]
PURPOSE = "denoiser"
# Tay et al. 2022, table 1: (share, mean) of the denoisers R and X; S asks for the last quarter of a text.
REGULAR = ((0.15, 3.0), (0.15, 8.0))
EXTREME = ((0.5, 3.0), (0.5, 8.0), (0.15, 64.0), (0.5, 64.0))
QUARTER = 0.25


class Target(Objective):
    """An encoder-decoder reads the source and says the target; a decoder reads both, one behind the other.

    A decoder's row is source, [begin], target: it is asked for the target only, and the tokens up to [begin] see each
    other. A text that goes on in its document has no end that could be asked for where the target is how it goes on.
    """

    def __init__(
        self, config: ObjectiveConfig, vocabulary: Vocabulary, *, seed: int, topology: Topology, row_length: int
    ) -> None:
        super().__init__(config, vocabulary, seed=seed)
        self.alone, self.row_length = topology == "decoder", row_length
        self.denoisers = build_denoisers(config, vocabulary)
        self.shape = "single" if self.denoisers else "couple"
        budget = self._budget()
        self.target_length = row_length
        if config.name == "span-corruption" and not self.alone:  # exact: no place of a full row is left over
            self.target_length = int(self.denoisers[0].lengths(np.array([budget]))[1][0])
        places = row_length if self.alone else row_length + self.target_length
        self.room = Room(budget, self._cost, self._filled, places)
        self._check_sentinels(budget)

    # --- lengths --------------------------------------------------------------------------------------------------

    def lengths(self, samples: Samples, epoch: int) -> tuple[I64, I64, I64]:
        """Tokens of source, of target and of both, of each sample; the ends counted."""
        if not self.denoisers:
            return samples.a_length + 1, samples.b_length + 1, samples.a_length + samples.b_length + 2
        n, at = samples.a_length, np.arange(len(samples))
        kind = self.kinds(samples.a_start, epoch)
        lengths = [(*denoiser.lengths(n), denoiser.together(n)) for denoiser in self.denoisers]
        source, target, both = (np.stack(each)[kind, at] for each in zip(*lengths, strict=True))
        return source, target, both

    def kinds(self, starts: I64, epoch: I64 | int) -> I64:
        """Which denoiser each text gets in an epoch."""
        number = draw(self.seed, PURPOSE, epoch, starts)[0]
        return np.asarray((number * np.uint64(max(1, len(self.denoisers)))) >> np.uint64(32)).astype(np.int64)

    def _cost(self, samples: Samples, epoch: int) -> I64:
        source, target, both = self.lengths(samples, epoch)
        if self.alone:
            return both
        # so that neither the sources nor the targets of a row are more than fit
        return np.maximum(source, -(-target * self.row_length // self.target_length))

    def _filled(self, samples: Samples, epoch: int) -> I64:
        return self.lengths(samples, epoch)[2]

    def _budget(self) -> int:
        """The longest text that fits however it is damaged."""
        n = np.arange(1, 2 * self.row_length + 2)
        fits = np.ones(len(n), dtype=bool)
        for denoiser in self.denoisers:
            source, target = denoiser.lengths(n)
            both = denoiser.together(n)
            fits &= both <= self.row_length if self.alone else np.maximum(source, target) <= self.row_length
        if not self.denoisers:
            fits = (2 * n + 2 if self.alone else n + 1) <= self.row_length
        return int(np.flatnonzero(~fits)[0])

    def _check_sentinels(self, budget: int) -> None:
        """Raises SettingsError: a full row would need more sentinels than there are."""
        needed = max(
            (int(d.counts(np.array([budget]))[1][0]) for d in self.denoisers if isinstance(d, Spans)), default=0
        )
        if needed > len(SENTINELS):
            raise SettingsError(
                f"data.row_length = {self.row_length}",
                f"needs {needed} sentinels, there are {len(SENTINELS)}",
                "use shorter rows, or a larger objective.mean_span",
            )

    # --- batches --------------------------------------------------------------------------------------------------

    def batch(self, rows: Rows) -> Batch:
        """`rows` carry the texts; each is damaged, and packed again as source and target."""
        found = self.damaged(rows)
        return self._one_behind_the_other(found) if self.alone else self._side_by_side(found)

    def damaged(self, rows: Rows) -> Damaged:
        """Source and target of every sample, row by row."""
        counts = rows.document_ids.max(axis=1, initial=0)
        inside = np.flatnonzero(~rows.special.ravel())
        sample = offsets(counts)[inside // rows.tokens.shape[1]] + rows.document_ids.ravel()[inside] - 1
        texts = Texts(rows.tokens.ravel()[inside], np.bincount(sample, minlength=int(counts.sum())))
        is_open = np.isin(inside[np.cumsum(texts.lengths) - 1] + 1, rows.open_ends)
        sides = rows.segments.ravel()[inside]
        return Damaged(*self.damage(texts, sides, rows.starts, np.repeat(rows.epochs, counts), is_open), counts)

    def damage(
        self, texts: Texts, sides: I64, starts: I64, epochs: I64, is_open: NDArray[np.bool_]
    ) -> tuple[Texts, Texts, NDArray[np.bool_]]:
        """Sources, targets, and whether the end of each target is asked.

        `sides`: 0 or 1 for each token, in a pair; `starts`: where each text begins in the store; `is_open`: it goes on.
        """
        end = self.vocabulary.sep
        if not self.denoisers:
            sample = np.repeat(np.arange(len(texts)), texts.lengths)
            source, target = (
                Texts(texts.tokens[sides == side], np.bincount(sample[sides == side], minlength=len(texts)))
                for side in (0, 1)
            )
            return source.framed((), end), target.framed((), end), np.ones(len(texts), dtype=bool)
        kinds = self.kinds(starts, epochs)
        groups = [(denoiser, np.flatnonzero(kinds == kind)) for kind, denoiser in enumerate(self.denoisers)]
        made = [
            denoiser.damage(texts.take(at), end, Chances(self.seed, epochs[at], starts[at])) for denoiser, at in groups
        ]
        back = np.argsort(np.concatenate([at for _, at in groups]))
        source, target = (Texts.join(each).take(back) for each in zip(*made, strict=True))
        # where the target is how a text goes on, its end is true only at the end of the document
        goes_on = np.array([isinstance(denoiser, Prefix) for denoiser in self.denoisers])[kinds]
        return source, target, ~(is_open & goes_on)

    def text(self, inside: I64, sides: I64, start: int) -> tuple[I64, I64]:
        """Source and target of one text, as in the first epoch."""
        texts, none = Texts(inside, np.array([len(inside)])), np.zeros(1, dtype=np.int64)
        source, target, _ = self.damage(texts, sides, np.array([start]), none, none > 0)
        return source.tokens, target.tokens

    def _side_by_side(self, found: Damaged) -> Batch:
        begin, pad = self.vocabulary.cls, self.vocabulary.pad
        source = Packed(found.source.lengths, found.counts, self.row_length)
        target = Packed(found.target.lengths, found.counts, self.target_length)
        shown = target.written(found.target.shifted(begin).tokens, pad)
        asked = target.written(found.asked.tokens, -1)
        return _batch(shown, target.layout, asked, Source(source.written(found.source.tokens, pad), source.layout))

    def _one_behind_the_other(self, found: Damaged) -> Batch:
        begin, pad, target = self.vocabulary.cls, self.vocabulary.pad, found.target
        lengths = found.source.lengths + target.lengths
        border = offsets(lengths)[:-1] + found.source.lengths  # where each target begins
        there, here = target.places(border), found.source.places(border - found.source.lengths)
        shown, asked = np.empty(int(lengths.sum()), dtype=np.int64), np.full(int(lengths.sum()), -1)
        shown[here], shown[there] = found.source.tokens, target.shifted(begin).tokens
        asked[there] = found.asked.tokens
        prefix = np.zeros_like(shown)
        prefix[here] = prefix[border] = 1
        packed = Packed(lengths, found.counts, self.row_length)
        layout = Layout(packed.layout.positions, packed.layout.document_ids, packed.written(prefix, 0).bool())
        return _batch(packed.written(shown, pad), layout, packed.written(asked, -1), None)


@dataclass(frozen=True)
class Damaged:
    """Source and target of every sample, and whether the target's end is asked; row r has the next counts[r]."""

    source: Texts
    target: Texts
    end_asked: NDArray[np.bool_]
    counts: I64

    @property
    def asked(self) -> Texts:
        """What is asked of the targets: -1 in place of an end that is not the true one."""
        tokens = self.target.tokens.copy()
        tokens[(np.cumsum(self.target.lengths) - 1)[~self.end_asked]] = -1
        return Texts(tokens, self.target.lengths)

    def rows(self) -> list[list[tuple[I64, I64, bool]]]:
        """(source, target, whether its end is asked) of each sample, row by row."""
        samples = list(zip(self.source.each(), self.target.each(), self.end_asked.tolist(), strict=True))
        first = offsets(self.counts).tolist()
        return [samples[begin:stop] for begin, stop in pairwise(first)]


def _batch(tokens: Tensor, layout: Layout, asked: Tensor, source: Source | None) -> Batch:
    selected = (asked.flatten() >= 0).nonzero().flatten()
    none = torch.zeros(0, dtype=torch.long)
    labels = asked.flatten()[selected]
    return Batch(tokens, torch.zeros_like(tokens), layout, selected, labels, none, none, source)


def build_denoisers(config: ObjectiveConfig, vocabulary: Vocabulary) -> tuple[Denoiser, ...]:
    """The ways in which texts are damaged; none for pairs."""
    return BUILDERS[config.name](config, vocabulary)


def _spans(config: ObjectiveConfig, vocabulary: Vocabulary) -> tuple[Denoiser, ...]:
    return (Spans(config.mask_share, config.mean_span, _ids(vocabulary, SENTINELS)),)


def _mixture(config: ObjectiveConfig, vocabulary: Vocabulary) -> tuple[Denoiser, ...]:
    """UL2's seven denoisers, each as likely, each announced by its name (Tay et al. 2022, 3.1)."""
    sentinels = _ids(vocabulary, SENTINELS)
    regular, extreme, sequential = ((each,) for each in _ids(vocabulary, DENOISERS))
    made: list[Denoiser] = [Spans(share, mean, sentinels, regular) for share, mean in REGULAR]
    made += [Spans(share, mean, sentinels, extreme) for share, mean in EXTREME]
    return (*made, Prefix(QUARTER, sequential))


def _ids(vocabulary: Vocabulary, names: Sequence[str]) -> tuple[int, ...]:
    return tuple(vocabulary.ids[name] for name in names)


BUILDERS: dict[str, Callable[[ObjectiveConfig, Vocabulary], tuple[Denoiser, ...]]] = {
    "span-corruption": _spans,
    "prefix-lm": lambda config, vocabulary: (Prefix(),),
    "ul2": _mixture,
    "infilling": lambda config, vocabulary: (Infilling(config.mask_share, config.mean_span, vocabulary.mask),),
    "translation": lambda config, vocabulary: (),
}
