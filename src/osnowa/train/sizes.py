"""Batches of few sizes: a compiler, and a processor's library of products, make their kernels for each size anew."""

from __future__ import annotations

from osnowa.objective import Batch, ObjectiveConfig

_PARTS = 8  # sizes of the head are so many parts of a batch's places, where any number may be asked
_ROW_PARTS = 4
# Answers asked of a batch are filled up to a multiple of so many. Rows of 128 with a seventh hidden: 22 sizes in 150
# batches, and then one, for 2.5 percent more places of the head. A step of mlm-4x256, clm-4x256, t5-4+4x256 in bfloat16
# (two cores with AMX) made 24, 12, 9 kernels in 39, 43, 24 ms of its 215, 405, 340.
MULTIPLE = 32


def fill(batch: Batch, most_rows: int, config: ObjectiveConfig) -> Batch:
    """`batch` at a size that it shares with nearly all others of up to `most_rows` rows, for a compiled step.

    Rows are filled up to quarters of these; the number asked to what the hidden share comes to at most, where it is the
    same in each row of full length, and to an eighth of that, or of all places, where it is any number.
    """
    length = batch.tokens.size(1)
    rows = _rounded(len(batch.tokens), -(-most_rows // _ROW_PARTS))
    if config.question == "hidden":
        unit = rows * max(1, round(config.mask_share * length))
        unit = -(-unit // _PARTS) if config.whole_words else unit
    else:
        unit = -(-rows * length // _PARTS)
    return batch.fill(rows, _rounded(len(batch.labels), unit), _rounded(len(batch.first), rows))


def round_up(batch: Batch) -> Batch:
    """`batch` with its rows, and answers filled up to a multiple of MULTIPLE, for a processor."""
    asked, pairs = (_rounded(len(each), MULTIPLE) for each in (batch.labels, batch.first))
    return batch.fill(len(batch.tokens), asked, pairs)


def _rounded(number: int, unit: int) -> int:
    return -(-number // unit) * unit
