"""Repeated lines: counted once a document, over all parts, kept where they occur first."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from osnowa.corpus import boilerplate
from osnowa.corpus.boilerplate import find_boilerplate, hash_lines, remove_lines
from osnowa.corpus.config import CorpusConfig

CONFIG = CorpusConfig.read("corpus", {"boilerplate_documents": 3, "boilerplate_share": 0.0})
FOOTER = "Wszelkie prawa zastrzeżone."
Part = tuple[np.ndarray, np.ndarray]  # type: ignore[type-arg]


def part(lines: list[tuple[int, int]]) -> Part:
    return np.array([line for line, _ in lines], np.uint64), np.array([document for _, document in lines], np.int64)


def find(parts: list[Part], folder: Path, config: CorpusConfig = CONFIG, documents: int = 100) -> dict[int, int]:
    found = find_boilerplate(parts, sum(len(hashes) for hashes, _ in parts), documents, folder / "spill", config)
    assert not (folder / "spill").exists()
    assert (np.diff(found.hashes.astype(object)) > 0).all()
    return dict(zip(found.hashes.tolist(), found.first.tolist(), strict=True))


def test_a_line_in_enough_documents_is_found_with_its_first_one(tmp_path: Path) -> None:
    parts = [part([(7, 4), (7, 5), (9, 4)]), part([(7, 6), (9, 8), (2**64 - 1, 7)])]
    assert find(parts, tmp_path) == {7: 4}


def test_a_line_thrice_in_one_document_counts_once(tmp_path: Path) -> None:
    assert find([part([(7, 4), (7, 4), (7, 4), (7, 5)])], tmp_path) == {}


def test_the_share_of_documents_must_be_reached_too(tmp_path: Path) -> None:
    parts = [part([(7, document) for document in range(5)])]
    config = CONFIG.changed(boilerplate_share=0.05)
    assert find(parts, tmp_path, config, documents=100) == {7: 0}
    assert find(parts, tmp_path, config, documents=101) == {}


def test_no_lines_are_no_boilerplate(tmp_path: Path) -> None:
    assert find([], tmp_path) == {}
    assert find([part([])], tmp_path) == {}


@pytest.mark.parametrize("spill_lines", [20, 10_000])
def test_sorting_in_pieces_counts_as_counting_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spill_lines: int
) -> None:
    monkeypatch.setattr(boilerplate, "_SPILL_LINES", spill_lines)
    draw = random.Random(2)
    pairs = sorted({(draw.randrange(60) * 2**58, draw.randrange(90)) for _ in range(400)}, key=lambda pair: pair[1])
    documents = Counter(line for line, _ in pairs)
    first = dict(reversed(pairs))
    parts = [part([pair for pair in pairs if start <= pair[1] < start + 30]) for start in (0, 30, 60)]
    for least in (2, 6, 9):
        config = CONFIG.changed(boilerplate_documents=least)
        assert find(parts, tmp_path, config) == {line: first[line] for line in first if documents[line] >= least}


def test_short_lines_and_texts_of_one_line_have_no_part_in_it() -> None:
    assert hash_lines(FOOTER, CONFIG) == []
    assert len(hash_lines(f"krótka\n  {FOOTER}  \n\n{FOOTER}", CONFIG)) == 2
    assert len(set(hash_lines(f"krótka\n  {FOOTER}  \n\n{FOOTER}", CONFIG))) == 1


def test_removed_lines_are_shown_and_the_rest_is_untouched() -> None:
    repeated = set(hash_lines(f"\n{FOOTER}", CONFIG))
    text = f"  Własna treść strony, długa i ciekawa.\n   {FOOTER}\nDruga linia własna."
    kept, removed = remove_lines(text, repeated, CONFIG)
    assert kept == "  Własna treść strony, długa i ciekawa.\nDruga linia własna."
    assert removed == [FOOTER]
