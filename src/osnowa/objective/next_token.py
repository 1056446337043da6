"""Each next token of a text: what decoders learn (Radford et al. 2018, section 3.1)."""

from __future__ import annotations

import numpy as np
import torch

from osnowa.data import Rows
from osnowa.model import Layout
from osnowa.objective.batch import Batch
from osnowa.objective.objective import Objective


class NextToken(Objective):
    """Every token from the first on, and the end of each document; the end of a span that goes on is not asked.

    Documents of one row don't see each other, unless `separate_documents` is off: then a row is one text.
    """

    def batch(self, rows: Rows) -> Batch:
        """`rows` hold [begin] text [end]; the token at each place is asked of the place before it."""
        length = rows.tokens.shape[1]
        asked = rows.document_ids > 0
        asked[:, 1:] &= rows.document_ids[:, 1:] == rows.document_ids[:, :-1]
        asked[:, 0] = False
        flat = asked.ravel()
        flat[rows.open_ends] = False
        places = np.flatnonzero(flat)
        documents, positions = rows.document_ids, rows.positions
        if not self.config.separate_documents:
            documents = (documents > 0).astype(np.int64)
            positions = np.broadcast_to(np.arange(length), documents.shape) * documents
        layout = Layout(torch.from_numpy(positions), torch.from_numpy(documents))
        none = torch.zeros(0, dtype=torch.long)
        return Batch(
            torch.from_numpy(rows.tokens),
            torch.from_numpy(rows.segments),
            layout,
            torch.from_numpy(places - 1),
            torch.from_numpy(rows.tokens.ravel()[places]),
            none,
            none,
        )
