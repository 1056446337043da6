"""How fast each part of the preparation of text is, on all cores: megabytes of UTF-8 a second.

    python -m benchmarks.preparation [TEXT ...] [--rounds 3] [--no-save]

Without TEXT: that inside Python, several times over. Each process works through the same documents of 4,000 characters;
the rate is that of all processes together. The floor is 15 MB/s for Unicode, white space and the rules that drop
documents by what is in them; the sequences of five words (for repetition and near-duplicates), their signatures, and
the language are stated apart.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.measuring import Cell, Row, tell
from osnowa.corpus import CorpusConfig, collect
from osnowa.corpus.cleaning import clean
from osnowa.corpus.language import identify
from osnowa.corpus.quality import RULES, Facts
from osnowa.corpus.shingles import Shingles, shingles, signatures
from osnowa.runs import limits

DOCUMENT = 4000  # characters
LEAST = 8_000_000  # characters for each process
FLOOR = 15.0
BY_SEQUENCES = {"repetition"}


def clean_and_judge(documents: Sequence[str]) -> None:
    """Unicode, white space, and every rule that needs no sequences."""
    config, none = CorpusConfig(), shingles("")
    for document in documents:
        text, _ = clean(document)
        facts = Facts(text, text.encode(), none, "pl")
        for name, fails in RULES.items():
            if name not in BY_SEQUENCES:
                fails(facts, config)


def sequences(documents: Sequence[str]) -> None:
    config = CorpusConfig()
    for document in documents:
        found = shingles(document)
        RULES["repetition"](Facts(document, b"", found, "pl"), config)


def near_duplicates(documents: Sequence[str]) -> None:
    batch: list[Shingles] = [shingles(document) for document in documents]
    for start in range(0, len(batch), 200):
        signatures(batch[start : start + 200])


def languages(documents: Sequence[str]) -> None:
    for document in documents:
        identify(document)


PARTS: dict[str, Callable[[Sequence[str]], None]] = {
    "clean and judge": clean_and_judge,
    "sequences of five words": sequences,
    "sequences and signatures": near_duplicates,
    "language": languages,
}


def work(part: str, documents: Sequence[str]) -> float:
    """In a process of its own: how long one part took."""
    PARTS[part](documents[:20])  # libraries are loaded, tables made
    began = time.perf_counter()
    PARTS[part](documents)
    return time.perf_counter() - began


def cut(texts: Sequence[str], least: int) -> list[str]:
    """Documents of the same length, repeated until there are `least` characters."""
    whole = "\n\n".join(texts)
    whole *= -(-least // len(whole))
    return [whole[start : start + DOCUMENT] for start in range(0, least, DOCUMENT)]


def measure(documents: Sequence[str], rounds: int, processes: int) -> list[Row]:
    """A row for each part: MB/s of all processes together."""
    megabytes = sum(len(each.encode()) for each in documents) / 1e6
    rows = {name: Row("preparation", name, "MB/s", []) for name in PARTS}
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        for number in range(rounds + 1):
            for name, row in rows.items():
                seconds = max(pool.map(work, [name] * processes, [documents] * processes))
                if number:
                    row.speeds.append(processes * megabytes / seconds)
    first = rows["clean and judge"]
    ratios = [speed / FLOOR for speed in first.speeds]
    first.cells.append(Cell(f"{FLOOR:g} MB/s", statistics.median(ratios), min(ratios), max(ratios), 1.0, 1.0))
    return list(rows.values())


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("text", nargs="*", type=Path)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--no-save", action="store_true", help="leave benchmarks/results as it is")
    chosen = words.parse_args()
    texts = [path.read_text(encoding="utf-8") for path in chosen.text] or sample()
    rows = measure(cut(texts, LEAST), chosen.rounds, limits.processors())
    tell("preparation", rows, save=not chosen.no_save)


def sample() -> list[str]:
    """The documents of the text inside Python."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        corpus = collect(["sample:python-docs"], CorpusConfig(), Path(folder), num_workers=1)
        return [each.text for part in range(corpus.num_parts) for each in corpus.documents(part)]


if __name__ == "__main__":
    main()
