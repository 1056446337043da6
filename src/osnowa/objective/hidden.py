"""Hidden tokens in their place, with or without a question about the pair of sentences: what encoders learn."""

from __future__ import annotations

import numpy as np
import torch

from osnowa.data import Rows, Shape
from osnowa.model import Layout
from osnowa.objective.batch import Batch, Vocabulary
from osnowa.objective.config import ObjectiveConfig, ObjectiveName
from osnowa.objective.masked import choose, replace
from osnowa.objective.objective import Objective

SHAPES: dict[ObjectiveName, Shape] = {"masked-next-sentence": "pair", "sentence-order": "order"}


class HiddenTokens(Objective):
    """Masked tokens (Devlin et al. 2019, 3.1), and whether B follows A (the same) or stands behind it (Lan et al. 2020)."""

    def __init__(self, config: ObjectiveConfig, vocabulary: Vocabulary, *, seed: int) -> None:
        super().__init__(config, vocabulary, seed=seed)
        self.shape, self.masking = SHAPES.get(config.name, "single"), config.masking
        self.ordinary = np.setdiff1d(np.arange(vocabulary.size), np.array(sorted(vocabulary.special_ids)))

    def batch(self, rows: Rows) -> Batch:
        """Hide tokens of `rows`, as (seed, epoch, row number) say."""
        mask, continues = self.vocabulary.mask, self.vocabulary.continues_word
        hidden, leader = choose(rows, self.masking, self.seed, continues)
        selected = np.flatnonzero(hidden.ravel())
        shown = replace(rows, selected, leader, self.masking, self.seed, mask=mask, ordinary=self.ordinary)
        layout = Layout(torch.from_numpy(rows.positions), torch.from_numpy(rows.document_ids))
        labels = rows.tokens.ravel()[selected]
        return Batch(
            torch.from_numpy(shown),
            torch.from_numpy(rows.segments),
            layout,
            torch.from_numpy(selected),
            torch.from_numpy(labels),
            torch.from_numpy(rows.first),
            torch.from_numpy(rows.is_next),
        )
