"""What a decoder is asked: each next token of its own document, and its end only where the text ends."""

from __future__ import annotations

import numpy as np
import torch
from example_rows import SPECIAL_IDS, VOCAB_SIZE

from osnowa.data import NOT_ASKED, Rows, Samples, TokenSplit
from osnowa.data.rows import Specials, write_rows
from osnowa.objective import Batch, NextToken, ObjectiveConfig, Vocabulary

BEGIN, END, PAD = 1, 2, 0
TEXT = np.array([11, 12, 13, 21, 22, 23, 24, 31], dtype=np.uint16)
# Three documents: 11 12 13 | 21 22 23 24 | 31
SPLIT = TokenSplit(TEXT, np.array([0, 3, 5, 7, 8]), np.array([0, 1, 3, 4]), 0)


def objective(**changes: object) -> NextToken:
    vocabulary = Vocabulary(VOCAB_SIZE, PAD, BEGIN, END, 3, SPECIAL_IDS, np.zeros(VOCAB_SIZE, dtype=bool))
    return NextToken(ObjectiveConfig.read("objective", {"name": "next-token", **changes}), vocabulary, seed=0)


def rows_of(*spans: tuple[int, int], length: int) -> Rows:
    """One row with the spans start:stop of the text."""
    begin, stop = np.array(spans).T
    none = np.zeros(len(spans), dtype=np.int64)
    samples = Samples(begin, stop - begin, none, none, np.full(len(spans), NOT_ASKED))
    numbers = np.zeros(1, dtype=np.int64)
    return write_rows(SPLIT, samples, np.array([len(spans)]), length, Specials(BEGIN, END, PAD), numbers, 0)


def questions(batch: Batch) -> list[tuple[int, int]]:
    """(token at the asked place, what should come next)."""
    return list(zip(batch.tokens.flatten()[batch.selected].tolist(), batch.labels.tolist(), strict=True))


def test_every_token_and_the_end_of_a_whole_document_are_asked_of_the_place_before() -> None:
    batch = objective().batch(rows_of((0, 3), length=6))
    assert batch.tokens.tolist() == [[BEGIN, 11, 12, 13, END, PAD]]
    assert questions(batch) == [(BEGIN, 11), (11, 12), (12, 13), (13, END)]


def test_the_end_of_a_text_that_goes_on_is_not_asked() -> None:
    first, second = (objective().batch(rows_of(span, length=5)) for span in ((3, 5), (5, 7)))
    assert questions(first) == [(BEGIN, 21), (21, 22)], "22 23 is the middle of a document"
    assert questions(second) == [(BEGIN, 23), (23, 24), (24, END)]


def test_nothing_is_asked_across_the_border_of_two_documents_of_a_row() -> None:
    batch = objective().batch(rows_of((0, 3), (7, 8), length=9))
    assert questions(batch) == [(BEGIN, 11), (11, 12), (12, 13), (13, END), (BEGIN, 31), (31, END)]
    assert batch.layout.document_ids.tolist() == [[1, 1, 1, 1, 1, 2, 2, 2, 0]]
    assert batch.layout.positions.tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 0]]


def test_a_row_is_one_text_when_documents_are_not_separated() -> None:
    batch = objective(separate_documents=False).batch(rows_of((0, 3), (7, 8), length=9))
    assert batch.layout.document_ids.tolist() == [[1, 1, 1, 1, 1, 1, 1, 1, 0]]
    assert batch.layout.positions.tolist() == [[0, 1, 2, 3, 4, 5, 6, 7, 0]]
    assert questions(batch) == [(BEGIN, 11), (11, 12), (12, 13), (13, END), (BEGIN, 31), (31, END)]
    assert batch.num_tokens == 8
    assert batch.to(torch.device("cpu")).labels.tolist() == batch.labels.tolist()
