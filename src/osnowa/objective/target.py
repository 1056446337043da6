"""A target for a source: damaged texts made whole, texts continued, and pairs; for encoder-decoders and decoders."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from osnowa.data import Room, Rows, Samples
from osnowa.data.order import draw
from osnowa.errors import SettingsError
from osnowa.model import Layout
from osnowa.objective.batch import Batch, Source, Vocabulary
from osnowa.objective.config import DENOISERS, SENTINELS, ObjectiveConfig, Topology
from osnowa.objective.denoise import Chance, Denoiser, Infilling, Prefix, Spans
from osnowa.objective.objective import Objective

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

    def kinds(self, starts: I64, epoch: int) -> I64:
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
        per_row = self.texts(rows)
        return self._one_behind_the_other(per_row) if self.alone else self._side_by_side(per_row)

    def texts(self, rows: Rows) -> list[list[tuple[I64, I64, bool]]]:
        """(source, target, whether the target's end is asked) of every sample, row by row."""
        sample, length = 0, rows.tokens.shape[1]
        goes_on = set(rows.open_ends.tolist())
        found: list[list[tuple[I64, I64, bool]]] = []
        for row, documents in enumerate(rows.document_ids):
            found.append([])
            for number in range(1, int(documents.max(initial=0)) + 1):
                at = np.flatnonzero((documents == number) & ~rows.special[row])
                is_open = row * length + int(at[-1]) + 1 in goes_on
                start, epoch = int(rows.starts[sample]), int(rows.epochs[row])
                found[-1].append(self.text(rows.tokens[row, at], rows.segments[row, at], start, epoch, is_open))
                sample += 1
        return found

    def text(self, inside: I64, sides: I64, start: int, epoch: int, is_open: bool) -> tuple[I64, I64, bool]:
        """Source and target of one sample, whose text begins at `start` in the store."""
        end = self.vocabulary.sep
        if not self.denoisers:
            return np.append(inside[sides == 0], end), np.append(inside[sides == 1], end), True
        denoiser = self.denoisers[int(self.kinds(np.array([start]), epoch)[0])]
        source, target = denoiser.damage(inside, end, Chance(self.seed, epoch, start))
        # where the target is how a text goes on, its end is true only at the end of the document
        return source, target, not (is_open and isinstance(denoiser, Prefix))

    def _side_by_side(self, per_row: Sequence[Sequence[tuple[I64, I64, bool]]]) -> Batch:
        begin, pad = self.vocabulary.cls, self.vocabulary.pad
        source = pack([[s for s, _, _ in row] for row in per_row], self.row_length, pad)
        shown = pack(
            [[np.concatenate(([begin], t[:-1])) for _, t, _ in row] for row in per_row], self.target_length, pad
        )
        asked = pack([[_unless(t, ends) for _, t, ends in row] for row in per_row], self.target_length, -1)[0]
        return _batch(shown, asked, Source(source[0], source[1]))

    def _one_behind_the_other(self, per_row: Sequence[Sequence[tuple[I64, I64, bool]]]) -> Batch:
        begin, pad, rows = self.vocabulary.cls, self.vocabulary.pad, self.row_length
        shown = pack([[np.concatenate((s, [begin], t[:-1])) for s, t, _ in row] for row in per_row], rows, pad)
        asked = pack(
            [[np.concatenate((np.full(len(s), -1), _unless(t, ends))) for s, t, ends in row] for row in per_row],
            rows,
            -1,
        )[0]
        prefix = pack([[np.repeat([1, 0], [len(s) + 1, len(t) - 1]) for s, t, _ in row] for row in per_row], rows, 0)[0]
        layout = Layout(shown[1].positions, shown[1].document_ids, prefix.bool())
        return _batch((shown[0], layout), asked, None)


def _unless(target: I64, end_asked: bool) -> I64:
    """`target`, its end not asked (-1) unless it is the true one."""
    return target if end_asked else np.append(target[:-1], -1)


def _batch(shown: tuple[Tensor, Layout], asked: Tensor, source: Source | None) -> Batch:
    tokens, layout = shown
    selected = (asked.flatten() >= 0).nonzero().flatten()
    none = torch.zeros(0, dtype=torch.long)
    labels = asked.flatten()[selected]
    return Batch(tokens, torch.zeros_like(tokens), layout, selected, labels, none, none, source)


def pack(per_row: Sequence[Sequence[I64]], length: int, padding: int) -> tuple[Tensor, Layout]:
    """Texts side by side in rows of `length`: tokens, and where each stands."""
    tokens = np.full((len(per_row), length), padding, dtype=np.int64)
    positions, documents = np.zeros_like(tokens), np.zeros_like(tokens)
    for row, texts in enumerate(per_row):
        at = 0
        for number, text in enumerate(texts, start=1):
            stop = at + len(text)
            assert stop <= length, f"{stop} tokens in a row of {length}"
            tokens[row, at:stop], documents[row, at:stop] = text, number
            positions[row, at:stop] = np.arange(len(text))
            at = stop
    return torch.from_numpy(tokens), Layout(torch.from_numpy(positions), torch.from_numpy(documents))


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
