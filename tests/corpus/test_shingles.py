"""Word sequences and MinHash signatures: the same in every process, and as alike as the texts are."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import numpy as np
import pytest

from osnowa.corpus.shingles import NUM_HASHES, shingles, signatures

WORDS = [f"słowo{number}" for number in range(5000)]


def test_sequences_of_five_words_without_case_and_punctuation() -> None:
    text = "Ala ma kota, a kot ma Alę."
    assert len(shingles(text)) == 3
    assert np.array_equal(shingles(text), shingles("ALA MA KOTA -- A „KOT” MA ALĘ"))
    assert len({*shingles(text).tolist(), *shingles("kot ma Alę, a Ala ma kota").tolist()}) > 3


@pytest.mark.parametrize(
    ("text", "number"), [("", 0), ("... !!!", 0), ("raz", 1), ("raz dwa trzy cztery", 1), ("a b c d e", 1)]
)
def test_a_text_shorter_than_a_sequence_is_one_sequence(text: str, number: int) -> None:
    assert len(shingles(text)) == number


def test_the_order_of_words_matters() -> None:
    assert shingles("raz dwa trzy cztery pięć") != shingles("raz dwa cztery trzy pięć")


@pytest.mark.parametrize("place", range(5))
def test_every_word_of_a_sequence_matters(place: int) -> None:
    words = ["raz", "dwa", "trzy", "cztery", "pięć"]
    other = [*words[:place], "sto", *words[place + 1 :]]
    assert shingles(" ".join(words)) != shingles(" ".join(other))


def test_signatures_agree_in_about_as_many_places_as_the_texts_share_sequences() -> None:
    draw = random.Random(1)
    for changed in (0, 5, 15, 40):
        words = draw.choices(WORDS, k=400)
        other = words.copy()
        for place in draw.sample(range(400), changed):
            other[place] = draw.choice(WORDS)
        left, right = shingles(" ".join(words)), shingles(" ".join(other))
        truth = len(set(left.tolist()) & set(right.tolist())) / len(set(left.tolist()) | set(right.tolist()))
        rows = signatures([left, right])
        assert rows.shape == (2, NUM_HASHES)
        assert abs((rows[0] == rows[1]).mean() - truth) < 0.13  # three standard deviations at 128 hashes


def test_signatures_of_a_document_do_not_depend_on_its_neighbours() -> None:
    documents = [shingles(f"zdanie numer {number} o czymś zupełnie innym niż reszta") for number in range(7)]
    together = signatures(documents)
    assert np.array_equal(together, np.concatenate([signatures([document]) for document in documents]))
    assert signatures([]).shape == (0, NUM_HASHES)


def test_another_process_computes_the_same() -> None:
    code = (
        "from osnowa.corpus.shingles import *; "
        "print(signatures([shingles('Zażółć gęślą jaźń, a potem jeszcze raz od nowa')]).tolist())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1
